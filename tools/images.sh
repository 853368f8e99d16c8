#!/usr/bin/env bash
# Build every image with the engine that is here: podman, buildah or docker. BASE=… takes another base image.
# ARGS to the engine (say, build-time certificates or mirrors) come from RESAPERMIS_BUILD_ARGS.
set -euo pipefail
cd "$(dirname "$0")/.."
for engine in podman buildah docker; do command -v "$engine" > /dev/null && break; engine=""; done
[ -n "$engine" ] || { echo "make images needs podman, buildah or docker: apt install podman" >&2; exit 1; }
read -r -a extra <<< "${RESAPERMIS_BUILD_ARGS:-}"
[ -n "${BASE:-}" ] && extra+=(--build-arg "BASE=$BASE")
for service in ${*:-auth-gateway mandate scheduling-rules basket audit notification rdvpermis mailcatcher}; do
  echo "  building resapermis/$service"
  "$engine" build --file deploy/Containerfile --build-arg "SERVICE=$service" --tag "resapermis/$service" "${extra[@]}" .
done
