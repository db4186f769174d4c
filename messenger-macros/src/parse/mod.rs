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
        outside: None,
        drop: None,
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
    outside: Option<Ident>,
    drop: Option<Ident>,
}

impl Sections<'_> {
    fn section(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let attrs = input.call(Attribute::parse_outer)?;
        if !input.peek(Ident::peek_any) {
            return self.lost(
                input,
                "here a worker begins, `Name:`, or `outside: [..]`, or `drop: [..]`",
            );
        }
        let name = input.call(Ident::parse_any)?;
        match name.to_string().as_str() {
            "outside" => {
                self.no_attributes(&attrs, "`outside`");
                self.twice(&name, self.outside.is_some());
                self.outside = Some(name.clone());
                if let Some(list) = self.list(input, &name)? {
                    let (list, whole) = lines::outside(&list, self.errors);
                    self.table.outside.extend(list);
                    self.table.whole &= whole;
                }
            }
            "drop" => {
                self.no_attributes(&attrs, "`drop`");
                self.twice(&name, self.drop.is_some());
                self.drop = Some(name.clone());
                if let Some(list) = self.list(input, &name)? {
                    let (list, whole) = lines::dropped(&list, self.errors);
                    self.table.dropped.extend(list);
                    self.table.whole &= whole;
                }
            }
            "handlers" | "routes" => {
                self.errors.at(
                    &name,
                    format_args!("`{name}` belongs to a worker: write `Name:` before it"),
                );
                self.table.whole = false;
                self.list(input, &name)?
                    .map_or(Ok(()), |list| drain(&list))?;
            }
            _ => self.worker(attrs, name, input)?,
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
        if !input.peek(Token![:]) {
            let near = nearest(&name.to_string(), ["outside", "drop", "handlers", "routes"]);
            let text = match near {
                Some(near) if input.peek(syn::token::Bracket) => {
                    format!("there is no section `{name}`; did you mean `{near}: [..]`?")
                }
                _ => format!("a `:` is missing after the worker's name: `{name}:`"),
            };
            self.errors.at(&name, text);
        } else {
            input.parse::<Token![:]>()?;
        }
        if input.peek(syn::token::Bracket) {
            self.not_a_section(&name);
            self.table.whole = false;
            input.parse::<TokenTree>()?;
            return Ok(());
        }
        let mut worker = Worker {
            attrs,
            name,
            options,
            handlers: Vec::new(),
            routes: Vec::new(),
        };
        let (mut handlers, mut routes) = (None, None);
        while input.peek(Ident::peek_any) && is_section(input) {
            let section = input.call(Ident::parse_any)?;
            let is_handlers = section == "handlers";
            let seen = if is_handlers {
                &mut handlers
            } else {
                &mut routes
            };
            let twice = seen.replace(section.clone()).is_some();
            self.twice(&section, twice);
            let Some(list) = self.list(input, &section)? else {
                continue;
            };
            self.table.whole &= if is_handlers {
                lines::handlers(&list, &mut worker.handlers, self.errors)
            } else {
                lines::routes(&list, &mut worker.routes, self.errors)
            };
        }
        self.missing(&worker.name, handlers.is_some(), routes.is_some());
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
        self.table.whole &= handlers && routes;
        self.errors.at(worker, text);
    }

    fn not_a_section(&mut self, name: &Ident) {
        let known = ["outside", "drop", "handlers", "routes"];
        // Without the `:` it has been told already.
        if self.errors.0.last().is_some_and(|last| {
            last.to_string()
                .starts_with(&format!("there is no section `{name}`"))
        }) {
            return;
        }
        let meant = nearest(&name.to_string(), known)
            .map(|near| format!(" (did you mean `{near}`?)"))
            .unwrap_or_default();
        self.errors.at(
            name,
            format_args!(
                "there is no section `{name}`{meant}; a worker has `handlers` and `routes`, the table has `outside` \
                 and `drop`"
            ),
        );
    }

    /// The list of a section.
    fn list<'a>(
        &mut self,
        input: &ParseBuffer<'a>,
        section: &Ident,
    ) -> syn::Result<Option<ParseBuffer<'a>>> {
        if input.peek(Token![:]) {
            input.parse::<Token![:]>()?;
        } else if input.peek(syn::token::Bracket) {
            self.errors.at(
                section,
                format_args!("a `:` is missing: `{section}: [ .. ]`"),
            );
        }
        if !input.peek(syn::token::Bracket) {
            self.errors.at(
                section,
                format_args!("a list in brackets follows: `{section}: [ .. ]`"),
            );
            self.table.whole = false;
            if input.peek(syn::token::Brace) || input.peek(syn::token::Paren) {
                input.parse::<TokenTree>()?;
            }
            return Ok(None);
        }
        let content;
        syn::bracketed!(content in input);
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

    fn no_attributes(&mut self, attrs: &[Attribute], what: &str) {
        for attr in attrs {
            if !attr.path().is_ident("doc") {
                self.errors
                    .at(attr, format_args!("{what} takes no attributes"));
            }
        }
    }

    /// Says what is wrong and goes on at what looks like the next section.
    fn lost(&mut self, input: ParseStream<'_>, text: &str) -> syn::Result<()> {
        self.errors.0.push(input.error(text));
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

/// Whether a worker's section is next, also where its `:` is missing.
fn is_section(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    ahead
        .call(Ident::parse_any)
        .is_ok_and(|name| name == "handlers" || name == "routes")
}

fn drain(input: ParseStream<'_>) -> syn::Result<()> {
    input.parse::<TokenStream>().map(drop)
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
