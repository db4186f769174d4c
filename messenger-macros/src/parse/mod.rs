//! From tokens to the table as it is written, line by line: a mistake in one line hides none in another.

mod lines;
mod options;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseBuffer, ParseStream, Parser};
use syn::{Attribute, Expr, Ident, Token, Type, TypePath, Visibility, parenthesized};

use crate::report::{Errors, nearest};
pub(crate) use options::{Options, Panics};

/// A table as it is written.
pub(crate) struct Table {
    /// Where the messenger crate is: the tokens of `$crate`.
    pub(crate) krate: TokenStream,
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
    pub(crate) config: Option<Config>,
    pub(crate) outside: Vec<TypePath>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) dropped: Vec<Dropped>,
    /// Whether each line could be read; of a table with gaps less can be said.
    pub(crate) whole: bool,
}

/// `config: Config`
pub(crate) struct Config {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
}

/// `Court (wait = block): handlers: [..] routes: [..]`
pub(crate) struct Worker {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) name: Ident,
    pub(crate) options: Options,
    pub(crate) handlers: Vec<Handler>,
    pub(crate) routes: Vec<Route>,
}

/// `ping: Ping = Ping { last: 3 }`
pub(crate) struct Handler {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) name: Ident,
    /// `None` where it could not be read; so with the others.
    pub(crate) ty: Option<TypePath>,
    pub(crate) is_async: Option<Token![async]>,
    pub(crate) mailbox: Option<Expr>,
    pub(crate) id: Option<Expr>,
    pub(crate) make: Option<Expr>,
}

/// `Ping, Ball: [pong]`
pub(crate) struct Route {
    pub(crate) source: TypePath,
    pub(crate) message: TypePath,
    pub(crate) receivers: Vec<Ident>,
    /// Where their list stands.
    pub(crate) brackets: Span,
}

/// `Pong, Raw`
pub(crate) struct Dropped {
    pub(crate) source: TypePath,
    pub(crate) message: TypePath,
}

/// Reads `$crate` and a table; `None` if not even its name is there.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Option<Table> {
    let read = |input: ParseStream<'_>| {
        let table = table(input, errors);
        // Whatever a mistake left unread is not another one.
        input.parse::<TokenStream>()?;
        table
    };
    match read.parse2(tokens) {
        Ok(table) => Some(table),
        Err(error) => {
            errors.0.push(error);
            None
        }
    }
}

