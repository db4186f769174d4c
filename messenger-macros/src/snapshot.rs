//! What the macros write, as a person reads it: each `NAME.in.rs` in `tests/expand/` expands to its `NAME.rs`.
//!
//! With `BLESS=1` the tests write what they got; read the difference before it is committed.

use std::path::Path;
use std::{env, fs};

use proc_macro2::TokenStream;

/// The input after a first line of comment, expanded by `expand`, is as expected.
fn compare(name: &str, expand: impl FnOnce(TokenStream) -> TokenStream) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expand");
    let input = fs::read_to_string(dir.join(format!("{name}.in.rs"))).unwrap();
    let tokens = expand(input.parse().unwrap());
    let got = prettyplease::unparse(&syn::parse2(tokens).unwrap());
    let expected = dir.join(format!("{name}.rs"));
    if env::var_os("BLESS").is_some() {
        fs::write(&expected, &got).unwrap();
    }
    let expected = fs::read_to_string(&expected).unwrap_or_default();
    assert!(
        got == expected,
        "`{name}` expands to other code; see it with `BLESS=1` and `git diff`:\n{got}"
    );
}

/// Outside of a crate there is no `$crate`: a name takes its place.
fn table(tokens: TokenStream) -> TokenStream {
    let krate: TokenStream = "messenger".parse().unwrap();
    crate::table(krate.into_iter().chain(tokens).collect())
}

fn handler(tokens: TokenStream) -> TokenStream {
    crate::handler::derive(&syn::parse2(tokens).unwrap())
}

#[test]
fn game() {
    compare("game", table);
}

#[test]
fn instances_and_options() {
    compare("instances_and_options", table);
}

#[cfg(feature = "tokio")]
#[test]
fn async_handlers() {
    compare("async_handlers", table);
}

#[test]
fn smallest() {
    compare("smallest", table);
}

#[test]
fn with_mistakes() {
    compare("with_mistakes", table);
}

#[test]
fn handler_that_sends() {
    compare("handler_that_sends", handler);
}

#[test]
fn handler_with_a_life() {
    compare("handler_with_a_life", handler);
}
