#!/bin/sh
# What the macros cost: the time of `cargo check` for a table of 1000 routes of 64 messages over 8 workers, which is to be 4 s at the
# most; and that of `cargo build --example serde_bincode` with nothing built before, which is to be 60 s on two cores.
#
#   ci/compile-cost.sh [FACTOR]    fails above so many times that; 2 unless given, for machines that are slow or busy
set -eu

factor=${1:-2}
limit=$((4 * factor))
whole=$((60 * factor))
root=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/src"

cat > "$dir/Cargo.toml" <<TOML
[package]
name = "big-table"
version = "0.0.0"
edition = "2024"

[dependencies]
messenger = { path = "$root/messenger", default-features = false, features = ["bincode"] }
serde = { version = "1", features = ["derive"] }

[workspace]
TOML
cp "$root/Cargo.lock" "$dir/"

# 1000 routes: 8 workers with 125 each. 64 sources send 16 messages each; worker w hears the sources 8w..8w+8, except
# for 3 of their 128 pairs, which are dropped.
awk 'BEGIN {
    messages = 64; sources = 64; workers = 8
    print "use messenger::{Handle, Handler, Message, Outbox, Result, messenger};"
    print "use serde::{Deserialize, Serialize};"
    for (m = 0; m < messages; m++) {
        printf "#[derive(Message, Serialize, Deserialize)]\n"
        printf "#[message(id = %d, codec = bincode)]\n", m
        printf "pub struct M%d { pub a: u64, pub b: String }\n", m
    }
    for (s = 0; s < sources; s++) {
        printf "#[derive(Handler)]\n#[handler(id = %d, sends(", s
        for (i = 0; i < 16; i++) printf "M%d, ", (s + i) % messages
        printf "))]\npub struct H%d;\n", s
    }
    for (w = 0; w < workers; w++)
        for (m = 0; m < messages; m++) {
            printf "impl Handle<M%d> for H%d {\n", m, w * 8
            printf "    fn handle(&mut self, _: &M%d, _: &mut Outbox<%c_, Self>) -> Result { Ok(()) }\n}\n", m, 39
        }
    print "messenger! {\n    pub Big;"
    dropped = ""
    for (w = 0; w < workers; w++) {
        printf "    W%d:\n        handlers: [ ", w
        for (s = w * 8; s < w * 8 + 8; s++) printf "h%d: H%d = H%d, ", s, s, s
        printf "]\n        routes: [\n"
        routes = 0
        for (s = w * 8; s < w * 8 + 8; s++)
            for (i = 0; i < 16; i++)
                if (routes < 125) {
                    printf "            H%d, M%d: [h%d],\n", s, (s + i) % messages, w * 8
                    routes++
                } else dropped = dropped sprintf("H%d, M%d; ", s, (s + i) % messages)
        printf "        ]\n"
    }
    printf "    drop: [ %s]\n}\n", dropped
}' > "$dir/src/lib.rs"
grep -c ': \[h' "$dir/src/lib.rs" | sed 's/$/ routes/'

# From scratch each time: what is measured is not how well the compiler remembers.
export CARGO_INCREMENTAL=0 CARGO_TARGET_DIR="$root/target/compile-cost"
cd "$dir"
cargo check --quiet
best=
for _ in 1 2 3; do
    touch src/lib.rs
    begun=$(date +%s%N)
    cargo check --quiet
    took=$((($(date +%s%N) - begun) / 1000000))
    if [ -z "$best" ] || [ "$took" -lt "$best" ]; then best=$took; fi
done
echo "cargo check took $best ms (the best of 3), to be 4 s, at most $limit; $(rustc --version), $(nproc) cores"
[ "$best" -le "$((limit * 1000))" ]

# What has to be fetched is, before the clock runs.
cd "$root"
cargo fetch --quiet
CARGO_TARGET_DIR="$dir/target"
begun=$(date +%s%N)
cargo build --quiet --example serde_bincode
took=$((($(date +%s%N) - begun) / 1000000))
echo "cargo build --example serde_bincode from nothing took $took ms, to be 60 s, at most $whole"
[ "$took" -le "$((whole * 1000))" ]
