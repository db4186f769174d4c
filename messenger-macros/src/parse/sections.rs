//! What follows the head of a table: its sections, and the workers with theirs.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseBuffer, ParseStream};
use syn::{Attribute, Ident, Token, braced, bracketed, parenthesized};

use super::{Options, Table, Worker, lines, next_token};
use crate::report::{Errors, nearest};

/// Reads the sections into `table`.
pub(super) fn read(
    input: ParseStream<'_>,
    table: &mut Table,
    errors: &mut Errors,
) -> syn::Result<()> {
    let mut sections = Sections {
        table,
        errors,
        outside: false,
        drop: false,
    };
    while !input.is_empty() {
        sections.section(input)?;
    }
    Ok(())
}

/// Reads what follows the head.
struct Sections<'a> {
    table: &'a mut Table,
    errors: &'a mut Errors,
    /// Whether these stood already.
    outside: bool,
    drop: bool,
}

impl Sections<'_> {
    fn section(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let attrs = input.call(Attribute::parse_outer)?;
        match Section::ahead(input) {
            Some(section @ (Section::Outside | Section::Drop)) => {
                let name = self.section_name(input, section)?;
                for attr in attrs.iter().filter(|attr| !attr.path().is_ident("doc")) {
                    self.errors
                        .at(attr, format_args!("`{section}` takes no attributes"));
                }
                let is_outside = section == Section::Outside;
                let seen = if is_outside {
                    &mut self.outside
                } else {
                    &mut self.drop
                };
                let twice = core::mem::replace(seen, true);
                self.twice(&name, twice);
                let Some(list) = self.list(input, &name)? else {
                    return Ok(());
                };
                self.table.whole &= if is_outside {
                    lines::outside(&list, &mut self.table.outside, self.errors)
                } else {
                    lines::dropped(&list, &mut self.table.dropped, self.errors)
                };
            }
            Some(_) => {
                let first: Ident = input.fork().call(Ident::parse_any)?;
                self.errors.at(
                    &first,
                    format_args!("`{first}` belongs to a worker: write `Name:` before it"),
                );
                self.strays(input)?;
            }
            None if input.peek(Ident) => {
                let name = input.parse()?;
                self.worker(attrs, name, input)?;
            }
            None => {
                self.lost(
                    input,
                    "here a worker begins, `Name:`, or `outside: [ .. ]`, or `drop: [ .. ]`",
                )?;
                self.strays(input)?;
            }
        }
        Ok(())
    }

    fn worker(
        &mut self,
        attrs: Vec<Attribute>,
        name: Ident,
        input: ParseStream<'_>,
    ) -> syn::Result<()> {
        let mut options = Options::default();
        let before = self.errors.0.len();
        if input.peek(syn::token::Paren) || is_list(input) && input.peek2(Token![:]) {
            let list: Group = input.parse()?;
            if list.delimiter() != Delimiter::Parenthesis {
                self.errors.at_span(
                    list.span_open(),
                    format_args!(
                        "the options of a worker stand in parentheses: `{name} (wait = block):`"
                    ),
                );
            }
            options.read(list.stream(), self.errors);
        }
        let has_colon = input.parse::<Option<Token![:]>>()?.is_some();
        let is_braced = input.peek(syn::token::Brace);
        let content;
        let input = if is_braced {
            braced!(content in input);
            self.errors.at(
                &name,
                format_args!(
                    "a worker stands without braces: `{name}: handlers: [ .. ] routes: [ .. ]`"
                ),
            );
            &content
        } else {
            if !has_colon {
                self.errors.at(
                    &name,
                    format_args!("a `:` is missing after the worker's name: `{name}:`"),
                );
                self.pass(input)?;
            }
            input
        };
        let mut worker = Worker {
            attrs,
            name,
            options,
            has_unnamed: false,
            handlers: Vec::new(),
            routes: Vec::new(),
        };
        let (mut handlers, mut routes) = (false, false);
        let mut readable = self.errors.0.len() == before;
        loop {
            let section = match Section::ahead(input) {
                Some(section @ (Section::Handlers | Section::Routes)) => section,
                None if !begins(input) => {
                    self.lost(input, &format!("here `{}` goes on with `handlers: [ .. ]` or `routes: [ .. ]`, or the next worker begins, `Name:`", worker.name))?;
                    readable = false;
                    continue;
                }
                _ => break,
            };
            let name = self.section_name(input, section)?;
            let is_handlers = section == Section::Handlers;
            let seen = if is_handlers {
                &mut handlers
            } else {
                &mut routes
            };
            let twice = core::mem::replace(seen, true);
            self.twice(&name, twice);
            let Some(list) = self.list(input, &name)? else {
                continue;
            };
            self.table.whole &= if is_handlers {
                lines::handlers(&list, &mut worker, self.errors)
            } else {
                lines::routes(&list, &mut worker.routes, self.errors)
            };
        }
        if is_braced {
            self.table.whole &= input.is_empty();
            input.parse::<TokenStream>()?;
        }
        // Where something could not be read, that may be what is missing.
        if readable {
            self.missing(&worker.name, handlers, routes);
        }
        self.table.whole &= handlers && routes;
        self.table.workers.push(worker);
        Ok(())
    }

    fn missing(&mut self, worker: &Ident, handlers: bool, routes: bool) {
        let text = match (handlers, routes) {
            (true, true) => return,
            (false, false) => format!(
                "worker `{worker}` has neither handlers nor routes: write `handlers: [ name: Type = constructor ]` and \
                 `routes: [ Source, Message: [name] ]`"
            ),
            (false, true) => format!(
                "worker `{worker}` has no handlers: write `handlers: [ name: Type = constructor ]`"
            ),
            (true, false) => format!(
                "worker `{worker}` has no routes: write `routes: [ Source, Message: [receivers] ]`, or `routes: []` if \
                 its handlers only send"
            ),
        };
        self.errors.at(worker, text);
    }

    /// `handlers` and `routes` without a worker: all of them are one mistake, which has been told.
    fn strays(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        self.table.whole = false;
        while let Some(section @ (Section::Handlers | Section::Routes)) = Section::ahead(input) {
            let name = self.section_name(input, section)?;
            if let Some(list) = self.list(input, &name)? {
                list.parse::<TokenStream>()?;
            }
        }
        Ok(())
    }

    /// Reads the name of a section, which may be misspelled.
    fn section_name(&mut self, input: ParseStream<'_>, section: Section) -> syn::Result<Ident> {
        let name = input.call(Ident::parse_any)?;
        if name != section.name() {
            self.errors.at(
                &name,
                format_args!(
                    "there is no section `{name}` (did you mean `{section}`?); a worker has `handlers` and `routes`, the \
                     table has `outside` and `drop`"
                ),
            );
        }
        Ok(name)
    }

    /// The list of a section, also where something else than a `:` stands before it, or its delimiters are others.
    fn list<'a>(
        &mut self,
        input: &ParseBuffer<'a>,
        section: &Ident,
    ) -> syn::Result<Option<ParseBuffer<'a>>> {
        let has_colon = input.parse::<Option<Token![:]>>()?.is_some();
        if !has_colon && is_list(input) {
            self.errors.at(
                section,
                format_args!("a `:` is missing: `{section}: [ .. ]`"),
            );
        } else if !is_list(input) {
            let found = next_token(input);
            let error = input.error(format_args!(
                "`{section}: [ .. ]` stands without this `{found}`"
            ));
            while !is_list(input) && (!input.peek(Ident) || *section == next_token(input)) {
                if input.parse::<TokenTree>().is_err() {
                    break;
                }
            }
            if is_list(input) {
                self.errors.0.push(error);
            }
        }
        let content;
        if input.peek(syn::token::Bracket) {
            bracketed!(content in input);
            return Ok(Some(content));
        }
        self.errors.at(
            section,
            format_args!("a list in brackets follows: `{section}: [ .. ]`"),
        );
        if input.peek(syn::token::Brace) {
            braced!(content in input);
        } else if input.peek(syn::token::Paren) {
            parenthesized!(content in input);
        } else {
            self.table.whole = false;
            return Ok(None);
        }
        Ok(Some(content))
    }

    fn twice(&mut self, section: &Ident, twice: bool) {
        if twice {
            self.errors.at(
                section,
                format_args!("`{section}` stands twice: put both lists into one"),
            );
        }
    }

    /// Says what could stand here, and goes on at what looks like a section or a worker.
    fn lost(&mut self, input: ParseStream<'_>, text: &str) -> syn::Result<()> {
        self.errors.0.push(input.error(text));
        self.table.whole = false;
        input.parse::<TokenTree>()?;
        self.pass(input)
    }

    /// Goes on at what looks like a section or a worker.
    fn pass(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        while !begins(input) {
            self.table.whole = false;
            input.parse::<TokenTree>()?;
        }
        Ok(())
    }
}

