#!/usr/bin/env bash
# docker-entrypoint.sh of resapermis/postgres15 and resapermis/postgres18: it starts PostgreSQL as the Docker Official Image
# does, as far as our compose file and tests ask it to. Of the environment it reads
#   POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE, POSTGRES_USER (postgres), POSTGRES_DB (the user's name), PGDATA,
#   POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD (scram-sha-256; "trust" needs no password);
# at the first start it runs /docker-entrypoint-initdb.d/*.sql and *.sh. Arguments are "postgres -c …", or begin with a dash.
# The server never runs as root: begun as root this goes on as postgres (999); any other account may be given (--user).
set -euo pipefail
case "${1:--}" in -*) set -- postgres "$@" ;; esac
[ "$1" = postgres ] || exec "$@"

# Read first: a secret may be root's alone.
if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
  POSTGRES_PASSWORD="$(< "$POSTGRES_PASSWORD_FILE")"
  export POSTGRES_PASSWORD
  unset POSTGRES_PASSWORD_FILE
fi

if [ "$(id -u)" = 0 ]; then
  for folder in "$PGDATA" /var/run/postgresql; do
    mkdir -p "$folder"
    find "$folder" "$(dirname "$PGDATA")" -maxdepth 0 ! -user postgres -exec chown postgres:postgres '{}' +
  done
  find "$PGDATA" ! -user postgres -exec chown postgres:postgres '{}' +
  exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
fi

# initdb asks what its account is called; a bare number is called nothing.
if ! id -un > /dev/null 2>&1; then
  names="$(mktemp)"
  { cat /etc/passwd; echo "postgres:x:$(id -u):$(id -g)::/var/lib/postgresql:/bin/false"; } > "$names"
  library=(/usr/lib/*/libnss_wrapper.so)
  export LD_PRELOAD="${library[0]}" NSS_WRAPPER_PASSWD="$names" NSS_WRAPPER_GROUP=/etc/group
fi

making="$PGDATA.making"
if [ -e "$making" ]; then
  echo "The first start was cut off: what it left is made again." >&2
  find "$PGDATA" -mindepth 1 -delete
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  user="${POSTGRES_USER:-postgres}" method="${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}"
  database="${POSTGRES_DB:-$user}"
  if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$method" != trust ]; then
    echo "POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE says the password of $user; one of them is needed." >&2
    exit 1
  fi
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA"
  : > "$making"
  # shellcheck disable=SC2086 # words
  initdb --pgdata="$PGDATA" --username="$user" --pwfile=<(printf '%s\n' "${POSTGRES_PASSWORD:-none}") \
    --auth-local=trust --auth-host="$method" ${POSTGRES_INITDB_ARGS:-} > /dev/null
  printf 'host all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"
  printf "listen_addresses = '*'\nunix_socket_directories = '/var/run/postgresql'\n" >> "$PGDATA/postgresql.conf"
  # With the settings it will have, for this container alone.
  pg_ctl --pgdata="$PGDATA" --silent --wait start -o "$(printf '%q ' "${@:2}" -c listen_addresses= -c port=5432)"
  run=(psql --host=/var/run/postgresql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$user")
  if [ "$database" != postgres ]; then
    "${run[@]}" --dbname=postgres --set=name="$database" <<< 'CREATE DATABASE :"name"'
  fi
  for file in /docker-entrypoint-initdb.d/*; do
    case "$file" in
      *.sql) "${run[@]}" --dbname="$database" --file="$file" ;;
      *.sh) bash "$file" ;;
    esac
  done
  pg_ctl --pgdata="$PGDATA" --silent --mode=fast --wait stop
  rm "$making"
fi
unset POSTGRES_PASSWORD
exec "$@"
