//! Each place of the table asks for its own fault, so that the compiler's caret stands there.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::TypePath;
use syn::spanned::Spanned;

use super::{Scope, here, literal};
use crate::model::{Panics, Source, Table};
use crate::report::located;

pub(super) fn expand(table: &Table, scope: &Scope<'_>) -> TokenStream {
    let Scope { lib, .. } = scope;
    let mut checks = TokenStream::new();
    for worker in &table.workers {
        if let Some(Panics::Restart { at, .. }) = &worker.options.on_panic {
            let lib = scope.lib_at(*at);
            let check = located(
                quote_spanned!(here()=> #lib::restart_needs_unwinding(::core::cfg!(panic = "unwind"))),
                *at,
            );
            checks.extend(quote_spanned!(here()=> const _: () = #check;));
        }
    }
    checks.extend(sends(table, scope));
    if !table.whole {
        return checks;
    }
    let name = &table.name;
    let faults = scope.fresh("FAULTS");
    checks.extend(quote_spanned! {here()=>
        const #faults: &#lib::Faults = &#lib::Faults::find::<
            { <#name as #lib::App>::INFO.entries() },
        >(<#name as #lib::App>::INFO);
    });
    let ask = |at: Span, what: TokenStream| at_user(quote_spanned!(here()=> #faults.#what), at);
    for (w, worker) in table.workers.iter().enumerate() {
        let w = literal(w);
        for (h, handler) in worker.handlers.iter().enumerate() {
            let h = literal(h);
            let at = match &handler.id {
                Some(id) => id.span(),
                None => caret(&handler.ty),
            };
            let ask = ask(at, quote_spanned!(here()=> handler(#w, #h)));
            checks.extend(quote_spanned!(here()=> const _: () = #ask;));
        }
        for (r, route) in worker.routes.iter().enumerate() {
            let r = literal(r);
            let source = ask(
                of_source(&route.source),
                quote_spanned!(here()=> route(#w, #r)),
            );
            let message = ask(
                caret(&route.message),
                quote_spanned!(here()=> route_message(#w, #r)),
            );
            checks.extend(quote_spanned!(here()=> const _: () = { #source; #message; };));
        }
    }
    for (o, source) in table.outside.iter().enumerate() {
        let o = literal(o);
        let ask = ask(caret(source), quote_spanned!(here()=> outside(#o)));
        checks.extend(quote_spanned!(here()=> const _: () = #ask;));
    }
    for (d, (source, message)) in table.dropped.iter().enumerate() {
        let d = literal(d);
        let source = ask(of_source(source), quote_spanned!(here()=> dropped(#d)));
        let message = ask(caret(message), quote_spanned!(here()=> dropped_message(#d)));
        checks.extend(quote_spanned!(here()=> const _: () = { #source; #message; };));
    }
    checks
}

/// That each source declares what the table has it send. In a function, for what is wrong in it keeps no constant from
/// being known.
fn sends(table: &Table, scope: &Scope<'_>) -> TokenStream {
    let Scope { lib, .. } = scope;
    let routes = table.workers.iter().flat_map(|worker| &worker.routes);
    let routes = routes.map(|route| (&route.source, &route.message));
    let dropped = table
        .dropped
        .iter()
        .map(|(source, message)| (source, message));
    let sends = routes.chain(dropped).map(|(source, message)| {
        let ty = located(source.ty().to_token_stream(), of_source(source));
        quote_spanned!(here()=> #lib::sends::<#ty, #message>();)
    });
    let sends: TokenStream = sends.collect();
    if sends.is_empty() {
        return sends;
    }
    quote_spanned!(here()=> const _: fn() = || { #sends };)
}

/// `tokens` as the user's own: the compiler then doesn't explain to them that a macro wrote these.
fn at_user(tokens: TokenStream, at: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            token.set_span(at);
            token
        })
        .collect()
}

fn of_source(source: &Source) -> Span {
    match source {
        Source::Type(ty) => caret(ty),
        Source::Instance { name, .. } => name.span(),
    }
}

/// The type's own name in its path.
fn caret(ty: &TypePath) -> Span {
    ty.path
        .segments
        .last()
        .map_or_else(|| ty.span(), |last| last.ident.span())
}
