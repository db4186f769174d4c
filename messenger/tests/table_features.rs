//! What a table says when a feature is off. Run with the default features, which leave tokio out.

#![cfg(all(not(miri), feature = "bincode", not(feature = "tokio")))]

mod compiler;

#[test]
fn a_missing_feature_is_named() {
    compiler::tells("tests/ui_feature/table_*.rs");
}
