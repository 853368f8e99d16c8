#!/usr/bin/env bash
# `make test-long`: what is too long for every commit. Each step runs even when one before it failed; the exit status says.
#   the model of basket with at least 10,000 steps        about six minutes
#   bent messages for basket, 100,000 a kind              about two minutes
#   two hundred calendars read beside gRPC                a minute
#   every other test that has a long profile              about two minutes
#   twenty controls of shown requirements, drawn by lot   about five minutes
#   the files that a request crosses, counted             a minute
#   100,000 operations of replicas judged                 about half an hour
#   three seeds of the chaos run                          about a quarter of an hour
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
failed=()

step() {
  printf '\ntest-long: %s\n' "$1"
  "${@:2}" || failed+=("$1")
}

step "model" env HYPOTHESIS_PROFILE=long python -m pytest -q -n 0 services/basket/tests/test_model.py
step "bent messages" env HYPOTHESIS_PROFILE=long python -m pytest -q -n 2 services/basket/tests/test_bad_input.py
step "calendars" env HYPOTHESIS_PROFILE=long python -m pytest -q -n 0 services/scheduling-rules/tests/test_reader_process.py
step "profiles" env HYPOTHESIS_PROFILE=long python -m pytest -q -n 2 --dist loadgroup -m long
step "controls" python tools/controls.py --random 20
step "crossings" python tools/crossings.py
step "linear" python tests/chaos/chaos.py linear
step "chaos" python tests/chaos/chaos.py run --seeds 3

if [ ${#failed[@]} -gt 0 ]; then
  printf '\n!!! test-long: failed: %s\n' "${failed[*]}"
  exit 1
fi
printf '\ntest-long: all passed\n'
