//! What is wrong with the input, said at the user's own tokens.

use core::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// What is wrong with the input, each at its tokens.
#[derive(Default)]
pub(crate) struct Errors(pub(crate) Vec<syn::Error>);

impl Errors {
    pub(crate) fn at(&mut self, tokens: impl ToTokens, text: impl Display) {
        self.0.push(syn::Error::new_spanned(tokens, text));
    }

    pub(crate) fn at_span(&mut self, span: Span, text: impl Display) {
        self.0.push(syn::Error::new(span, text));
    }

    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0.iter().map(syn::Error::to_compile_error).collect()
    }
}

/// `tokens`, each shown at `span`: a caret lands there only if every token of a path does.
pub(crate) fn located(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            let there = span.resolved_at(token.span());
            token.set_span(there);
            token
        })
        .collect()
}

/// `` `a`, `b` `` for a text.
pub(crate) fn list_of<T: Display>(names: impl IntoIterator<Item = T>) -> String {
    names
        .into_iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Tokens as a person would write them.
pub(crate) fn text_of(tokens: &impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (spaced, close) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" ,", ","),
    ] {
        text = text.replace(spaced, close);
    }
    text
}

/// The one of `names` that `wrong` was probably meant to be.
pub(crate) fn nearest<'a>(
    wrong: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    names
        .into_iter()
        .map(|name| (distance(&wrong.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= wrong.len().max(name.len()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many characters must be put in, taken out, changed, or swapped with the next to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: [Vec<usize>; 3] = [Vec::new(), Vec::new(), (0..=b.len()).collect()];
    for (i, &from) in a.iter().enumerate() {
        rows.rotate_left(1);
        let mut row = vec![i + 1];
        for (j, &to) in b.iter().enumerate() {
            let mut least = (rows[1][j] + usize::from(from != to))
                .min(rows[1][j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && from == b[j - 1] && a[i - 1] == to {
                least = least.min(rows[0][j - 1] + 1);
            }
            row.push(least);
        }
        rows[2] = row;
    }
    rows[2][b.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn measures() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("pong", "pong"), 0);
        assert_eq!(distance("pnog", "pong"), 1);
        assert_eq!(distance("log", "logger"), 3);
    }

    #[test]
    fn finds_what_was_meant() {
        assert_eq!(nearest("pnog", ["ping", "pong"]), Some("pong"));
        assert_eq!(nearest("Ping", ["ping", "pong"]), Some("ping"));
        assert_eq!(nearest("database", ["ping", "pong"]), None);
        assert_eq!(nearest("x", ["ping"]), None);
    }
}
