# In place of Alpine, so that Temporal's own Dockerfiles build as they are: Debian with what those call of Alpine.
FROM holdfast-cluster/debian:12
RUN apt-get update -q && apt-get install -qy --no-install-recommends bash ca-certificates netcat-openbsd tzdata \
  && ln -sf bash /bin/sh
COPY --chmod=755 alpine /usr/local/sbin
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
