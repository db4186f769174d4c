//! A worker: its handlers as fields, and which record goes to which of them.

use std::collections::HashMap;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::Ident;
use syn::spanned::Spanned;

use super::{Scope, choice, here, literal, name_of};
use crate::check::constant;
use crate::model::{Handler, Panics, Route, Table, Worker};

pub(super) fn expand(table: &Table, scope: &Scope<'_>, number: usize) -> TokenStream {
    let worker = &table.workers[number];
    let name = scope.worker(number);
    let fields = worker.handlers.iter().map(|handler| {
        let Handler { attrs, name, .. } = handler;
        let ty = field_type(handler, scope);
        quote_spanned!(here()=> #(#attrs)* #name: #ty,)
    });
    let own = own_items(worker, scope);
    let impl_worker = impl_worker(worker, scope, &name, &table.name);
    quote_spanned! {here()=>
        struct #name { #(#fields)* }

        impl #name { #own }

        #impl_worker
    }
}

fn field_type(handler: &Handler, scope: &Scope<'_>) -> TokenStream {
    let ty = &handler.ty;
    match &handler.mailbox {
        None => ty.to_token_stream(),
        Some(_) => mailbox(handler, scope),
    }
}

/// The place of an async handler, told at its type: there stands what might not be one.
fn mailbox(handler: &Handler, scope: &Scope<'_>) -> TokenStream {
    let ty = &handler.ty;
    let at = ty.span().resolved_at(here());
    let lib = scope.lib_at(at);
    quote_spanned!(at=> #lib::Mailbox::<#ty>)
}

/// The constant with a handler's seat, as seen from `at`.
fn seat(handler: &Handler, at: Span) -> Ident {
    Ident::new(&constant(&handler.name), at)
}

/// A handler's name as if it stood at `at`, `r#` and all.
fn named(name: &Ident, at: Span) -> Ident {
    let mut name = name.clone();
    name.set_span(at);
    name
}

/// Seats, routes and constructors.
fn own_items(worker: &Worker, scope: &Scope<'_>) -> TokenStream {
    let Scope { lib, .. } = scope;
    let seats = worker.handlers.iter().enumerate().map(|(number, handler)| {
        let (seat, number) = (seat(handler, here()), literal(number));
        quote_spanned! {here()=>
            const #seat: #lib::Seat = <Self as #lib::Worker>::INFO.seat(#number);
        }
    });
    let (routes, table) = (scope.fresh("ROUTES"), scope.fresh("TABLE"));
    let count = literal(worker.routes.len());
    let list = worker.routes.iter().map(|route| {
        let receivers = route.receivers.iter().map(|it| literal(it.handler));
        scope.sent(
            quote_spanned!(here()=> #lib::Route::of),
            quote_spanned!(here()=> &[#(#receivers),*]),
            &route.source,
            &route.message,
        )
    });
    let constructors = worker.handlers.iter().map(|it| constructor(it, scope));
    quote_spanned! {here()=>
        #(#seats)*

        const #routes: &'static [#lib::Route] = &[#(#list),*];
        const #table: &'static #lib::RouteTable<
            { #lib::route_slots(#count) },
            { #lib::route_buckets(#count) },
        > = &#lib::RouteTable::new(Self::#routes);

        #(#constructors)*
    }
}

fn constructor(handler: &Handler, scope: &Scope<'_>) -> TokenStream {
    let Scope { lib, .. } = scope;
    let name = &handler.name;
    let (config, config_type) = scope.config();
    let ty = field_type(handler, scope);
    let made = match (&handler.make, &handler.mailbox) {
        // What could not be read has been told.
        (None, _) => quote_spanned!(here()=> ::core::unreachable!()),
        (Some(make), None) => {
            let lib = scope.lib_at(make.span());
            quote_spanned!(here()=> #lib::made::<#ty>(#make))
        }
        (Some(make), Some(mailbox)) => {
            let lib = scope.lib_at(make.span());
            let capacity = mailbox.capacity.as_ref().map_or_else(
                || quote_spanned!(here()=> #lib::MAILBOX),
                ToTokens::to_token_stream,
            );
            let made = quote_spanned!(handler.ty.span().resolved_at(here())=> ::made);
            let mailbox = self::mailbox(handler, scope);
            quote_spanned!(here()=> #mailbox #made(#capacity, #make))
        }
    };
    quote_spanned! {here()=>
        fn #name(#config: &#config_type) -> #lib::Result<#ty> {
            let _ = #config;
            #made
        }
    }
}

fn impl_worker(worker: &Worker, scope: &Scope<'_>, name: &Ident, app: &Ident) -> TokenStream {
    let Scope { lib, .. } = scope;
    let text = name_of(&worker.name);
    let (config, config_type) = scope.config();
    let (routes, table) = (scope.fresh("ROUTES"), scope.fresh("TABLE"));
    let options = options(worker, scope);
    let names: Vec<&Ident> = worker.handlers.iter().map(|it| &it.name).collect();
    let seats: Vec<Ident> = worker.handlers.iter().map(|it| seat(it, here())).collect();
    let infos = worker.handlers.iter().map(|handler| {
        let (ty, text) = (field_type(handler, scope), name_of(&handler.name));
        let id = handler.id.as_ref().map(|_| {
            let id = scope.instance_id(&handler.name);
            quote_spanned!(here()=> .with_id(#id))
        });
        quote_spanned!(here()=> <#ty as #lib::Hosted>::INFO.named(#text) #id)
    });
    // Whether these are handlers at all is told at their types.
    let makes = worker.handlers.iter().zip(&seats).map(|(handler, seat)| {
        let (name, at) = (&handler.name, handler.ty.span().resolved_at(here()));
        quote_spanned!(at=> making.handler(Self::#seat, || Self::#name(#config))?)
    });
    let visits: Vec<TokenStream> = worker
        .handlers
        .iter()
        .zip(&seats)
        .map(|(handler, seat)| {
            let (name, ty) = (&handler.name, field_type(handler, scope));
            quote_spanned!(here()=> <#ty as #lib::Hosted>::visited(&mut self.#name, Self::#seat, visitor))
        })
        .collect();
    let arms: Vec<TokenStream> = alike(&worker.routes)
        .iter()
        .filter_map(|(numbers, route)| dispatch(numbers, route, worker))
        .collect();
    let dispatch = if arms.is_empty() {
        quote_spanned!(here()=> let _ = (route, payload, to);)
    } else {
        quote_spanned!(here()=> match route { #(#arms)* _ => {} })
    };
    let numbered = |cases: Vec<TokenStream>| {
        let numbers = (0..).map(literal);
        numbers.zip(cases).collect::<Vec<_>>()
    };
    let remakes = worker.handlers.iter().map(|handler| {
        let at = handler.ty.span().resolved_at(here());
        let name = named(&handler.name, at);
        quote_spanned!(at=> self.#name = Self::#name(#config)?)
    });
    let remake = choice("handler", numbered(remakes.collect()), &[]);
    let visit = choice("handler", numbered(visits.clone()), &["visitor"]);
    let none = names.is_empty();
    let unmade = none.then(|| quote_spanned!(here()=> let _ = (#config, making);));
    let unremade = none.then(|| quote_spanned!(here()=> let _ = #config;));
    let unvisited = none.then(|| quote_spanned!(here()=> let _ = visitor;));
    quote_spanned! {here()=>
        impl #lib::Worker for #name {
            type App = #app;

            const INFO: #lib::WorkerInfo = #lib::WorkerInfo {
                name: #text,
                options: #lib::WorkerOptions::new() #options,
                handlers: &[#(#infos),*],
                routes: Self::#routes,
            };

            fn make(
                #config: &#config_type,
                making: &mut #lib::Making<'_>,
            ) -> ::core::option::Option<Self> {
                #unmade
                ::core::option::Option::Some(Self {
                    #(#names: #makes,)*
                })
            }

            fn remake(
                &mut self,
                handler: ::core::primitive::usize,
                #config: &#config_type,
            ) -> #lib::Result {
                #unremade
                #remake
                ::core::result::Result::Ok(())
            }

            #[inline]
            fn find(tag: #lib::Tag) -> ::core::option::Option<::core::primitive::usize> {
                Self::#table.find(tag)
            }

            #[inline]
            fn dispatch(
                &mut self,
                route: ::core::primitive::usize,
                payload: &[::core::primitive::u8],
                to: #lib::Delivery<'_>,
            ) {
                #dispatch
            }

            fn visit<V: #lib::Visitor>(&mut self, handler: ::core::primitive::usize, visitor: &mut V) {
                #visit
            }

            #[inline]
            fn each<V: #lib::Visitor>(&mut self, visitor: &mut V) {
                #unvisited
                #(#visits;)*
            }
        }
    }
}

/// The routes that do the same, whoever the source: one piece of code for all of them is smaller, and the processor
/// foresees its jumps better.
fn alike(routes: &[Route]) -> Vec<(Vec<usize>, &Route)> {
    let mut arms: Vec<(Vec<usize>, &Route)> = Vec::new();
    let mut known = HashMap::new();
    for (number, route) in routes.iter().enumerate() {
        let receivers: Vec<usize> = route.receivers.iter().map(|it| it.handler).collect();
        let does = (route.message.to_token_stream().to_string(), receivers);
        let arm = *known.entry(does).or_insert(arms.len());
        match arms.get_mut(arm) {
            Some((numbers, _)) => numbers.push(number),
            None => arms.push((vec![number], route)),
        }
    }
    arms
}

/// What routes do, told at their receivers: there stands who might not handle the message.
fn dispatch(numbers: &[usize], route: &Route, worker: &Worker) -> Option<TokenStream> {
    let numbers = numbers.iter().map(|&it| literal(it));
    let numbers = quote_spanned!(here()=> #(#numbers)|*);
    let message = &route.message;
    let call = |receiver: &crate::model::Receiver| {
        let at = receiver.name.span().resolved_at(here());
        let handler = &worker.handlers[receiver.handler];
        (seat(handler, at), named(&receiver.name, at), at)
    };
    match &route.receivers[..] {
        [] => None,
        [only] => {
            let (seat, name, at) = call(only);
            let call = quote_spanned!(at=> to.deliver::<#message, _>(Self::#seat, &mut self.#name, payload));
            Some(quote_spanned!(here()=> #numbers => #call,))
        }
        several => {
            let calls = several.iter().map(|receiver| {
                let (seat, name, at) = call(receiver);
                quote_spanned!(at=> to.handle::<#message, _>(Self::#seat, &mut self.#name, m);)
            });
            Some(quote_spanned! {here()=>
                #numbers => to.receive::<#message>(payload, |to, m| { #(#calls)* }),
            })
        }
    }
}

/// The calls that set a worker's options.
fn options(worker: &Worker, scope: &Scope<'_>) -> TokenStream {
    let Scope { lib, .. } = scope;
    let options = &worker.options;
    let mut calls = TokenStream::new();
    if let Some(wait) = &options.wait {
        calls.extend(quote_spanned!(here()=> .wait(#lib::WaitStrategy::#wait)));
    }
    if let Some(core) = &options.pin {
        calls.extend(quote_spanned!(here()=> .pin(#core)));
    }
    match &options.on_panic {
        None => {}
        Some(Panics::Simply(policy)) => {
            calls.extend(quote_spanned!(here()=> .on_panic(#lib::OnPanic::#policy)));
        }
        Some(Panics::Restart { times, per, .. }) => calls.extend(quote_spanned! {here()=>
            .on_panic(#lib::OnPanic::Restart { times: #times, per: #per })
        }),
    }
    if let Some(policy) = &options.on_error {
        calls.extend(quote_spanned!(here()=> .on_error(#lib::OnError::#policy)));
    }
    if let Some(bytes) = &options.spill {
        calls.extend(quote_spanned!(here()=> .spill(#bytes)));
    }
    if let Some(records) = &options.batch {
        calls.extend(quote_spanned!(here()=> .batch(#records)));
    }
    if let Some(pool) = &options.pool {
        calls.extend(quote_spanned!(here()=> .pool(#pool)));
    }
    calls
}
