#!/usr/bin/env bash
# With its default features the crate depends on few others: their number, all of them counted, has a limit.
set -euo pipefail
cd "$(dirname "$0")/.."
limit=16

tree=$(cargo tree --quiet --locked -e normal -p messenger --prefix none --format '{p}' --target "$(rustc -vV | sed -n 's/^host: //p')")
crates=$(sed 's/ (\*)$//; s/ (proc-macro)//' <<<"$tree" | sort -u | grep -cv '^messenger')
echo "$crates crates, the limit is $limit"
[ "$crates" -le "$limit" ]
