#!/usr/bin/env bash
# Fetches the tools of the other checks that are not there yet: cargo-deny, valgrind.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v cargo-deny >/dev/null || cargo install --quiet --locked cargo-deny@0.20.2 ||
    echo "tools.sh: SKIPPED cargo-deny: it is not here and can't be had, so dependencies won't be checked"
command -v valgrind >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -qq --no-install-recommends valgrind && exit 0
fi
echo "tools.sh: SKIPPED valgrind: it is not here and can't be had from apt, so instructions won't be counted"
