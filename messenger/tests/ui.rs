//! What the compiler says of a wrong table.
//!
//! Each file in `ui/` is a mistake, and the `.stderr` beside it is what its author reads, with all features on. After a
//! change of the texts, run `TRYBUILD=overwrite cargo test --all-features --test ui`, then read them as that author would.

#![cfg(all(
    not(miri),
    feature = "bincode",
    feature = "postcard",
    feature = "prost",
    feature = "tokio",
    feature = "zero_copy"
))]

mod compiler;

#[test]
fn mistakes_are_told_where_they_are() {
    compiler::tells("tests/ui/*.rs");
}
