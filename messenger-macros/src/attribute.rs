//! Options in an attribute: `name = value, other, list(..)`.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Expr, ExprCast, ExprLit, Ident, Lit, Path, Token};

/// One `name = value`.
pub(crate) struct Given {
    pub(crate) name: Ident,
    pub(crate) value: TokenStream,
}

impl Parse for Given {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = Ident::parse_any(input)?;
        if !input.peek(Token![=]) {
            return Err(syn::Error::new(
                name.span(),
                format!("give it a value: `{name} = ..`"),
            ));
        }
        let equals: Token![=] = input.parse()?;
        if input.is_empty() {
            return Err(syn::Error::new(
                equals.span(),
                format!("the value is missing: `{name} = ..`"),
            ));
        }
        Ok(Self {
            name,
            value: input.parse()?,
        })
    }
}

/// The options, split at their commas, so that a mistake in one hides none in another.
pub(crate) fn options(tokens: TokenStream) -> Vec<TokenStream> {
    let mut options = vec![TokenStream::new()];
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => options.push(TokenStream::new()),
            token => options.last_mut().expect("never empty").extend([token]),
        }
    }
    options.retain(|option| !option.is_empty());
    options
}

const IDS: &str = "an id is a number from 0 to 65535, or a variant of a `messenger_id_enum!`";

/// The id that an option gives.
pub(crate) fn id_in(value: TokenStream) -> syn::Result<Expr> {
    let read = |input: ParseStream<'_>| {
        let id = input.parse();
        let id = id.map_err(|_| syn::Error::new_spanned(&value, IDS))?;
        if input.is_empty() {
            self::id(id)
        } else {
            Err(input.error("a `,` is missing before this"))
        }
    };
    read.parse2(value.clone())
}

/// An id as its author wrote it. What is no number at first sight is told here: the compiler would speak of casts.
pub(crate) fn id(id: Expr) -> syn::Result<Expr> {
    match &id {
        Expr::Lit(ExprLit { lit, .. })
            if !matches!(lit, Lit::Int(_) | Lit::Byte(_) | Lit::Char(_)) =>
        {
            Err(syn::Error::new_spanned(lit, IDS))
        }
        _ => Ok(id),
    }
}

/// Where the messenger crate is.
pub(crate) fn krate(value: TokenStream) -> syn::Result<Path> {
    let path = Path::parse_mod_style.parse2(value.clone());
    path.map_err(|_| {
        syn::Error::new_spanned(
            value,
            "a crate is a path without quotes: `crate = ::messenger`",
        )
    })
}

/// An id as a number at `at`, whatever it is made of: where it needs parentheses before `as`, they come by themselves.
pub(crate) fn number(id: &Expr, at: Span) -> ExprCast {
    ExprCast {
        attrs: Vec::new(),
        expr: Box::new(id.clone()),
        as_token: Token![as](at),
        ty: Box::new(syn::parse_quote_spanned!(at=> ::core::primitive::i128)),
    }
}
