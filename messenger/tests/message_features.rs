//! What a derive says when its codec's feature is off. Run with the default features, which leave postcard out.

#![cfg(all(not(miri), not(feature = "postcard")))]

mod compiler;

#[test]
fn a_missing_feature_is_named() {
    compiler::tells("tests/ui_feature/message_*.rs");
}
