#!/usr/bin/env bash
# Write web/openapi.json from the gateway's routes, and the web's client from that.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
python -m resapermis_auth_gateway openapi > web/openapi.json.new
mv web/openapi.json.new web/openapi.json
cd web && npm run --silent api
