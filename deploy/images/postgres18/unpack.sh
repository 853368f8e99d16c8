#!/usr/bin/env bash
# In a build step: PostgreSQL's programs out of pg0 (installed below $1) into $2. pg0 holds them packed and unpacks them where it
# starts a server, which it refuses to as root: one is started, stopped and thrown away.
set -euo pipefail
home="$(mktemp -d)"
chown postgres "$home"
pg0() { setpriv --reuid=postgres --regid=postgres --clear-groups env HOME="$home" "$1/pg0/bin/pg0" "${@:2}" > /dev/null < /dev/null; }
chmod 755 "$1/pg0/bin/pg0"
pg0 "$1" start
pg0 "$1" stop
mv "$home"/.pg0/installation/* "$2"
chown -R root:root "$2"
rm -rf "$home" "$2/include" /tmp/.s.PGSQL.*
# They look for their own libraries beside them, and these for others of theirs nowhere.
echo "$2/lib" > /etc/ld.so.conf.d/postgresql.conf
ldconfig