fn table(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Table> {
    let krate: TokenTree = input.parse()?;
    let attrs = input.call(Attribute::parse_outer)?;
    let vis = input.parse()?;
    let name: Ident = input.parse().map_err(|error| {
        syn::Error::new(
            error.span(),
            "a table begins with its name: `pub Game;`, or `pub Game(config: Config);`",
        )
    })?;
    let mut table = Table {
        krate: krate.into(),
        attrs,
        vis,
        name,
        config: None,
        outside: Vec::new(),
        workers: Vec::new(),
        dropped: Vec::new(),
        whole: true,
    };
    if input.peek(syn::token::Paren) {
        let content;
        parenthesized!(content in input);
        if !content.is_empty() {
            match config(&content) {
                Ok(config) => table.config = Some(config),
                Err(error) => {
                    errors.0.push(error);
                    table.whole = false;
                }
            }
        }
        content.parse::<TokenStream>()?;
    }
    if input.peek(Token![;]) {
        input.parse::<Token![;]>()?;
    } else if input.peek(Token![:]) {
        return Err(syn::Error::new(
            table.name.span(),
            format!(
                "a table begins with its name, before its first section: `pub Game;`, then `{}:`",
                table.name
            ),
        ));
    } else {
        errors.at(
            &table.name,
            format_args!(
                "a `;` is missing after the head of the table: `pub {};`",
                table.name
            ),
        );
    }
    let mut sections = Sections {
        table: &mut table,
        errors,
        outside: false,
        drop: false,
    };
    while !input.is_empty() {
        sections.section(input)?;
    }
    Ok(table)
}

fn config(input: ParseStream<'_>) -> syn::Result<Config> {
    let shape =
        "what the constructors are given stands as `(name: Type)`, such as `(config: Config)`";
    let wrong = |error: syn::Error| syn::Error::new(error.span(), shape);
    let name = input.parse().map_err(wrong)?;
    input.parse::<Token![:]>().map_err(wrong)?;
    let ty = input.parse()?;
    if input.is_empty() {
        Ok(Config { name, ty })
    } else {
        Err(input
            .error("the constructors are given one value: put what else they need into its type"))
    }
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
            Some(_) => self.strays(input)?,
            None if input.peek(Ident) => {
                let name = input.parse()?;
                self.worker(attrs, name, input)?;
            }
            None => self.lost(input)?,
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
        if input.peek(syn::token::Paren) {
            let content;
            parenthesized!(content in input);
            options.read(content.parse()?, self.errors);
        }
        if input.parse::<Token![:]>().is_err() {
            self.errors.at(
                &name,
                format_args!("a `:` is missing after the worker's name: `{name}:`"),
            );
        }
        let mut worker = Worker {
            attrs,
            name,
            options,
            handlers: Vec::new(),
            routes: Vec::new(),
        };
        let (mut handlers, mut routes) = (false, false);
        while let Some(section @ (Section::Handlers | Section::Routes)) = Section::ahead(input) {
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
                lines::handlers(&list, &mut worker.handlers, self.errors)
            } else {
                lines::routes(&list, &mut worker.routes, self.errors)
            };
        }
        self.missing(&worker.name, handlers, routes);
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
        self.table.whole = false;
        self.errors.at(worker, text);
    }

    /// `handlers` and `routes` without a worker: all of them are one mistake.
    fn strays(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let first: Ident = input.fork().call(Ident::parse_any)?;
        self.errors.at(
            &first,
            format_args!("`{first}` belongs to a worker: write `Name:` before it"),
        );
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

    /// The list of a section, also where its `:` is missing or its delimiters are others.
    fn list<'a>(
        &mut self,
        input: &ParseBuffer<'a>,
        section: &Ident,
    ) -> syn::Result<Option<ParseBuffer<'a>>> {
        if input.parse::<Token![:]>().is_err() {
            self.errors.at(
                section,
                format_args!("a `:` is missing: `{section}: [ .. ]`"),
            );
        }
        let content;
        if input.peek(syn::token::Bracket) {
            syn::bracketed!(content in input);
            return Ok(Some(content));
        }
        self.errors.at(
            section,
            format_args!("a list in brackets follows: `{section}: [ .. ]`"),
        );
        if input.peek(syn::token::Brace) {
            syn::braced!(content in input);
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

    /// Says what could stand here, and goes on at what looks like a section.
    fn lost(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        self.errors.0.push(
            input.error("here a worker begins, `Name:`, or `outside: [ .. ]`, or `drop: [ .. ]`"),
        );
        self.table.whole = false;
        while !input.is_empty() {
            input.parse::<TokenTree>()?;
            if input.peek(Ident) && (input.peek2(Token![:]) || input.peek2(syn::token::Paren)) {
                break;
            }
        }
        Ok(())
    }
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
        ahead.parse::<Option<Token![:]>>().ok()?;
        if !ahead.peek(syn::token::Bracket) {
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

/// What stands next, for a text; a group by its opening delimiter.
fn next_token(input: ParseStream<'_>) -> String {
    match input.fork().parse::<TokenTree>() {
        Ok(TokenTree::Group(group)) => match group.delimiter() {
            Delimiter::Parenthesis => "(".to_owned(),
            Delimiter::Brace => "{".to_owned(),
            Delimiter::Bracket => "[".to_owned(),
            Delimiter::None => group.to_string(),
        },
        Ok(token) => token.to_string(),
        Err(_) => "nothing".to_owned(),
    }
}
