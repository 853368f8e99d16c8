#!/usr/bin/env bash
# In a build step: install one pinned package ($1, of the lock $2, by its hashes) into the folder $3. What the machine is told of
# its package index and authorities comes as secrets of that step alone (tools/images.sh).
set -euo pipefail
if [ -r /run/secrets/settings ]; then set -a; . /run/secrets/settings; set +a; fi
if [ -r /run/secrets/ca ]; then export SSL_CERT_FILE=/run/secrets/ca PIP_CERT=/run/secrets/ca; fi
work="$(mktemp -d)"
awk -v name="$1" 'index($0, name "==") == 1 {on=1} on {print; if (!/\\$/) exit}' "$2" > "$work/lock"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --no-deps --require-hashes --target "$3" -r "$work/lock"
rm -rf "$work"
