//! What the macros write, as a person reads it: each `NAME.in.rs` in `tests/expand/` expands to its `NAME.rs`.
//!
//! With `BLESS=1` the tests write what they got; read the difference before it is committed.

use std::path::Path;
use std::{env, fs};

use proc_macro2::{Group, Punct, Spacing, TokenStream, TokenTree};

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

/// The tokens of `stream`, in groups too, are counted from 0; gives the stream with the one at `at` changed.
fn changed(stream: TokenStream, at: &mut usize, change: Change) -> TokenStream {
    let mut tokens: Vec<TokenTree> = Vec::new();
    for token in stream {
        let is_it = *at == 0;
        *at = at.wrapping_sub(1);
        match token {
            _ if is_it && change == Change::Gone => {}
            TokenTree::Group(group) => {
                let inside = changed(group.stream(), at, change);
                tokens.push(Group::new(group.delimiter(), inside).into());
            }
            token => {
                if is_it && change == Change::Twice {
                    tokens.push(token.clone());
                }
                tokens.push(token);
                if is_it && change == Change::WithComma {
                    tokens.push(Punct::new(',', Spacing::Alone).into());
                }
            }
        }
    }
    tokens.into_iter().collect()
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Change {
    Gone,
    Twice,
    WithComma,
}

/// Whatever is mistyped: no panic, and what comes out is always code, with errors in it or without.
#[test]
fn any_one_mistake_is_survived() {
    for name in ["game", "instances_and_options", "async_handlers"] {
        let path = format!("{}/tests/expand/{name}.in.rs", env!("CARGO_MANIFEST_DIR"));
        let table: TokenStream = fs::read_to_string(path).unwrap().parse().unwrap();
        for change in [Change::Gone, Change::Twice, Change::WithComma] {
            for at in 0.. {
                let mut left = at;
                let mistaken = changed(table.clone(), &mut left, change);
                // All tokens have had their turn.
                if left < usize::MAX / 2 {
                    break;
                }
                let code = self::table(mistaken.clone());
                if let Err(error) = syn::parse2::<syn::File>(code) {
                    panic!("{name}, token {at} {change:?}: {error}, from\n{mistaken}");
                }
            }
        }
    }
}
