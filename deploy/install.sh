#!/usr/bin/env bash
# In the image's build stage: a virtual environment at $2 with one service ($1), our libraries as wheels, and from
# requirements.lock (with its hashes) exactly what these need and nothing of the workshop.
set -euo pipefail
service="$1" target="$2"
if [ "$service" = mailcatcher ]; then
  # One file and one library; no package of ours.
  python3 -m venv "$target"
  awk '/^(aiosmtpd|atpublic|attrs)==/ {on=1} on {print; if (!/\\$/) on=0}' requirements.lock > "$target/mail.lock"
  "$target/bin/pip" install --quiet --no-deps --require-hashes -r "$target/mail.lock"
  cp tools/mailcatcher.py "$target/mailcatcher.py"
  printf '#!/bin/sh\nexec %s/bin/python %s/mailcatcher.py "$@"\n' "$target" "$target" > "$target/bin/service"
  chmod 755 "$target/bin/service"
  exit 0
fi
if [ "$service" = rdvpermis ]; then folder=sandbox/rdvpermis; else folder="services/$service"; fi
[ -f "$folder/pyproject.toml" ] || { echo "there is no service named $service" >&2; exit 1; }
python="$(command -v python3)"
work="$(mktemp -d)"

# uv and hatchling, pinned by the same lock, outside of what is shipped.
awk '/^(uv|hatchling|editables|packaging|pathspec|pluggy|trove-classifiers)==/ {on=1} on {print; if (!/\\$/) on=0}' requirements.lock > "$work/build.lock"
"$python" -m venv "$work/build"
"$work/build/bin/pip" install --quiet --no-deps --require-hashes -r "$work/build.lock"

libraries=()
for library in contracts kit places rules vault; do
  if grep -q "\"resapermis-$library\"" "$folder/pyproject.toml"; then libraries+=("libs/$library"); fi
done
mkdir "$work/wheels"
for package in "${libraries[@]}" "$folder"; do
  (cd "$package" && "$work/build/bin/hatchling" build -t wheel -d "$work/wheels" > /dev/null)
done

# What the packages ask for, resolved to the lock's versions; then installed with the lock's hashes.
projects=()
ours=()
for package in "${libraries[@]}" "$folder"; do
  projects+=("$package/pyproject.toml")
  ours+=(--no-emit-package "$(sed -n 's/^name = "\([a-z-]*\)"$/\1/p' "$package/pyproject.toml")")
done
cp requirements.lock "$work/service.lock"
"$work/build/bin/uv" pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate -p 3.11 \
  --constraint requirements.lock "${ours[@]}" --output-file "$work/service.lock" "${projects[@]}"
"$python" -m venv --without-pip "$target"
VIRTUAL_ENV="$target" "$work/build/bin/uv" pip install --quiet --require-hashes --compile-bytecode -r "$work/service.lock"
VIRTUAL_ENV="$target" "$work/build/bin/uv" pip install --quiet --no-deps --no-index --compile-bytecode "$work/wheels"/*.whl

package="$(basename "$(ls -d "$folder"/src/*/)")"
printf '#!/bin/sh\nexec %s/bin/python -m %s "$@"\n' "$target" "$package" > "$target/bin/service"
chmod 755 "$target/bin/service"
