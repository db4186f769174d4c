//! From the table to Rust: declarations only, what is done with them the library does.

mod checks;
mod worker;

use std::collections::HashSet;

use proc_macro2::{Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::{Attribute, Ident};

use crate::attribute::number;
use crate::check::constant;
use crate::model::{Handler, Source, Table};
use crate::report::{located, text_of};

/// Where generated code stands: its locals are its own, its items are looked up where the table stands.
fn here() -> Span {
    Span::mixed_site()
}

pub(crate) fn expand(table: &Table) -> TokenStream {
    let scope = Scope::of(table);
    let (krate, lib) = (&table.krate, &scope.lib);
    let Table { vis, name, .. } = table;
    let docs = documented(&table.attrs, &format!(" The table `{}`.", name_of(name)));
    // Where the table isn't, nothing of it is.
    let cfgs = table
        .attrs
        .iter()
        .filter(|attr| attr.path().is_ident("cfg"));
    let app = app(table, &scope);
    let instances = instances(table, &scope);
    let workers = (0..table.workers.len()).map(|number| worker::expand(table, &scope, number));
    let impl_app = impl_app(table, &scope);
    let checks = checks::expand(table, &scope);
    quote_spanned! {here()=>
        #docs
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #vis enum #name {}

        #(#cfgs)*
        const _: () = {
            use #krate::__macro as #lib;

            #app
            #instances
            #(#workers)*
            #impl_app
            #checks
        };
    }
}

/// How the generated code names things.
struct Scope<'a> {
    table: &'a Table,
    /// What the library's `__macro` is called here.
    lib: TokenStream,
    /// All names in the user's tokens: what is generated beside them must not hide what they mean.
    taken: HashSet<String>,
}

impl<'a> Scope<'a> {
    fn of(table: &'a Table) -> Self {
        let mut taken = HashSet::new();
        for tokens in user_tokens(table) {
            take(tokens, &mut taken);
        }
        for worker in &table.workers {
            taken.extend(worker.handlers.iter().map(|it| constant(&it.name)));
        }
        let mut scope = Self {
            table,
            lib: TokenStream::new(),
            taken,
        };
        // What the author's own macros make stands beside it, too, and is not seen here.
        scope.lib = scope.fresh("__lib").into_token_stream();
        scope
    }

    /// The library's paths as if they stood at `span`.
    fn lib_at(&self, span: Span) -> TokenStream {
        located(self.lib.clone(), span)
    }

    /// A name which the user's tokens don't use.
    fn fresh(&self, name: &str) -> Ident {
        let mut name = name.to_owned();
        while self.taken.contains(&name) {
            name.push('_');
        }
        Ident::new(&name, here())
    }

    /// The type of a worker.
    fn worker(&self, number: usize) -> Ident {
        let name = text_of(&self.table.workers[number].name);
        self.fresh(&format!("{}Worker", name.trim_start_matches("r#")))
    }

    /// The constant with the id of an instance.
    fn instance_id(&self, handler: &Ident) -> Ident {
        self.fresh(&format!("{}_ID", constant(handler)))
    }

    /// The parameter with what the constructors are given, and its type.
    fn config(&self) -> (Ident, TokenStream) {
        match &self.table.config {
            Some(config) => (config.name.clone(), config.ty.to_token_stream()),
            None => (Ident::new("config", here()), quote_spanned!(here()=> ())),
        }
    }

