#!/usr/bin/env bash
# Opens and uses journals and shared buses whose files say anything, a minute each; `ci/fuzz.sh 3600` for an hour each. Seeds are made anew each time;
# what the fuzzer found interesting stays in fuzz/corpus. Needs cargo-fuzz and a nightly toolchain.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "fuzz.sh: SKIPPED, nothing was fuzzed: there is no cargo-fuzz (cargo install cargo-fuzz)"
    exit 0
fi
if ! rustc +nightly --version >/dev/null 2>&1; then
    echo "fuzz.sh: SKIPPED, nothing was fuzzed: there is no nightly toolchain (rustup toolchain install nightly)"
    exit 0
fi
cargo run --quiet --manifest-path fuzz/Cargo.toml --target-dir fuzz/target/seeds --bin seeds -- fuzz/corpus/journal_open
# The process keeps what it maps; and one input is a handful of small files.
cargo +nightly fuzz run journal_open -- -max_total_time="$seconds" -max_len=40000 -timeout=20 -rss_limit_mb=4096 -print_final_stats=1
ls fuzz/corpus/journal_open | wc -l | sed 's/$/ inputs in the corpus/'
mkdir -p fuzz/corpus/shared_open
cargo +nightly fuzz run shared_open -- -max_total_time="$seconds" -max_len=201 -timeout=20 -rss_limit_mb=4096 -print_final_stats=1
ls fuzz/corpus/shared_open | wc -l | sed 's/$/ inputs in the corpus/'
