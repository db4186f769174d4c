#!/usr/bin/env bash
# Counts the instructions that one record of 64 bytes costs in one thread, written, read, summed
# and checked, and compares them with ci/instructions.budget. Unlike times they repeat to the
# digit for one compiler, so they guard against a slower hot path. Needs valgrind.
#
#   ci/instructions.sh            compare
#   ci/instructions.sh --write    write the budget anew
set -euo pipefail
cd "$(dirname "$0")/.."

budget=ci/instructions.budget
slack_percent=3

if ! command -v valgrind >/dev/null; then
    echo "instructions.sh: SKIPPED, no instructions are counted: there is no valgrind (ci/tools.sh installs it)"
    exit 0
fi

binary=$(cargo bench --quiet -p messenger-benches --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*measure-[^"]*\)".*/\1/p' | tail -n 1)
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

# All instructions of a run over so many records.
run() {
    valgrind --tool=callgrind --callgrind-out-file="$scratch/out" \
        "$binary" count "$1" "$2" 2>"$scratch/log" ||
        { cat "$scratch/log"; exit 1; }
    sed -n 's/^summary: \([0-9]*\).*/\1/p; s/^totals: \([0-9]*\).*/\1/p' "$scratch/out" | tail -n 1
}

# What 25,600 records more cost, for one: start and end of the process cancel out.
per_record() {
    local few many
    few=$(run "$1" 25600)
    many=$(run "$1" 51200)
    awk -v a="$few" -v b="$many" 'BEGIN { printf "%.1f", (b - a) / 25600 }'
}

failed=0
: >"$scratch/new"
for who in "messenger shared" "messenger shared, one by one" "messenger shared, batches" \
    "messenger single" "messenger single, one by one" "messenger single, batches"; do
    now=$(per_record "$who")
    printf '%s\t%s\n' "$who" "$now" >>"$scratch/new"
    allowed=$(awk -F '\t' -v who="$who" '$1 == who { print $2 }' "$budget" 2>/dev/null || true)
    verdict="no budget"
    if [ -n "$allowed" ]; then
        verdict="budget $allowed"
        if awk -v n="$now" -v a="$allowed" -v s="$slack_percent" 'BEGIN { exit !(n > a * (1 + s / 100)) }'; then
            verdict="OVER the budget of $allowed by more than $slack_percent %"
            failed=1
        fi
    fi
    printf '%-32s %7s instructions per record (%s)\n' "$who" "$now" "$verdict"
done

if [ "${1:-}" = --write ]; then
    cp "$scratch/new" "$budget"
    exit 0
fi
exit "$failed"
