#!/usr/bin/env bash
# The code is formatted, and clippy has nothing to say of it with all features on.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo clippy --quiet --workspace --all-features --all-targets -- -D warnings
