# The last stage of the UI's own Dockerfile; the program was built outside.
FROM alpine:holdfast-cluster
WORKDIR /home/ui-server
RUN addgroup -g 1000 temporal && adduser -u 1000 -G temporal -D temporal && mkdir ./config
COPY --chmod=755 ui-server docker/start-ui-server.sh ./
COPY config/docker.yaml ./config/docker.yaml
RUN chown -R temporal:temporal .
USER temporal
EXPOSE 8080
ENV TEMPORAL_CLOUD_UI=false
ENTRYPOINT ["./start-ui-server.sh"]
