# As the image of Node is seen from outside: Debian with node and npm, and nothing that its Dockerfile removes again.
FROM holdfast-cluster/debian:12
RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node
COPY --chmod=755 node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s node /usr/local/bin/nodejs \
  && ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
  && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx && node --version && npm --version
# The authority of a proxy that this machine trusts beside the usual ones; none as a rule.
ARG EXTRA_CA
COPY extra-ca /usr/local/share/extra-ca
ENV NODE_EXTRA_CA_CERTS=$EXTRA_CA
CMD ["node"]
