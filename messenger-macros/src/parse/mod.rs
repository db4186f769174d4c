//! From tokens to the table as it is written, line by line: a mistake in one line hides none in another.

mod lines;
mod options;
mod sections;
mod tokens;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Expr, Ident, Token, Type, TypePath, Visibility, parenthesized};

use crate::report::Errors;
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
    /// Whether there is one more, whose name could not be read.
    pub(crate) has_unnamed: bool,
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
    /// Whether something of it is wrong, and has been told.
    pub(crate) is_faulty: bool,
}

/// `Ping, Ball: [pong]`
pub(crate) struct Route {
    pub(crate) source: TypePath,
    pub(crate) message: TypePath,
    pub(crate) receivers: Vec<Ident>,
    /// Where their list stands, if all of it could be read.
    pub(crate) brackets: Option<Span>,
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
        let config = table.config.as_ref();
        let config = config.map_or(String::new(), |config| format!("({}: ..)", config.name));
        errors.at(
            &table.name,
            format_args!(
                "a `;` is missing after the head of the table: `pub {}{config};`",
                table.name
            ),
        );
    }
    sections::read(input, &mut table, errors)?;
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
