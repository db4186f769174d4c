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

sanitizers=()
while [[ $# -gt 0 && $1 != -- ]]; do
    sanitizers+=("$1")
    shift
done
[[ ${#sanitizers[@]} -gt 0 ]] || sanitizers=(thread address)
[[ ${1:-} == -- ]] && shift

if ! rustc +nightly --version >/dev/null 2>&1; then
    echo "sanitizers.sh: SKIPPED, nothing was checked: there is no nightly toolchain (rustup toolchain install nightly)"
    exit 0
fi
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
libs=$(rustc +nightly --print target-libdir)

for sanitizer in "${sanitizers[@]}"; do
    case $sanitizer in
    thread) runtime=tsan extra="--cfg tsan" ;;
    address) runtime=asan extra="" ;;
    *)
        echo "sanitizers.sh: no sanitizer \`$sanitizer\`: say thread or address" >&2
        exit 2
        ;;
    esac
    if ! compgen -G "$libs/*$runtime*" >/dev/null; then
        echo "sanitizers.sh: SKIPPED $sanitizer: the nightly for $host has no runtime for it"
        continue
    fi
    echo "sanitizers.sh: $sanitizer, with $(rustc +nightly --version)"
    RUSTFLAGS="-Zsanitizer=$sanitizer -Cunsafe-allow-abi-mismatch=sanitizer $extra" \
        CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/sanitizer-$sanitizer" \
        TSAN_OPTIONS="suppressions=$PWD/ci/tsan.suppressions allocator_may_return_null=1 ${TSAN_OPTIONS:-}" \
        ASAN_OPTIONS="allocator_may_return_null=1 ${ASAN_OPTIONS:-}" \
        cargo +nightly test --no-fail-fast -p messenger --target "$host" --lib \
        --test bus_stress --test bus_contract --test bus_properties --test bus_errors -- "$@"
done
