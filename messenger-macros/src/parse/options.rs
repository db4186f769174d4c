//! A worker's options: `wait = block, on_panic = restart(3, per = Duration::from_secs(1))`.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, Ident, Token, parenthesized};

use crate::report::{Errors, list_of, nearest};

/// How a worker runs; what is not said has its default in the library.
#[derive(Default)]
pub(crate) struct Options {
    /// The variant of `WaitStrategy`, at the value's token.
    pub(crate) wait: Option<Ident>,
    pub(crate) pin: Option<Expr>,
    pub(crate) on_panic: Option<Panics>,
    /// The variant of `OnError`, at the value's token.
    pub(crate) on_error: Option<Ident>,
    pub(crate) spill: Option<Expr>,
    pub(crate) batch: Option<Expr>,
    pub(crate) pool: Option<Expr>,
}

/// What follows a handler's panic.
pub(crate) enum Panics {
    /// The variant of `OnPanic`, at the value's token.
    Simply(Ident),
    Restart {
        at: Span,
        times: Box<Expr>,
        per: Box<Expr>,
    },
}

const NAMES: [&str; 7] = [
    "wait", "pin", "on_panic", "on_error", "spill", "batch", "pool",
];
const WAITS: [(&str, &str); 4] = [
    ("spin", "Spin"),
    ("yield", "Yield"),
    ("block", "Block"),
    ("block_now", "BlockNow"),
];
const PANICS: [(&str, &str); 3] = [
    ("stop", "Stop"),
    ("stop_worker", "StopWorker"),
    ("restart", "Restart"),
];
const ERRORS: [(&str, &str); 2] = [("report", "Report"), ("stop", "Stop")];

impl Options {
    /// Reads the options, each by itself.
    pub(super) fn read(&mut self, tokens: TokenStream, errors: &mut Errors) {
        let mut seen = Vec::new();
        let all = |input: ParseStream<'_>| {
            while !input.is_empty() {
                if let Err(error) = self.option(input, &mut seen) {
                    errors.0.push(error);
                    while !input.is_empty() && !input.peek(Token![,]) {
                        input.parse::<proc_macro2::TokenTree>()?;
                    }
                }
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        };
        if let Err(error) = all.parse2(tokens) {
            errors.0.push(error);
        }
    }

    fn option(&mut self, input: ParseStream<'_>, seen: &mut Vec<Ident>) -> syn::Result<()> {
        let name = input.call(Ident::parse_any).map_err(|error| {
            syn::Error::new(
                error.span(),
                format!("an option is one of {}", list_of(NAMES)),
            )
        })?;
        let text = name.to_string();
        if !NAMES.contains(&text.as_str()) {
            return Err(no_such(&name, "option", "options", &NAMES));
        }
        let twice = seen.contains(&name);
        seen.push(name.clone());
        if twice {
            return Err(syn::Error::new(
                name.span(),
                format!("`{name}` stands twice: keep one"),
            ));
        }
        if !input.peek(Token![=]) {
            return Err(syn::Error::new(
                name.span(),
                format!("give it a value: `{name} = ..`"),
            ));
        }
        let equals: Token![=] = input.parse()?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(
                equals.span,
                format!("the value is missing: `{name} = ..`"),
            ));
        }
        match text.as_str() {
            "wait" => self.wait = Some(word(input, "way to wait", "ways", &WAITS)?),
            "pin" => self.pin = Some(input.parse()?),
            "on_panic" => self.on_panic = Some(panics(input)?),
            "on_error" => self.on_error = Some(word(input, "error policy", "policies", &ERRORS)?),
            "spill" => self.spill = Some(input.parse()?),
            "batch" => self.batch = Some(input.parse()?),
            _ => self.pool = Some(input.parse()?),
        }
        if input.is_empty() || input.peek(Token![,]) {
            Ok(())
        } else {
            Err(input.error("a `,` is missing before this"))
        }
    }
}

/// One of a few words, as the variant which it stands for.
fn word(
    input: ParseStream<'_>,
    what: &str,
    all: &str,
    words: &[(&str, &str)],
) -> syn::Result<Ident> {
    let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    let word = input.call(Ident::parse_any).map_err(|error| {
        syn::Error::new(error.span(), format!("the {all} are {}", list_of(&names)))
    })?;
    words
        .iter()
        .find(|(name, _)| word == *name)
        .map(|(_, variant)| Ident::new(variant, word.span()))
        .ok_or_else(|| no_such(&word, what, all, &names))
}

fn panics(input: ParseStream<'_>) -> syn::Result<Panics> {
    const SHAPE: &str =
        "say how often, and in what time: `restart(3, per = Duration::from_secs(1))`";
    let policy = word(input, "panic policy", "policies", &PANICS)?;
    if policy != "Restart" {
        return Ok(Panics::Simply(policy));
    }
    let at = policy.span();
    if !input.peek(syn::token::Paren) {
        return Err(syn::Error::new(at, SHAPE));
    }
    let content;
    parenthesized!(content in input);
    let limits = restart_limits(&content);
    content.parse::<TokenStream>()?;
    let (times, per) = limits.map_err(|()| syn::Error::new(at, SHAPE))?;
    Ok(Panics::Restart { at, times, per })
}

fn restart_limits(input: ParseStream<'_>) -> Result<(Box<Expr>, Box<Expr>), ()> {
    let times = input.parse().map_err(drop)?;
    input.parse::<Token![,]>().map_err(drop)?;
    if input.parse::<Ident>().map_err(drop)? != "per" {
        return Err(());
    }
    input.parse::<Token![=]>().map_err(drop)?;
    let per = input.parse().map_err(drop)?;
    input.parse::<Option<Token![,]>>().map_err(drop)?;
    if input.is_empty() {
        Ok((Box::new(times), Box::new(per)))
    } else {
        Err(())
    }
}

fn no_such(word: &Ident, what: &str, all: &str, names: &[&str]) -> syn::Error {
    let meant = nearest(&word.to_string(), names.iter().copied())
        .map(|near| format!(" (did you mean `{near}`?)"))
        .unwrap_or_default();
    syn::Error::new(
        word.span(),
        format!(
            "there is no {what} `{word}`{meant}; the {all} are {}",
            list_of(names)
        ),
    )
}
