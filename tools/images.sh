#!/usr/bin/env bash
# Build the container images with the engine that is here: podman, buildah or docker.
#   tools/images.sh                  every process' image, on docker.io's python image, or another one: BASE=…
#   BASE=debian tools/images.sh      where no registry of images is reached: resapermis/base is made of Debian's packages first,
#                                    and PostgreSQL 15 and 18, NATS, HAProxy and Prometheus under our own names (deploy/README.md)
#   tools/images.sh basket audit     only these
# What this machine says of package indexes, mirrors, proxies and authorities goes into the steps that fetch something, as secrets
# of these alone, and into no layer. RESAPERMIS_CONTAINER_ENGINE: another engine than the first of these that is here.
# RESAPERMIS_BUILD_ARGS: more arguments for its build.
set -euo pipefail
cd "$(dirname "$0")/.."
SERVICES=(auth-gateway mandate scheduling-rules basket audit notification rdvpermis mailcatcher otlp-receiver ops)
FOUNDATION=(base postgres15 postgres18 nats haproxy prometheus)
SUITE=bookworm
KEYS="${RESAPERMIS_DEBIAN_KEYS:-/usr/share/keyrings/debian-archive-keyring.gpg}"
say() { printf '  %s\n' "$*"; }
die() { printf 'make images: %s\n' "$@" >&2; exit 1; }

base="${BASE:-}"
wanted=("$@")
if [ "$base" = debian ]; then
  [ "${#wanted[@]}" -gt 0 ] || wanted=("${FOUNDATION[@]}" "${SERVICES[@]}")
  base=resapermis/base
elif [ "${#wanted[@]}" = 0 ]; then
  wanted=("${SERVICES[@]}")
fi
for name in "${wanted[@]}"; do
  case " ${SERVICES[*]} ${FOUNDATION[*]} " in *" $name "*) ;; *) die "there is no image named $name: ${FOUNDATION[*]} ${SERVICES[*]}" ;; esac
done

# What is missing is said before anything is begun.
asked="${RESAPERMIS_CONTAINER_ENGINE:-}"
case " podman buildah docker  " in *" $asked "*) ;; *) die "RESAPERMIS_CONTAINER_ENGINE is $asked: podman, buildah or docker" ;; esac
for engine in ${asked:-podman buildah docker}; do command -v "$engine" > /dev/null && break; engine=""; done
[ -n "$engine" ] || [ -z "$asked" ] || die "RESAPERMIS_CONTAINER_ENGINE is $asked, which is not here"
[ -n "$engine" ] || die "podman, buildah or docker is needed. Debian, Ubuntu: apt install podman runc netavark aardvark-dns (as root), then read deploy/README.md"
failure="$("$engine" info 2>&1 > /dev/null)" || die "$engine is here, but does not work: ${failure##*$'\n'}" "deploy/README.md says how to set it up."
case "$engine" in
  podman) driver="$(podman info --format '{{.Store.GraphDriverName}}')" ;;
  buildah) driver="$(buildah info --format '{{index .store "GraphDriverName"}}')" ;;
  docker) driver="" ;;
esac
[ "$driver" != vfs ] || say "$engine keeps whole copies of each layer (vfs): this takes six times as long as with overlay (deploy/README.md)"
if [[ " ${wanted[*]} " = *" base "* ]]; then
  [ "$engine" != buildah ] || die "resapermis/base is imported by podman or docker, and only buildah is here: apt install podman"
  command -v mmdebstrap > /dev/null || die "BASE=debian makes Debian's base by mmdebstrap: apt install mmdebstrap (as root)"
  [ -r "$KEYS" ] || die "Debian's packages are verified by its keys: apt install debian-archive-keyring (as root)"
fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# pip's and uv's index, and proxies. Values only: paths of this machine mean nothing in a build.
{
  env -0 | while IFS= read -r -d '' line; do
    name="${line%%=*}"
    if [[ "$name" =~ ^(PIP|UV)_[A-Z_]*(INDEX|HOST|TIMEOUT)[A-Z_]*$|^(https?|all|no)_proxy$|^(HTTPS?|ALL|NO)_PROXY$ ]]; then
      printf '%s=%q\n' "$name" "${line#*=}"
    fi
  done
  for setting in index-url trusted-host; do
    name="PIP_$(tr a-z- A-Z_ <<< "$setting")"
    if [ -z "${!name:-}" ] && value="$(python3 -m pip config get "global.$setting" 2> /dev/null)"; then printf '%s=%q\n' "$name" "$value"; fi
  done
} > "$work/settings"
authorities="${SSL_CERT_FILE:-${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}}"
secrets=(--secret "id=settings,src=$work/settings")
if [ -r "$authorities" ]; then
  cp "$authorities" "$work/ca"
  secrets+=(--secret "id=ca,src=$work/ca")
fi
# apt's proxies and its archive of this release, where this machine's is Debian too.
archive() {
  if command -v apt-get > /dev/null; then
    apt-get indextargets --format '$(CREATED_BY) $(REPO_URI) $(RELEASE) $(COMPONENT)' 2> /dev/null \
      | sed -nE "s|^Packages (\S+) ($SUITE(-updates\|-security)?) main$|deb \1 \2 main|p" | sort -u
  fi
}
archive > "$work/sources"
if ! grep -q " $SUITE main" "$work/sources"; then
  printf 'deb http://deb.debian.org/debian %s main\n' "$SUITE" "$SUITE-updates" > "$work/sources"
  printf 'deb http://deb.debian.org/debian-security %s main\n' "$SUITE-security" >> "$work/sources"
fi
if command -v apt-config > /dev/null; then apt-config dump | grep -E '^Acquire::(https?::|Check-|Retries|ForceIPv)'; fi > "$work/apt.host" || true
{ cat "$work/apt.host"; printf 'Acquire::https::CAInfo "/run/secrets/ca";\n'; } > "$work/apt"
[ ! -e "$work/ca" ] || printf 'Acquire::https::CAInfo "%s";\n' "$work/ca" >> "$work/apt.host"
secrets+=(--secret "id=apt,src=$work/apt" --secret "id=sources,src=$work/sources")

read -r -a extra <<< "${RESAPERMIS_BUILD_ARGS:-}"
[ -z "$base" ] || extra+=(--build-arg "BASE=$base")
build() {
  "$engine" build --quiet --network host "${secrets[@]}" "${extra[@]}" --tag "resapermis/$1" "${@:2}" . > /dev/null
}
# Debian without its documentation, with its Python, up to date: no compiler, and no address of this machine's mirror.
make_base() {
  mmdebstrap --quiet --variant=minbase --keyring="$KEYS" --aptopt="$work/apt.host" \
    --include=python3,python3-venv,ca-certificates,tzdata \
    --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --customize-hook='rm -f "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/* "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/resolv.conf' \
    --customize-hook="printf 'deb http://deb.debian.org/debian $SUITE main\ndeb http://deb.debian.org/debian $SUITE-updates main\ndeb http://deb.debian.org/debian-security $SUITE-security main\n' > \"\$1/etc/apt/sources.list\"" \
    "$SUITE" "$work/base.tar" "$work/sources"
  "$engine" import --change 'ENV LANG=C.UTF-8' --change 'CMD ["python3"]' "$work/base.tar" resapermis/base > /dev/null
  rm "$work/base.tar"
}

for name in "${wanted[@]}"; do
  since=$SECONDS
  case "$name" in
    base) make_base ;;
    postgres15 | postgres18 | nats | haproxy | prometheus) build "$name" --file "deploy/images/$name/Containerfile" ;;
    *) build "$name" --file deploy/Containerfile --build-arg "SERVICE=$name" ;;
  esac
  say "$(printf 'resapermis/%-18s %3d s' "$name" $((SECONDS - since)))"
done
