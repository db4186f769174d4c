//! What a derive says when its codec's feature is off. Run with the default features, which leave postcard out.

#![cfg(all(not(miri), not(feature = "postcard")))]

#[test]
fn a_missing_feature_is_named() {
    trybuild::TestCases::new().compile_fail("tests/ui_feature/message_*.rs");
}
