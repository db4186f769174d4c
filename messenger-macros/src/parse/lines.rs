//! The lines in the lists: handlers, routes, outside sources, dropped messages.

use syn::parse::ParseStream;
use syn::{Attribute, Ident, Token, TypePath, bracketed, parenthesized};

use super::tokens::{
    no_attributes, or_next, path_span, path_type, separated, skip, skip_before, skip_to,
    type_tokens, up_to_value,
};
use super::{Dropped, Handler, Route, Worker, next_token};
use crate::attribute::{self, Given};
use crate::report::{Errors, text_of};

/// Reads handlers; `false` if one is not fully known.
pub(super) fn handlers(input: ParseStream<'_>, into: &mut Worker, errors: &mut Errors) -> bool {
    let mut whole = true;
    while !input.is_empty() {
        let before = errors.0.len();
        match handler(input, errors) {
            Ok(mut handler) => {
                handler.is_faulty = errors.0.len() > before;
                whole &= !handler.is_faulty;
                into.handlers.push(handler);
                if !separated(input, errors, handler_begins) {
                    whole = false;
                    into.has_unnamed = true;
                }
            }
            Err(error) => {
                whole = false;
                into.has_unnamed = true;
                errors.0.push(error);
                skip_to(input, handler_begins);
            }
        }
    }
    whole
}

