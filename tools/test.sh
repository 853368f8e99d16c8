#!/usr/bin/env bash
# `make test`: Python, then the web's units, then the browser. All run even when one fails; the exit status says.
# A Python test that fails beside others runs once more alone, and is named.
# ARGS="path -k word" goes to pytest and leaves the web out.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
status=0
workers="${RESAPERMIS_TEST_WORKERS:-2}"

# Longer than ever seen: what hangs is to be told, not waited for.
timeout --signal=INT --kill-after=60 "${RESAPERMIS_TEST_SECONDS:-2400}" python -m pytest -n "$workers" --dist loadgroup "$@" || status=$?
[ $# -gt 0 ] && exit "$status"
if [ "$status" = 124 ] || [ "$status" = 137 ]; then
  printf '\n!!! The Python tests did not end; stopped.\n'
elif [ "$status" != 0 ]; then
  # Tests on whole platforms wait for real things, and two workers fill the machine: what failed is judged once more, alone.
  printf '\n!!! The tests above failed beside others; here they are once more, alone. What fails again is broken.\n'
  python -m pytest -n 0 --last-failed --last-failed-no-failures none && status=0
fi

if [ -f web/package.json ]; then
  (cd web && npm run --silent test) || status=1
  chromium=""
  for candidate in "${RESAPERMIS_CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [ -n "$candidate" ] && command -v "$candidate" > /dev/null; then chromium="$(command -v "$candidate")"; break; fi
  done
  if [ -n "$chromium" ]; then
    RESAPERMIS_CHROMIUM="$chromium" python tools/e2e.py || status=1
  else
    printf '\n%s\n' \
      '!!! THE BROWSER TESTS DID NOT RUN: there is no Chromium on this machine.' \
      '!!! Debian or Ubuntu: apt install chromium (as root), or set RESAPERMIS_CHROMIUM to one.' \
      '!!! Everything that a person sees is untested in this run.' >&2
  fi
fi
exit "$status"
