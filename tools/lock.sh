#!/usr/bin/env bash
# Write requirements.lock: every package of the workspace and its tools, with hashes, for all platforms, no registry host.
# That of what `make chart` alone needs is written beside it. Existing pins stay unless `tools/lock.sh --upgrade`; other arguments go to uv as they are.
set -euo pipefail
cd "$(dirname "$0")/.."
export UV_PYTHON_DOWNLOADS=never
local_packages=()
while read -r name; do local_packages+=(--no-emit-package "$name"); done < <(sed -n 's/^name = "\([a-z-]*\)"$/\1/p' pyproject.toml {libs,services,sandbox}/*/pyproject.toml)
.venv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate -p 3.11 --group dev \
  "${local_packages[@]}" --override tools/overrides.txt --output-file requirements.lock "$@" {libs,services,sandbox}/*/pyproject.toml
.venv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate -p 3.11 \
  --output-file tools/chart/others/requirements.lock "$@" tools/chart/others/requirements.in
