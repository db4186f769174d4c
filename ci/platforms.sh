#!/usr/bin/env bash
# The library and the program compile without a warning for Windows and macOS, where neither is run.
set -euo pipefail
cd "$(dirname "$0")/.."

for target in x86_64-pc-windows-gnu aarch64-apple-darwin; do
    # Nothing is linked, so Rust's standard library of that platform is all that it takes. Debian's packages have none for
    # macOS, and theirs for Windows fits their own compiler only.
    if ! rustup target add "$target" 2>&1; then
        echo "platforms.sh: SKIPPED, not compiled for $target: its standard library can't be had from rustup here"
        continue
    fi
    for features in "" journal; do
        echo "$target, features: ${features:-none}"
        RUSTFLAGS="-D warnings" cargo check --quiet --locked -p messenger --no-default-features --features "$features" --target "$target"
    done
    echo "$target, all features, and the program"
    RUSTFLAGS="-D warnings" cargo check --quiet --locked -p messenger -p messenger-cli --all-features --target "$target"
done
