#!/usr/bin/env bash
# The code is formatted, and clippy has nothing to say of it with all features on.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo clippy --quiet --workspace --all-features --all-targets -- -D warnings
# What is fuzzed is a workspace of its own, and would else be found broken only when somebody fuzzes.
cargo check --quiet --manifest-path fuzz/Cargo.toml --bins --target-dir "${CARGO_TARGET_DIR:-target}/fuzz-check"