/// Whether a section or a worker is next, or nothing.
fn begins(input: ParseStream<'_>) -> bool {
    input.is_empty()
        || Section::ahead(input).is_some()
        || input.peek(Token![#])
        || input.peek(Ident)
            && (input.peek2(Token![:])
                || input.peek2(syn::token::Paren)
                || input.peek2(syn::token::Brace)
                || input.peek2(syn::token::Bracket) && input.peek3(Token![:]))
}

fn is_list(input: ParseStream<'_>) -> bool {
    input.peek(syn::token::Bracket)
        || input.peek(syn::token::Brace)
        || input.peek(syn::token::Paren)
}

/// The sections of a table and of its workers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Outside,
    Drop,
    Handlers,
    Routes,
}

impl Section {
    const ALL: [Self; 4] = [Self::Outside, Self::Drop, Self::Handlers, Self::Routes];

    fn name(self) -> &'static str {
        match self {
            Self::Outside => "outside",
            Self::Drop => "drop",
            Self::Handlers => "handlers",
            Self::Routes => "routes",
        }
    }

    /// Which section is next, also where its `:` is missing; a list that nobody knows is taken for the one
    /// whose name is nearest.
    fn ahead(input: ParseStream<'_>) -> Option<Self> {
        let ahead = input.fork();
        let name = ahead.call(Ident::parse_any).ok()?.to_string();
        if let Some(section) = Self::ALL.into_iter().find(|section| name == section.name()) {
            return Some(section);
        }
        let has_colon = ahead.parse::<Option<Token![:]>>().ok()?.is_some();
        // Options in brackets belong to a worker.
        if !ahead.peek(syn::token::Bracket) || !has_colon && ahead.peek2(Token![:]) {
            return None;
        }
        let near = nearest(&name, Self::ALL.map(Self::name)).unwrap_or("routes");
        Self::ALL.into_iter().find(|section| near == section.name())
    }
}

impl core::fmt::Display for Section {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}
