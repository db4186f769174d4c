#!/usr/bin/env bash
# The bus's tests under ThreadSanitizer and AddressSanitizer, which need a nightly toolchain.
#
#   ci/sanitizers.sh                 both
#   ci/sanitizers.sh thread          one of them
#   ci/sanitizers.sh address -- X    with arguments for the tests, such as a filter
#
# The standard library is taken as it is, not instrumented, so that no rust-src is needed. What
# ThreadSanitizer cannot see for that is listed, with reasons, in ci/tsan.suppressions.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! rustc +nightly --version >/dev/null 2>&1; then
    echo "sanitizers.sh: SKIPPED, nothing was checked: there is no nightly toolchain (rustup toolchain install nightly)"
    exit 0
fi
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
libs=$(rustc +nightly --print target-libdir)
target=${CARGO_TARGET_DIR:-target}
export RUST_BACKTRACE=0
export TSAN_OPTIONS="suppressions=$PWD/ci/tsan.suppressions allocator_may_return_null=1 ${TSAN_OPTIONS:-}"
export ASAN_OPTIONS="allocator_may_return_null=1 ${ASAN_OPTIONS:-}"

# under SANITIZER ARGUMENTS...: cargo test with that sanitizer.
under() {
    local sanitizer=$1 flags="-Zsanitizer=$1 -Cunsafe-allow-abi-mismatch=sanitizer"
    shift
    [[ $sanitizer == address ]] || flags+=" --cfg tsan"
    RUSTFLAGS=$flags CARGO_TARGET_DIR=$target/sanitizer-$sanitizer \
        cargo +nightly test -p messenger --target "$host" "$@"
}

# available SANITIZER: whether the toolchain has its runtime; says so if not.
available() {
    compgen -G "$libs/*${1:0:1}san*" >/dev/null && return
    echo "sanitizers.sh: SKIPPED $1: the nightly for $host has no runtime for it"
    return 1
}

sanitizers=()
while [[ $# -gt 0 && $1 != -- ]]; do
    sanitizers+=("$1")
    shift
done
[[ ${#sanitizers[@]} -gt 0 ]] || sanitizers=(thread address)
[[ ${1:-} == -- ]] && shift

for sanitizer in "${sanitizers[@]}"; do
    if [[ $sanitizer != thread && $sanitizer != address ]]; then
        echo "sanitizers.sh: no sanitizer \`$sanitizer\`: say thread or address" >&2
        exit 2
    fi
    available "$sanitizer" || continue
    echo "sanitizers.sh: $sanitizer, with $(rustc +nightly --version)"
    PROPTEST_CASES=64 under "$sanitizer" --no-fail-fast --lib \
        --test bus_stress --test bus_contract --test bus_properties --test bus_errors -- "$@"
    # The journal as a bus, in memory and in mapped files. Not under ThreadSanitizer: which segments there are stands in maps
    # behind std's mutexes, of which it does not see that they order anything, and so reports each look at them.
    [[ $sanitizer == address ]] || continue
    filter=("$@")
    [[ $# -gt 0 ]] || filter=(bus:: properties:: stress::)
    under "$sanitizer" --no-fail-fast --features journal --test journal -- "${filter[@]}"
    # The bus that processes share, whose children are this program again, and so are looked at, too: what is made of a file that is
    # damaged, or written meanwhile, and what is read as no member. Not what lives from time or from namespaces.
    [[ $# -gt 0 ]] || filter=(journal:: look:: meanwhile:: mutations:: names:: reader::)
    MESSENGER_SHARED_DAMAGES=1000 under "$sanitizer" --no-fail-fast --features shared --test shared -- "${filter[@]}"
done
