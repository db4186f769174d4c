#!/usr/bin/env bash
# All of it but the benchmarks compiles with the oldest Rust that it claims to need, `rust-version` in Cargo.toml: with
# rustup's toolchain of that version, else with Debian 13's, which is 1.85 (its packages are unpacked below target/).
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
check=(cargo check --workspace --exclude messenger-benches --all-features --all-targets)
dir=${CARGO_TARGET_DIR:-target}/msrv
mkdir -p "$dir"
export RUSTUP_AUTO_INSTALL=0

if rustup run "$version" rustc --version 2>/dev/null; then
    CARGO_TARGET_DIR=$dir rustup run "$version" "${check[@]}" --locked
    exit 0
fi

# A Debian 13 with its own cargo, from apt. It needs root, for chroot.
debian() {
    local root=$dir/debian
    chroot "$root" true 2>/dev/null && return
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return
    command -v debootstrap >/dev/null ||
        { apt-get update -qq && apt-get install -qq --no-install-recommends debootstrap; } || return
    rm -rf "$root"
    debootstrap --variant=minbase --include=cargo,rustc,gcc,libc6-dev trixie "$root"
}
if ! debian >"$dir.log" 2>&1 || ! chroot "$dir/debian" rustc --version | grep -F "rustc $version."; then
    echo "msrv.sh: SKIPPED, not compiled with Rust $version: rustup has no such toolchain, and Debian 13's can't be had here"
    exit 0
fi
cargo fetch --quiet --locked
rm -rf "$dir/debian/"{cargo,messenger}
mkdir -p "$dir/debian/"{cargo/registry,messenger}
cp -r "${CARGO_HOME:-$HOME/.cargo}"/registry/{cache,index} "$dir/debian/cargo/registry/"
git ls-files -z | tar --null --files-from=- -c | tar -x -C "$dir/debian/messenger"
chroot "$dir/debian" env --chdir=/messenger CARGO_HOME=/cargo CARGO_TARGET_DIR=/target "${check[@]}" --offline --locked
