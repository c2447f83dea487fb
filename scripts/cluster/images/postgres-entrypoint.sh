#!/bin/bash
# The first start as the documentation of the published image tells it: a cluster is made, a server that listens on its
# socket alone runs what lies in /docker-entrypoint-initdb.d and ends, and then the real one starts.
set -euo pipefail
if [ "$(id -u)" = 0 ]; then
  chown -R postgres "$PGDATA" /var/run/postgresql
  chmod 0700 "$PGDATA"
  exec gosu postgres "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  : "${POSTGRES_PASSWORD:?is not set}" "${POSTGRES_USER:=postgres}"
  : "${POSTGRES_DB:=$POSTGRES_USER}"
  initdb -D "$PGDATA" --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD")
  printf '\nhost all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"
  printf "unix_socket_directories = '/var/run/postgresql'\n" >> "$PGDATA/postgresql.conf"
  pg_ctl -D "$PGDATA" -w start -o "-c listen_addresses=''"
  export PGUSER="$POSTGRES_USER"
  psql -v ON_ERROR_STOP=1 -d postgres -v name="$POSTGRES_DB" <<< 'CREATE DATABASE :"name";'
  for file in /docker-entrypoint-initdb.d/*.sql; do
    psql -v ON_ERROR_STOP=1 --no-psqlrc -d "$POSTGRES_DB" -f "$file"
  done
  # As long as the first start takes on a slow disk: longer than between two health checks, which must not be misled.
  sleep 8
  pg_ctl -D "$PGDATA" -m fast -w stop
  unset PGUSER
  printf "listen_addresses = '*'\n" >> "$PGDATA/postgresql.conf"
fi
exec "$@"
