#!/usr/bin/env bash
# Starts MongoDB with access control as a replica set. Members of a set prove themselves to each other by a
# key file; a set of one needs a key that nobody else knows, so each start makes a new one.
set -euo pipefail

if [[ -z "${MONGO_INITDB_ROOT_PASSWORD:-}" ]]; then
    echo "FRAMELOOM_MONGO_PASSWORD is empty: set it in .env (deploy/compose/env.example)." >&2
    exit 64
fi

key=/data/configdb/replica-set.key
(
    umask 377
    rm -f "$key"
    head -c 512 /dev/urandom | base64 --wrap=0 > "$key"
)
chown mongodb:mongodb "$key"
exec docker-entrypoint.sh "$@" --keyFile "$key"
