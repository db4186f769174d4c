//! Each place of the table asks for its own fault, so that the compiler's caret stands there.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
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
    let mut ask = |at: Span, what: TokenStream| {
        let call = at_user(quote_spanned!(here()=> #faults.#what), at);
        checks.extend(quote_spanned!(here()=> const _: () = #call;));
    };
    for (w, worker) in table.workers.iter().enumerate() {
        let w = literal(w);
        for (h, handler) in worker.handlers.iter().enumerate() {
            let h = literal(h);
            let at = match &handler.id {
                Some(id) => id.span(),
                None => handler.ty.span(),
            };
            ask(at, quote_spanned!(here()=> handler(#w, #h)));
        }
        for (r, route) in worker.routes.iter().enumerate() {
            let r = literal(r);
            ask(
                of_pair(&route.source, &route.message),
                quote_spanned!(here()=> route(#w, #r)),
            );
        }
    }
    for (o, source) in table.outside.iter().enumerate() {
        let o = literal(o);
        ask(source.span(), quote_spanned!(here()=> outside(#o)));
    }
    for (d, (source, message)) in table.dropped.iter().enumerate() {
        let d = literal(d);
        ask(
            of_pair(source, message),
            quote_spanned!(here()=> dropped(#d)),
        );
    }
    checks
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

/// From the source to the message, where the compiler can join the two.
fn of_pair(source: &Source, message: &impl ToTokens) -> Span {
    let first = match source {
        Source::Type(ty) => ty.span(),
        Source::Instance { name, .. } => name.span(),
    };
    let message = message.to_token_stream().span();
    first.join(message).unwrap_or(first)
}
