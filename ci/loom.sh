#!/usr/bin/env bash
# The loom models of the bus's protocol.
#
#   ci/loom.sh                 all models
#   ci/loom.sh --mutants       and then each ordering and fence of messenger/src/bus/order.rs is weakened in turn, and the
#                              model that is named beside it there must fail
#   ci/loom.sh --mutants all   the same with all models for each, which takes long: says which of them fail
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom"
export LOOM_LOG=off RUST_BACKTRACE=0
run=(cargo test --quiet --release -p messenger --lib --no-default-features)

"${run[@]}"
[ "${1:-}" = --mutants ] || exit 0

# Each ordering with what stands beside it: the model, or `reason`.
orderings=$(awk '
    match($0, /\/\/\/ Model: `[a-z_:]+`/) { shown = substr($0, RSTART + 12, RLENGTH - 13) }
    /\/\/\/ By reason\./ { shown = "reason" }
    /^    [a-z_]+( = [A-Za-z_(), ]+)?;$/ { sub(/;$/, "", $1); print $1, (shown == "" ? "nothing" : shown); shown = "" }
' messenger/src/bus/order.rs)

killed=0 by_reason=0 wrong=0
while read -r mutant shown; do
    filter=("bus::models::$shown" -- --exact)
    [[ ${2:-} == all || $shown == nothing ]] && filter=()
    if [[ $shown == reason && ${#filter[@]} -gt 0 ]]; then
        by_reason=$((by_reason + 1))
    elif output=$(MUTANT=$mutant timeout 90 "${run[@]}" "${filter[@]}" 2>&1 </dev/null); then
        if [[ $shown == reason ]]; then
            by_reason=$((by_reason + 1))
        else
            echo "survived: $mutant, beside which stands: $shown"
            wrong=$((wrong + 1))
        fi
    else
        killed=$((killed + 1))
        models=$(grep -oE "bus::models::[a-z_:]+" <<<"$output" | sed 's/^bus::models:://; s/:*$//' | sort -u | tr '\n' ' ' || true)
        echo "killed: $mutant, by ${models:-a run that found no end in 90 s}"
        if [[ $shown == reason || $shown == nothing ]]; then
            echo "  and no model stands beside it in order.rs"
            wrong=$((wrong + 1))
        fi
    fi
done <<<"$orderings"
echo "$killed mutants killed, $by_reason stand by reason (docs/bus.md), $wrong are not as order.rs says"
[ "$wrong" -eq 0 ]
