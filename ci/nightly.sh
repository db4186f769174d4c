#!/usr/bin/env bash
# What takes too long for each commit: 20,000 kills, 100,000 losses of power, 200,000 damaged journals, 50,000 kills at random moments on a bus that
# processes share, besides those at each fault point, 20,000 of members of a pool, and 500,000 damages to one, each night with seeds of its own; ten minutes
# of processes that come and go, and half an hour of fuzzing. How long the others stood still around the kills is a table in target/nightly/stalls.md.
#
#   ci/nightly.sh              seeds by the date
#   ci/nightly.sh SEED         from this one on, to see a failure again
set -euo pipefail
cd "$(dirname "$0")/.."

export MESSENGER_SEED=${1:-$(date -u +%Y%m%d0000)}
export MESSENGER_KILLS=${MESSENGER_KILLS:-20000}
export MESSENGER_POWER_SEEDS=${MESSENGER_POWER_SEEDS:-100000}
export MESSENGER_DAMAGES=${MESSENGER_DAMAGES:-200000}
export MESSENGER_SHARED_KILLS=${MESSENGER_SHARED_KILLS:-50000}
export MESSENGER_POOL_KILLS=${MESSENGER_POOL_KILLS:-5000}
export MESSENGER_SHARED_DAMAGES=${MESSENGER_SHARED_DAMAGES:-500000}
echo "nightly.sh: MESSENGER_SEED=$MESSENGER_SEED"
cargo test -p messenger --features journal,fault --test journal_crash -- --nocapture --test-threads=1
logs=${CARGO_TARGET_DIR:-target}/nightly
mkdir -p "$logs"
cargo test -p messenger --features shared,fault --test shared_kill -- --nocapture --test-threads=1 | tee "$logs/shared_kill.log"
# Each table has also what those before it have.
awk '/^\| the others/ { table = "" } /^\|/ { table = table $0 "\n" } END { printf "%s", table }' "$logs/shared_kill.log" >"$logs/stalls.md"
cargo test -p messenger --features shared,fault --test shared pool_kill -- --nocapture --test-threads=1
cargo test -p messenger --features shared --test shared mutations -- --nocapture
export MESSENGER_SOAK_SECONDS=${MESSENGER_SOAK_SECONDS:-600}
cargo test --release -p messenger --features shared --test shared soak -- --nocapture
ci/fuzz.sh "${FUZZ_SECONDS:-1800}"
