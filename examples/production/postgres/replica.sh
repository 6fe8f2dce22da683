#!/bin/sh
# Copies the primary when there is nothing here yet, then follows it.
set -eu
export PGPASSWORD="$REPLICATION_PASSWORD"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  until pg_isready --quiet --host postgres; do sleep 1; done
  mkdir -p "$PGDATA"
  chown postgres:postgres "$PGDATA"
  chmod 700 "$PGDATA"
  gosu postgres pg_basebackup --host postgres --username replicator --pgdata "$PGDATA" --wal-method stream \
    --write-recovery-conf --checkpoint fast
fi
exec docker-entrypoint.sh postgres -c hot_standby=on