fn handler(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Handler> {
    const SHAPE: &str = "a handler stands as `name: Type = constructor`";
    let attrs = input.call(Attribute::parse_outer)?;
    let name: Ident = input
        .parse()
        .map_err(|error| syn::Error::new(error.span(), SHAPE))?;
    let mut handler = Handler {
        attrs,
        name,
        ty: None,
        is_async: None,
        mailbox: None,
        id: None,
        make: None,
        is_faulty: false,
    };
    if !input.peek(Token![:]) || input.peek(Token![::]) {
        // Its name is known all the same, and may stand in routes.
        errors.at(&handler.name, SHAPE);
        skip_before(input, handler_begins);
        return Ok(handler);
    }
    input.parse::<Token![:]>()?;
    handler.is_async = input.parse()?;
    if let Err(error) = type_and_id(input, &mut handler) {
        errors.0.push(error);
        up_to_value(input);
    }
    constructor(input, &mut handler, errors);
    Ok(handler)
}

/// `Type`, with `(mailbox = 64)` and `as Id` after it or without.
fn type_and_id(input: ParseStream<'_>, handler: &mut Handler) -> syn::Result<()> {
    let before = input.span();
    let ty = type_tokens(input)?;
    if ty.is_empty() {
        return Err(syn::Error::new(
            if input.is_empty() {
                handler.name.span()
            } else {
                before
            },
            format!(
                "the type of `{0}` is missing: `{0}: Type = constructor`",
                handler.name
            ),
        ));
    }
    handler.ty = Some(path_type(ty, "the type of a handler")?);
    if input.peek(syn::token::Paren) {
        let content;
        parenthesized!(content in input);
        handler.mailbox = Some(mailbox(&content, handler)?);
    }
    if input.peek(Token![as]) {
        let keyword: Token![as] = input.parse()?;
        let id = up_to_value(input);
        const WRONG: &str = "after `as` stands the id of this instance: `as Hid::Ping2`";
        if id.is_empty() {
            return Err(syn::Error::new(keyword.span, WRONG));
        }
        let id = syn::parse2(id).map_err(|error| syn::Error::new(error.span(), WRONG))?;
        handler.id = Some(attribute::id(id)?);
    }
    Ok(())
}

fn mailbox(input: ParseStream<'_>, handler: &Handler) -> syn::Result<syn::Expr> {
    let wrong = "in parentheses after the type stands `mailbox = N`, the mailbox of an async handler, in messages";
    let name = input.cursor().span();
    let given: Given = input
        .parse()
        .map_err(|error| syn::Error::new(error.span(), wrong))?;
    if given.name != "mailbox" {
        return Err(syn::Error::new(name, wrong));
    }
    if handler.is_async.is_none() {
        return Err(syn::Error::new(
            name,
            format!(
                "only an async handler has a mailbox: `{}: async Type (mailbox = ..)`",
                handler.name
            ),
        ));
    }
    syn::parse2(given.value)
}

fn constructor(input: ParseStream<'_>, handler: &mut Handler, errors: &mut Errors) {
    let name = &handler.name;
    let Ok(equals) = input.parse::<Token![=]>() else {
        if let Some(ty) = &handler.ty {
            errors.at(
                ty,
                format_args!(
                    "`{name}` has no constructor: add `= ` and an expression that gives a `{}`",
                    text_of(ty)
                ),
            );
        }
        if !(input.is_empty() || input.peek(Token![,]) || handler_begins(input)) {
            skip_before(input, handler_begins);
        }
        return;
    };
    if input.is_empty() || input.peek(Token![,]) {
        errors.at(
            equals,
            format_args!(
                "the constructor of `{name}` is missing: an expression that gives the handler"
            ),
        );
        return;
    }
    match input.parse() {
        Ok(make) => handler.make = Some(make),
        Err(error) => {
            errors.0.push(error);
            skip_before(input, handler_begins);
        }
    }
}

/// Reads routes; `false` if one could not be read.
pub(super) fn routes(input: ParseStream<'_>, into: &mut Vec<Route>, errors: &mut Errors) -> bool {
    let mut whole = true;
    while !input.is_empty() {
        match route(input, errors) {
            Ok(route) => {
                into.push(route);
                whole &= separated(input, errors, route_begins);
            }
            Err(error) => {
                whole = false;
                errors.0.push(error);
                skip_to(input, route_begins);
            }
        }
    }
    whole
}

fn route(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Route> {
    const SHAPE: &str = "a route stands as `Source, Message: [receivers]`";
    no_attributes(input, "a route", errors)?;
    let (source, message) = source_and_message(input, SHAPE)?;
    if !input.peek(Token![:]) {
        let found = next_token(input);
        return Err(input.error(format_args!(
            "a `:` and the receivers follow the message, not `{found}`: `{}, {}: [receivers]`",
            text_of(&source),
            text_of(&message)
        )));
    }
    input.parse::<Token![:]>()?;
    if !input.peek(syn::token::Bracket) {
        return Err(syn::Error::new(
            if input.is_empty() {
                path_span(&message)
            } else {
                input.span()
            },
            format!(
                "the receivers stand in brackets, also if there is only one: `{}, {}: [receiver]`",
                text_of(&source),
                text_of(&message)
            ),
        ));
    }
    let content;
    let brackets = bracketed!(content in input);
    let before = errors.0.len();
    let mut receivers = Vec::new();
    while !content.is_empty() {
        match content.parse::<Ident>() {
            Ok(name) if content.is_empty() || content.peek(Token![,]) => receivers.push(name),
            Ok(name) if content.peek(Ident) => {
                errors.at(&name, format_args!("a `,` is missing after `{name}`"));
                receivers.push(name);
                continue;
            }
            _ => {
                errors
                    .0
                    .push(content.error("a receiver is the name of a handler of this worker"));
                skip_to(&content, |_| true);
                continue;
            }
        }
        content.parse::<Option<Token![,]>>()?;
    }
    Ok(Route {
        source,
        message,
        receivers,
        brackets: (errors.0.len() == before).then(|| brackets.span.join()),
    })
}

/// Reads outside sources; `false` if one could not be read.
pub(super) fn outside(
    input: ParseStream<'_>,
    into: &mut Vec<TypePath>,
    errors: &mut Errors,
) -> bool {
    let mut whole = true;
    while !input.is_empty() {
        let source = no_attributes(input, "an outside source", errors)
            .and_then(|()| type_tokens(input))
            .and_then(|tokens| path_type(or_next(tokens, input), "an outside source"));
        match source {
            Ok(source) => {
                into.push(source);
                whole &= separated(input, errors, |input| input.peek(Ident));
            }
            Err(error) => {
                whole = false;
                errors.0.push(error);
                skip_to(input, |_| true);
            }
        }
    }
    whole
}

/// Reads dropped messages; `false` if one could not be read.
pub(super) fn dropped(
    input: ParseStream<'_>,
    into: &mut Vec<Dropped>,
    errors: &mut Errors,
) -> bool {
    const SHAPE: &str = "what is dropped stands as `Source, Message`, with a `;` before the next: \
                         `drop: [ Ping, Raw; Pong, Raw ]`";
    let mut whole = true;
    while !input.is_empty() {
        let entry = no_attributes(input, "a dropped message", errors)
            .and_then(|()| source_and_message(input, SHAPE));
        match entry {
            Ok((source, message)) => into.push(Dropped { source, message }),
            Err(error) => {
                whole = false;
                errors.0.push(error);
                while !input.is_empty() && !input.peek(Token![;]) {
                    skip(input);
                }
            }
        }
        if !input.is_empty() && input.parse::<Token![;]>().is_err() {
            errors.0.push(input.error(SHAPE));
            input.parse::<Token![,]>().ok();
        }
    }
    whole
}

fn source_and_message(input: ParseStream<'_>, shape: &str) -> syn::Result<(TypePath, TypePath)> {
    let source = type_tokens(input)?;
    if source.is_empty() {
        return Err(input.error(shape));
    }
    let source = path_type(source, "a source")?;
    if !input.peek(Token![,]) {
        let end = if input.is_empty() {
            path_span(&source)
        } else {
            input.span()
        };
        return Err(syn::Error::new(
            end,
            format!(
                "a `,` and the message follow `{}`: {shape}",
                text_of(&source)
            ),
        ));
    }
    let comma: Token![,] = input.parse()?;
    let message = type_tokens(input)?;
    if message.is_empty() {
        return Err(syn::Error::new(
            comma.span,
            format!("the message is missing: {shape}"),
        ));
    }
    Ok((source, path_type(message, "a message")?))
}

fn handler_begins(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    ahead.call(Attribute::parse_outer).is_ok()
        && ahead.parse::<Ident>().is_ok()
        && ahead.peek(Token![:])
        && !ahead.peek(Token![::])
}

fn route_begins(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    ahead.call(Attribute::parse_outer).is_ok()
        && source_and_message(&ahead, "").is_ok()
        && (ahead.peek(Token![:]) || ahead.peek(Token![=]))
}
