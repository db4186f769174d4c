#!/usr/bin/env bash
# The tests and three examples under Miri, which sees undefined behaviour and weak memory; needs a nightly toolchain with it.
# Elsewhere the same code, with all that stands under `cfg(miri)`, is run without it.
#
#   ci/miri.sh [SEEDS]    the bus's unit tests are also run under so many schedules; 16 unless given
set -euo pipefail
cd "$(dirname "$0")/.."
seeds=${1:-16}
examples=(serde_bincode zero_copy prost)
# Benchmarks measure time; the program is files, processes and terminals, and has no unsafe code.
without=(--exclude messenger-benches --exclude messenger-cli)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/miri

for cargo in "cargo" "cargo +nightly"; do
    $cargo miri --version >/dev/null 2>&1 || continue
    # Miri's own standard library; it needs rust-src.
    $cargo miri setup
    export MIRIFLAGS="${MIRIFLAGS:--Zmiri-strict-provenance}"
    $cargo miri test --workspace "${without[@]}" --all-features
    for example in "${examples[@]}"; do
        $cargo miri run -p messenger-examples --example "$example"
    done
    MIRIFLAGS="$MIRIFLAGS -Zmiri-many-seeds=0..$seeds" $cargo miri test -p messenger --lib bus::
    exit 0
done

echo "miri.sh: SKIPPED Miri, which is not in the toolchains here (rustup +nightly component add miri rust-src); the same code runs without it"
export RUSTFLAGS="--cfg miri -A explicit_builtin_cfgs_in_flags"
cargo test --quiet --workspace "${without[@]}" --all-features --lib --bins --tests
for example in "${examples[@]}"; do
    cargo run --quiet -p messenger-examples --example "$example"
done
