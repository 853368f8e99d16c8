#!/usr/bin/env bash
# In the image's build stage: below $1 a folder for each process, that of its image's /app. It holds a virtual environment with
# the service, those of our libraries that it needs as wheels, and from requirements.lock (with its hashes) exactly what these
# need and nothing of the workshop; the policies; the built interface where there is a web face.
# Each is made at /app, where it will run, and moved away: a virtual environment holds its own address.
set -euo pipefail
apps="$1"
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1
# In one layer with what is installed: each package is unpacked once, and linked into every environment.
export UV_CACHE_DIR=/var/tmp/uv UV_LINK_MODE=hardlink
if [ -r /run/secrets/settings ]; then set -a; . /run/secrets/settings; set +a; fi
if [ -r /run/secrets/ca ]; then export SSL_CERT_FILE=/run/secrets/ca PIP_CERT=/run/secrets/ca; fi
python="$(command -v python3)"
work="$(mktemp -d)"
mkdir -p "$apps" "$work/wheels"

# The lock's lines of these packages, with their hashes.
locked() { awk -v names="^($1)==" '$0 ~ names {on=1} on {print; if (!/\\$/) on=0}' requirements.lock; }
# The folders of a package ($1) and of those of ours that it needs, however far down; into $2 what all of these need of others.
needed() {
  "$python" - "$1" "$2" << 'PYTHON'
import pathlib, re, sys, tomllib
projects = {}
for pattern in ("libs/*/pyproject.toml", "services/*/pyproject.toml", "sandbox/*/pyproject.toml", "tools/pyproject.toml"):
    for file in pathlib.Path().glob(pattern):
        project = tomllib.loads(file.read_text())["project"]
        projects[project["name"]] = (file.parent, project["dependencies"])
others = set()
def walk(name, found):
    if name not in found:
        found.append(name)
        for requirement in projects[name][1]:
            needed = re.match(r"[A-Za-z0-9._-]+", requirement)[0]
            walk(needed, found) if needed in projects else others.add(requirement)
    return found
(name,) = (name for name, (folder, _) in projects.items() if folder == pathlib.Path(sys.argv[1]))
print(*(projects[one][0] for one in walk(name, [])))
pathlib.Path(sys.argv[2]).write_text("".join(f"{one}\n" for one in sorted(others)))
PYTHON
}
# $1: its name. $2: the command that its entry point runs, with the image's arguments after it. Each has `ready` for health checks.
finish() {
  printf '#!/bin/sh\nexec %s "$@"\n' "$2" > /app/bin/service
  { printf '#!/app/bin/python -ISE\n'; cat deploy/ready.py; } > /app/bin/ready
  chmod 755 /app/bin/service /app/bin/ready
  mv /app "$apps/$1"
  echo "    $1: $SECONDS s" >&2
}

# uv and hatchling, pinned by the same lock, outside of what is shipped.
locked 'uv|hatchling|editables|packaging|pathspec|pluggy|trove-classifiers' > "$work/build.lock"
"$python" -m venv "$work/build"
"$work/build/bin/pip" install --quiet --no-deps --require-hashes -r "$work/build.lock"
uv() { VIRTUAL_ENV=/app "$work/build/bin/uv" --quiet "$@"; }

for folder in libs/*/ services/*/ sandbox/*/ tools/; do
  name="$(basename "$folder")"
  [ "$name" != testing ] || continue
  (cd "$folder" && "$work/build/bin/hatchling" build -t wheel -d "$work/wheels/$name") > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
done
echo "    wheels: $SECONDS s" >&2

for folder in services/*/ sandbox/*/ tools/; do
  name="$(basename "$folder")"
  if [ "$name" = tools ]; then image=ops; else image="$name"; fi
  read -r -a packages <<< "$(needed "${folder%/}" "$work/$name.in")"
  wheels=()
  for package in "${packages[@]}"; do wheels+=("$work/wheels/$(basename "$package")"/*.whl); done
  # What the packages ask for, resolved to the lock's versions; then installed with the lock's hashes.
  cp requirements.lock "$work/$name.lock"
  uv pip compile --python "$python" --generate-hashes --no-emit-index-url --no-header --no-annotate \
    --constraint requirements.lock --output-file "$work/$name.lock" "$work/$name.in"
  uv venv --python "$python" /app
  uv pip install --require-hashes --compile-bytecode -r "$work/$name.lock"
  uv pip install --no-deps --no-index --compile-bytecode "${wheels[@]}"
  cp -r policies /app/policies
  # `make web` makes it; only the gateway shows it.
  if [ "$name" = auth-gateway ] && [ -d web/dist ]; then cp -r web/dist /app/web; fi
  if [ "$image" = ops ]; then
    # Its tables look for the policies where they are in the workspace: two folders above their own.
    ln -s /app/policies "$(dirname "$(echo /app/lib/python*/site-packages)")/policies"
    finish ops /app/bin/resapermisctl
  else
    finish "$image" "/app/bin/python -m $(basename "$folder"/src/*/)"
  fi
done

# Tools of one file below tools/, with libraries of the lock and no package of ours. $1: the image. $2: the file. $3: its libraries.
tool() {
  locked "$3" > "$work/$1.lock"
  uv venv --python "$python" /app
  uv pip install --no-deps --require-hashes --compile-bytecode -r "$work/$1.lock"
  cp "tools/$2" "/app/$1.py"
  finish "$1" "/app/bin/python /app/$1.py"
}
tool mailcatcher mailcatcher.py 'aiosmtpd|atpublic|attrs'
tool otlp-receiver containers/otlp_receiver.py 'grpcio|opentelemetry-proto|protobuf|pyyaml|typing-extensions'

rm -rf "$work" "$UV_CACHE_DIR"