    /// `of::<S, M>(..)`, with what belongs to an instance after it.
    fn sent(
        &self,
        of: TokenStream,
        arguments: TokenStream,
        source: &Source,
        message: &impl ToTokens,
    ) -> TokenStream {
        match source {
            Source::Type(ty) => quote_spanned!(here()=> #of::<#ty, #message>(#arguments)),
            Source::Instance { name, ty } => {
                let ty = located(ty.to_token_stream(), name.span());
                let (id, text) = (self.instance_id(name), name_of(name));
                quote_spanned!(here()=> #of::<#ty, #message>(#arguments).sent_by(#id, #text))
            }
        }
    }
}

fn user_tokens(table: &Table) -> impl Iterator<Item = TokenStream> {
    let mut all = vec![table.name.to_token_stream()];
    all.extend(
        table
            .config
            .as_ref()
            .map(|config| config.ty.to_token_stream()),
    );
    all.extend(table.outside.iter().map(ToTokens::to_token_stream));
    for worker in &table.workers {
        let options = &worker.options;
        for expr in [&options.pin, &options.spill, &options.batch, &options.pool] {
            all.extend(expr.as_ref().map(ToTokens::to_token_stream));
        }
        if let Some(crate::model::Panics::Restart { times, per, .. }) = &options.on_panic {
            all.extend([times.to_token_stream(), per.to_token_stream()]);
        }
        for Handler { ty, id, make, .. } in &worker.handlers {
            all.push(ty.to_token_stream());
            all.extend(
                [id, make]
                    .into_iter()
                    .flatten()
                    .map(ToTokens::to_token_stream),
            );
        }
        for route in &worker.routes {
            all.extend([
                route.source.ty().to_token_stream(),
                route.message.to_token_stream(),
            ]);
        }
    }
    for (source, message) in &table.dropped {
        all.extend([source.ty().to_token_stream(), message.to_token_stream()]);
    }
    all.into_iter()
}

fn take(tokens: TokenStream, taken: &mut HashSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                taken.insert(ident.to_string());
            }
            TokenTree::Group(group) => take(group.stream(), taken),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// A name as people see it.
fn name_of(name: &Ident) -> String {
    syn::ext::IdentExt::unraw(name).to_string()
}

/// `attrs`, and a documentation where they bring none.
fn documented(attrs: &[Attribute], text: &str) -> TokenStream {
    let doc = (!attrs.iter().any(|attr| attr.path().is_ident("doc")))
        .then(|| quote_spanned!(here()=> #[doc = #text]));
    quote_spanned!(here()=> #doc #(#attrs)*)
}

/// The table's type and what the program does with it.
fn app(table: &Table, scope: &Scope<'_>) -> TokenStream {
    let Scope { lib, .. } = scope;
    let name = &table.name;
    let workers = table.workers.iter().enumerate().map(|(number, worker)| {
        let docs = documented(
            &worker.attrs,
            &format!(" The worker `{}`.", name_of(&worker.name)),
        );
        let constant = Ident::new(&constant(&worker.name), worker.name.span());
        let number = literal(number);
        quote_spanned! {here()=>
            #docs
            pub const #constant: #lib::WorkerId<Self> = #lib::WorkerId::new(#number);
        }
    });
    let (parameter, argument) = match &table.config {
        Some(config) => {
            let (name, ty) = (&config.name, &config.ty);
            (
                Some(quote_spanned!(here()=> , #name: #ty)),
                name.to_token_stream(),
            )
        }
        None => (None, quote_spanned!(here()=> ())),
    };
    quote_spanned! {here()=>
        impl #name {
            #(#workers)*

            /// Prepares a run of this table on `ground`: a bus, or a journal.
            #[must_use]
            pub fn builder(
                ground: impl ::core::convert::Into<#lib::Ground> #parameter
            ) -> #lib::Builder<Self> {
                #lib::Builder::new(ground, #argument)
            }

            /// The table as a graph.
            #[must_use]
            pub const fn graph() -> #lib::Graph {
                #lib::Graph::of::<Self>()
            }
        }
    }
}

/// The ids of the instances that have one of their own.
fn instances(table: &Table, scope: &Scope<'_>) -> TokenStream {
    let handlers = table.workers.iter().flat_map(|worker| &worker.handlers);
    let ids = handlers.filter_map(|handler| {
        let id = handler.id.as_ref()?;
        let name = scope.instance_id(&handler.name);
        let Scope { lib, .. } = scope;
        let at = syn::spanned::Spanned::span(id).resolved_at(here());
        let id = number(id, at);
        let value = quote_spanned!(at=> #lib::source_id(#id));
        let value = located(value, at);
        Some(quote_spanned!(here()=> const #name: #lib::SourceId = #value;))
    });
    quote_spanned!(here()=> #(#ids)*)
}

fn impl_app(table: &Table, scope: &Scope<'_>) -> TokenStream {
    let Scope { lib, .. } = scope;
    let name = &table.name;
    let text = name_of(name);
    let (_, config) = scope.config();
    let at = syn::spanned::Spanned::span(&config).resolved_at(here());
    let config = quote_spanned!(at=> type Config = #config;);
    let workers: Vec<Ident> = (0..table.workers.len())
        .map(|it| scope.worker(it))
        .collect();
    let outside = &table.outside;
    let dropped = table.dropped.iter().map(|(source, message)| {
        scope.sent(
            quote_spanned!(here()=> #lib::Dropped::of),
            TokenStream::new(),
            source,
            message,
        )
    });
    let arms = workers.iter().enumerate().map(|(number, worker)| {
        (
            literal(number),
            quote_spanned!(here()=> spawner.spawn::<#worker>()),
        )
    });
    let spawn = choice("worker", arms.collect(), &["spawner"]);
    quote_spanned! {here()=>
        impl #lib::App for #name {
            #config

            const INFO: &'static #lib::AppInfo = &#lib::AppInfo {
                name: #text,
                workers: &[#(&<#workers as #lib::Worker>::INFO),*],
                outside: &[#(#lib::SourceInfo::of::<#outside>()),*],
                dropped: &[#(#dropped),*],
            };

            fn spawn(worker: ::core::primitive::usize, spawner: &mut #lib::Spawner<'_, Self>) {
                #spawn
            }
        }

        #(impl #lib::Outside<#name> for #outside {})*
    }
}

/// A number as it is written.
fn literal(number: usize) -> Literal {
    Literal::usize_unsuffixed(number)
}

/// Does what belongs to the number `on`; the last of the cases stands for the rest. Without cases, names what it
/// leaves `unused`.
fn choice(on: &str, mut cases: Vec<(Literal, TokenStream)>, unused: &[&str]) -> TokenStream {
    let on = Ident::new(on, here());
    let unused = unused.iter().map(|name| Ident::new(name, here()));
    let Some((_, last)) = cases.pop() else {
        return quote_spanned!(here()=> let _ = (#on, #(#unused),*););
    };
    if cases.is_empty() {
        return quote_spanned!(here()=> let _ = #on; #last;);
    }
    let cases = cases
        .iter()
        .map(|(number, case)| quote_spanned!(here()=> #number => #case,));
    quote_spanned! {here()=>
        match #on {
            #(#cases)*
            _ => #last,
        }
    }
}
