#!/usr/bin/env bash
# The documentation builds without a warning, with all features and with none, and no page links to a file that is not there.
# (Its examples run with the tests: README.md, docs/ and rustdoc.)
set -euo pipefail
cd "$(dirname "$0")/.."
export RUSTDOCFLAGS="-D warnings"

cargo doc --quiet --no-deps --all-features -p messenger -p messenger-macros -p messenger-examples
cargo doc --quiet --no-deps --no-default-features -p messenger

broken=0
for page in $(git ls-files '*.md'); do
    for link in $(grep -oE '\]\([^)# ]+' "$page" | sed 's/^](//' | grep -v '^https:'); do
        [ -e "$(dirname "$page")/$link" ] && continue
        echo "$page: there is no $link"
        broken=1
    done
done
exit $broken
