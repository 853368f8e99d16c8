#!/usr/bin/env bash
# Generate libs/contracts from protos/. The output is committed; `make lint` fails when it drifts.
# Another folder as argument (lint compares) leaves the committed one alone.
set -euo pipefail
cd "$(dirname "$0")/.."
out="${1:-libs/contracts/src}"
mkdir -p "$out/resapermis"
find "$out/resapermis" -mindepth 1 \( -name '*_pb2*' -o -name '__init__.py' \) -delete
mapfile -t files < <(cd protos && find resapermis -name '*.proto' | sort)
.venv/bin/python -m grpc_tools.protoc -Iprotos \
  --plugin=protoc-gen-mypy=.venv/bin/protoc-gen-mypy --plugin=protoc-gen-mypy_grpc=.venv/bin/protoc-gen-mypy_grpc \
  --python_out="$out" --grpc_python_out="$out" --mypy_out=quiet:"$out" --mypy_grpc_out=quiet:"$out" "${files[@]}"
while read -r dir; do printf '"""Generated from protos/; do not edit."""\n' > "$dir/__init__.py"; done < <(find "$out/resapermis" -mindepth 1 -type d -not -name __pycache__)
