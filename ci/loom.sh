#!/usr/bin/env bash
# The loom models of the bus's protocol. With --mutants: also weakens each ordering and fence of
# messenger/src/bus/order.rs in turn, and expects a model to fail.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom"
export LOOM_LOG=off RUST_BACKTRACE=0
run=(cargo test --quiet --release -p messenger --lib --no-default-features)

"${run[@]}"
[ "${1:-}" = --mutants ] || exit 0

order=messenger/src/bus/order.rs
mutants=$(sed -nE 's/^    ([a-z_]+)( = (Acquire|Release))?;$/\1/p' "$order")
# Loom's fences are stronger than the language's, which hides these; docs/bus.md gives the reasons
# why they are needed all the same (edges 5, 12 and 15).
by_reason=" floor_store floor_load announce_store announce_load tail_load "
survivors=0 killed=0
for mutant in $mutants; do
  if output=$(MUTANT=$mutant timeout 90 "${run[@]}" 2>&1); then
    if [[ $by_reason == *" $mutant "* ]]; then echo "by reason only: $mutant"; continue; fi
    echo "survived: $mutant"
    survivors=$((survivors + 1))
  else
    models=$(grep -oE '^test bus::models::[a-z_:]+ \.\.\. FAILED|^    bus::models::[a-z_:]+$' <<<"$output" | grep -oE 'models::[a-z_:]+' | sort -u | sed 's/models:://' | tr '\n' ' ' || true)
    [ -n "$models" ] || models=$(grep -oE "thread 'bus::models::[a-z_:]+" <<<"$output" | sed "s/.*models:://" | sort -u | tr '\n' ' ' || true)
    [ -n "$models" ] || models="a run that found no end in 90 s"
    echo "killed: $mutant, by ${models}"
    killed=$((killed + 1))
  fi
done
echo "$killed mutants killed, $survivors survived"
[ "$survivors" -eq 0 ]
