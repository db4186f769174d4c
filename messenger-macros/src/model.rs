//! The table with its names resolved: what the checks have let through.

use proc_macro2::TokenStream;
use syn::{Attribute, Expr, Ident, TypePath, Visibility};

pub(crate) use crate::parse::{Config, Options, Panics};

/// A table whose receivers and sources are known.
pub(crate) struct Table {
    /// Where the messenger crate is: the tokens of `$crate`.
    pub(crate) krate: TokenStream,
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) name: Ident,
    pub(crate) config: Option<Config>,
    pub(crate) outside: Vec<TypePath>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) dropped: Vec<(Source, TypePath)>,
    /// Whether nothing is left out; of a table with gaps can't be said what is sent to nobody.
    pub(crate) whole: bool,
}

/// A worker: its handlers, and what goes to them.
pub(crate) struct Worker {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) name: Ident,
    pub(crate) options: Options,
    pub(crate) handlers: Vec<Handler>,
    pub(crate) routes: Vec<Route>,
}

/// A handler of a worker.
pub(crate) struct Handler {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) name: Ident,
    pub(crate) ty: TypePath,
    pub(crate) mailbox: Option<Mailbox>,
    /// The id of an instance that doesn't go by its type's.
    pub(crate) id: Option<Expr>,
    /// `None` where it could not be read.
    pub(crate) make: Option<Expr>,
}

/// The mailbox of an async handler.
pub(crate) struct Mailbox {
    /// The library's, if it isn't said.
    pub(crate) capacity: Option<Expr>,
}

/// A route of a worker.
pub(crate) struct Route {
    pub(crate) source: Source,
    pub(crate) message: TypePath,
    pub(crate) receivers: Vec<Receiver>,
}

/// A receiver of a route: the worker's handler number `handler`.
pub(crate) struct Receiver {
    pub(crate) name: Ident,
    pub(crate) handler: usize,
}

/// Who sends.
pub(crate) enum Source {
    /// Whoever has the id of this type.
    Type(TypePath),
    /// An instance with an id of its own, by its name.
    Instance { name: Ident, ty: TypePath },
}

impl Source {
    pub(crate) fn ty(&self) -> &TypePath {
        match self {
            Self::Type(ty) | Self::Instance { ty, .. } => ty,
        }
    }
}
