#!/usr/bin/env bash
# Each feature can be had without the others: none, each alone, the default, all together but no default.
set -euo pipefail
cd "$(dirname "$0")/.."

for features in "" bincode postcard prost zero_copy tokio tracing svg journal shared fault bincode,zero_copy; do
    echo "features: ${features:-none}"
    cargo clippy --quiet -p messenger --all-targets --no-default-features --features "$features" -- -D warnings
done
# What is tested without features: the bus alone. And what is only there while a feature is off.
cargo test --quiet -p messenger --no-default-features --lib --test bus_contract
cargo test --quiet -p messenger --test message_features
