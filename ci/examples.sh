#!/usr/bin/env bash
# Each example asserts its result and ends by itself, without optimisation and with. (The tests run them too, all features on.)
set -euo pipefail
cd "$(dirname "$0")/.."

for example in $(sed -n '/^\[\[example\]\]/{n;s/name = "\(.*\)"/\1/p}' examples/Cargo.toml); do
    echo "== $example"
    timeout 120 cargo run --quiet -p messenger-examples --example "$example"
    timeout 300 cargo run --quiet --release -p messenger-examples --example "$example"
done
