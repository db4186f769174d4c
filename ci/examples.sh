#!/usr/bin/env bash
# Each example asserts its result and ends by itself, also when it is optimised. (Without that the tests run them, examples/tests/run.rs.)
set -euo pipefail
cd "$(dirname "$0")/.."

# First of all, so that what is timed is only how long they run.
cargo build --quiet --release -p messenger-examples --examples
for example in $(sed -n '/^\[\[example\]\]/{n;s/name = "\(.*\)"/\1/p}' examples/Cargo.toml); do
    echo "== $example"
    timeout 300 cargo run --quiet --release -p messenger-examples --example "$example"
done
