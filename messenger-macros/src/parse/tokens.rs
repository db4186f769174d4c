//! Tokens within a line, and the way from a line that can't be read to the next one.

use proc_macro2::{Spacing, Span, TokenStream, TokenTree};
use syn::parse::ParseStream;
use syn::{Attribute, Ident, Token, TypePath};

use super::next_token;
use crate::report::Errors;

/// The tokens of a type: up to what can't belong to the name of one.
pub(super) fn type_tokens(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let mut tokens = TokenStream::new();
    let mut open = 0_usize;
    // After a `-`, a `>` closes nothing.
    let mut arrow = false;
    while !input.is_empty() {
        let ends = input.peek(Token![,])
            || input.peek(Token![;])
            || input.peek(Token![=])
            || input.peek(Token![as])
            || (input.peek(Token![:]) && !input.peek(Token![::]))
            || input.peek(syn::token::Paren)
            || input.peek(syn::token::Bracket)
            || input.peek(syn::token::Brace)
            // Two names in a row: something between them is missing.
            || (!tokens.is_empty() && input.peek(Ident) && ends_in_name(&tokens));
        if ends && open == 0 {
            break;
        }
        if input.peek(Token![::]) {
            let colons: Token![::] = input.parse()?;
            quote::ToTokens::to_tokens(&colons, &mut tokens);
            continue;
        }
        let token: TokenTree = input.parse()?;
        if let TokenTree::Punct(punct) = &token {
            match punct.as_char() {
                '<' => open += 1,
                '>' if !arrow => open = open.saturating_sub(1),
                _ => {}
            }
        }
        arrow = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '-');
        tokens.extend([token]);
    }
    Ok(tokens)
}

fn ends_in_name(tokens: &TokenStream) -> bool {
    match tokens.clone().into_iter().last() {
        Some(TokenTree::Ident(_)) => true,
        Some(TokenTree::Punct(punct)) => {
            punct.as_char() == '>' && punct.spacing() == Spacing::Alone
        }
        _ => false,
    }
}

/// `tokens`, or where there are none the token at fault.
pub(super) fn or_next(tokens: TokenStream, input: ParseStream<'_>) -> TokenStream {
    if tokens.is_empty() {
        input.parse::<TokenTree>().map_or(tokens, Into::into)
    } else {
        tokens
    }
}

pub(super) fn path_type(tokens: TokenStream, what: &str) -> syn::Result<TypePath> {
    syn::parse2(tokens.clone()).map_err(|_| {
        syn::Error::new_spanned(
            tokens,
            format_args!("{what} is named by its type, such as `Ping` or `game::Ping`"),
        )
    })
}

pub(super) fn path_span(path: &TypePath) -> Span {
    syn::spanned::Spanned::span(path)
}

/// Reads comments before a line; other attributes have no meaning there.
pub(super) fn no_attributes(
    input: ParseStream<'_>,
    what: &str,
    errors: &mut Errors,
) -> syn::Result<()> {
    for attr in input.call(Attribute::parse_outer)? {
        if !attr.path().is_ident("doc") {
            errors.at(&attr, format_args!("{what} takes no attributes"));
        }
    }
    Ok(())
}

/// Reads the `,` after a line; `false` if what follows could not be read.
pub(super) fn separated(
    input: ParseStream<'_>,
    errors: &mut Errors,
    begins: impl Fn(ParseStream<'_>) -> bool,
) -> bool {
    if input.is_empty() || input.parse::<Token![,]>().is_ok() {
        return true;
    }
    if input.peek(Token![;]) {
        errors
            .0
            .push(input.error("between two lines stands a `,`, not a `;`"));
        skip(input);
        return true;
    }
    let found = next_token(input);
    errors
        .0
        .push(input.error(format_args!("a `,` is missing before `{found}`")));
    let next = begins(input);
    if !next {
        skip_to(input, begins);
    }
    next
}

/// Skips to where the next line begins: after a `,` or, as only routes end in one, after a list.
pub(super) fn skip_to(input: ParseStream<'_>, begins: impl Fn(ParseStream<'_>) -> bool) {
    while !input.is_empty() {
        let is_list = input.peek(syn::token::Bracket);
        let is_comma = input.peek(Token![,]);
        skip(input);
        if is_list && input.parse::<Token![,]>().is_ok() || is_comma && begins(input) {
            return;
        }
    }
}

/// Skips to the `,` before the next line.
pub(super) fn skip_before(input: ParseStream<'_>, begins: impl Fn(ParseStream<'_>) -> bool) {
    while !input.is_empty() {
        if input.peek(Token![,]) {
            let ahead = input.fork();
            skip(&ahead);
            if ahead.is_empty() || begins(&ahead) {
                return;
            }
        }
        skip(input);
    }
}

pub(super) fn skip(input: ParseStream<'_>) {
    // Fails at the end alone.
    input.parse::<TokenTree>().ok();
}

/// Takes the tokens up to the `=` before a constructor.
pub(super) fn up_to_value(input: ParseStream<'_>) -> TokenStream {
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![=]) && !input.peek(Token![,]) {
        match input.parse::<TokenTree>() {
            Ok(token) => tokens.extend([token]),
            Err(_) => break,
        }
    }
    tokens
}
