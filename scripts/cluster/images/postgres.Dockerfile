# As the image of PostgreSQL is seen from outside: its paths, its user, its variables, what it does on its first start.
FROM holdfast-cluster/debian:12
RUN apt-get update -q && apt-get install -qy --no-install-recommends gosu postgresql-client-15 \
  && groupadd -r postgres --gid=999 \
  && useradd -r -g postgres --uid=999 --home-dir=/var/lib/postgresql --shell=/bin/bash postgres \
  && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql /var/lib/postgresql/data \
  && install -d -o postgres -g postgres -m 3777 /var/run/postgresql && mkdir /docker-entrypoint-initdb.d
COPY postgres /usr/lib/postgresql/16
COPY --chmod=755 postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/16/bin PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
EXPOSE 5432
CMD ["postgres"]
