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
# One table for each codec that is there alone.
for features in bincode postcard prost zero_copy; do
    echo "a table with $features alone"
    cargo test --quiet -p messenger --no-default-features --features "$features" --test table_codec
done
# Handlers can't be made anew where a panic ends the program: then such a table is refused.
echo "a table that restarts handlers, where panics abort"
said=$(cargo rustc --quiet -p messenger-examples --example supervision -- -C panic=abort 2>&1) &&
    { echo "it was compiled"; exit 1; }
grep -q 'on_panic = restart(..)` needs unwinding' <<<"$said" || { echo "$said"; exit 1; }
