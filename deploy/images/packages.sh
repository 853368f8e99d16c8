#!/bin/sh
# In a build step: install these packages of Debian, and leave nothing behind but them. What the machine's apt is told of
# proxies, mirrors and authorities comes as secrets of that step alone (tools/images.sh).
set -eu
export DEBIAN_FRONTEND=noninteractive
if [ -r /run/secrets/apt ]; then export APT_CONFIG=/run/secrets/apt; fi
apt() {
  if [ -r /run/secrets/sources ]; then
    apt-get -qq -o Dir::Etc::SourceList=/run/secrets/sources -o Dir::Etc::SourceParts=/dev/null "$@"
  else
    apt-get -qq "$@"
  fi
}
apt update
# A build that the machine's end cuts off is begun again: what dpkg writes need not be on the disk at once.
apt -y --no-install-recommends -o DPkg::Options::=--force-unsafe-io install "$@" > /tmp/apt.log 2>&1 || { cat /tmp/apt.log; exit 1; }
rm -rf /tmp/apt.log /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
