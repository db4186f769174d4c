//! What the derives write, beside what a person would have written: `expanded/*.rs`.
//!
//! After a change that is meant, run with `EXPAND=overwrite` and read what changed.

use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;

/// Compares the input and what a derive makes of it with `expanded/NAME.rs`.
fn check(name: &str, derive: fn(syn::DeriveInput) -> TokenStream, input: &TokenStream) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/message/expanded/{name}.rs"));
    let output = with_the_codec(derive(syn::parse2(input.clone()).expect("an item")));
    syn::parse2::<syn::File>(output.clone()).expect("items");
    if std::env::var_os("EXPAND").is_some_and(|it| it == "overwrite") {
        std::fs::write(&path, format!("{input}\n\n{output}\n")).expect("written");
        let formatted = std::process::Command::new("rustfmt")
            .args(["--edition", "2024"])
            .arg(&path)
            .status();
        assert!(formatted.is_ok_and(|it| it.success()), "rustfmt");
    }
    let text = std::fs::read_to_string(&path).expect("the expected expansion");
    let expected: TokenStream = text.parse().expect("tokens");
    assert_eq!(
        flat(&quote!(#input #output)),
        flat(&expected),
        "{}",
        path.display()
    );
}

/// What is left of `with_codec! { { code } { stand-in } }` where the codec's feature is on.
fn with_the_codec(output: TokenStream) -> TokenStream {
    let Some(TokenTree::Group(both)) = output.into_iter().last() else {
        panic!("no group at the end");
    };
    let Some(TokenTree::Group(code)) = both.stream().into_iter().next() else {
        panic!("no code in the group");
    };
    code.stream()
}

/// The tokens one by one, without what rustfmt adds.
fn flat(tokens: &TokenStream) -> Vec<String> {
    let mut all = Vec::new();
    for token in tokens.clone() {
        match token {
            TokenTree::Group(group) => {
                all.push(format!("{:?}", group.delimiter()));
                all.extend(flat(&group.stream()));
                if all.last().is_some_and(|it| it == ",") {
                    all.pop();
                }
                all.push("end".into());
            }
            token => all.push(token.to_string()),
        }
    }
    all
}

#[test]
fn owned() {
    check(
        "owned",
        super::derive_message,
        &quote! {
            #[message(id = Mid::Ball, codec = bincode)]
            struct Ball {
                n: u8,
            }
        },
    );
}

#[test]
fn borrowed() {
    check(
        "borrowed",
        super::derive_message,
        &quote! {
            #[message(id = 2, codec = postcard, name = "Remark", crate = crate::bus)]
            pub struct Note<'a> {
                text: &'a str,
            }
        },
    );
}

#[test]
fn zero_copy() {
    check(
        "zero_copy",
        super::derive_message,
        &quote! {
            #[message(id = Mid::Quote, codec = zero_copy)]
            #[repr(C)]
            struct Quote {
                price: u64,
                sides: [Side; 2],
                pad: [u8; 6],
            }
        },
    );
}

#[test]
fn tail() {
    check(
        "tail",
        super::derive_message,
        &quote! {
            #[message(id = Mid::Book, codec = zero_copy)]
            struct Book<'a> {
                head: &'a Quote,
                levels: &'a [Level],
            }
        },
    );
}

#[test]
fn plain_enum() {
    check(
        "plain_enum",
        super::derive_plain,
        &quote! {
            #[repr(u8)]
            enum Side {
                Buy = 1,
                Sell = 2,
            }
        },
    );
}
