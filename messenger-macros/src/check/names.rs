//! Who is who: names resolved to handlers and sources.

use std::collections::HashMap;

use quote::ToTokens;
use syn::{Ident, TypePath};

use super::{constant, without_cfg};
use crate::model::{self, Mailbox, Receiver, Source};
use crate::parse::{Handler, Route, Worker};
use crate::report::{Errors, list_of, nearest, text_of};

/// Who is who.
pub(super) struct Names {
    /// By name, each handler.
    handlers: HashMap<String, Known>,
    workers: Vec<Place>,
}

/// A worker by name.
struct Place {
    name: Ident,
    /// Whether it may have handlers that nobody knows of.
    is_unsure: bool,
}

struct Known {
    name: Ident,
    worker: usize,
    handler: usize,
    ty: Option<TypePath>,
    has_id: bool,
    /// Whether its constant is another's already.
    is_twin: bool,
    /// Whether something of it is wrong, and has been told.
    is_faulty: bool,
}

impl Names {
    pub(super) fn of(workers: &[Worker], errors: &mut Errors) -> Self {
        let mut handlers: HashMap<String, Known> = HashMap::new();
        let mut constants: HashMap<String, (Ident, usize, usize)> = HashMap::new();
        for (number, worker) in workers.iter().enumerate() {
            for (handler, it) in worker.handlers.iter().enumerate() {
                let constant = constant(&it.name);
                // One that could not be read may well be a part of another.
                if it.ty.is_none() && constants.contains_key(&constant) {
                    continue;
                }
                let first = constants
                    .entry(constant)
                    .or_insert_with(|| (it.name.clone(), number, handler));
                let is_twin = (first.1, first.2) != (number, handler);
                if is_twin {
                    errors.at(&it.name, same_name(&it.name, first, workers));
                    if it.name == first.0 {
                        continue;
                    }
                }
                handlers.insert(
                    it.name.to_string(),
                    Known {
                        name: it.name.clone(),
                        worker: number,
                        handler,
                        ty: it.ty.clone(),
                        has_id: it.id.is_some(),
                        is_twin,
                        is_faulty: it.is_faulty,
                    },
                );
            }
        }
        Self {
            handlers,
            workers: workers
                .iter()
                .map(|worker| Place {
                    name: worker.name.clone(),
                    is_unsure: worker.has_unnamed || worker.handlers.is_empty(),
                })
                .collect(),
        }
    }

    /// `None` if it is a handler of which nothing more is known.
    pub(super) fn source(&self, source: TypePath, errors: &mut Errors) -> Option<Source> {
        let Some(known) = source
            .path
            .get_ident()
            .and_then(|name| self.handlers.get(&name.to_string()))
        else {
            return Some(Source::Type(source));
        };
        let ty = known.ty.clone()?;
        if known.has_id {
            let name = source.path.require_ident().ok()?.clone();
            return Some(Source::Instance { name, ty });
        }
        if known.is_faulty {
            return None;
        }
        errors.at(
            &source,
            format_args!(
                "a source is a type, and `{0}` is the name of a handler: write `{1}`; or give this instance an id of its \
                 own, `{0}: {1} as Id = ..`",
                known.name,
                text_of(&ty)
            ),
        );
        Some(Source::Type(ty))
    }

    pub(super) fn worker(
        &self,
        number: usize,
        worker: Worker,
        whole: &mut bool,
        errors: &mut Errors,
    ) -> model::Worker {
        if worker.handlers.is_empty() && *whole {
            errors.at(
                &worker.name,
                format_args!(
                    "worker `{}` has no handlers: write `handlers: [ name: Type = constructor ]`, or take it out",
                    worker.name
                ),
            );
        }
        let mut handlers = Vec::new();
        // From the number of a handler as it is written to its number among those that are right.
        let mut numbers = Vec::new();
        for (at, handler) in worker.handlers.into_iter().enumerate() {
            let is_first = self
                .handlers
                .get(&handler.name.to_string())
                .is_some_and(|known| {
                    (known.worker, known.handler) == (number, at) && !known.is_twin
                });
            let right = if is_first {
                right_handler(handler, errors)
            } else {
                None
            };
            numbers.push(right.is_some().then_some(handlers.len()));
            *whole &= right.is_some();
            handlers.extend(right);
        }
        let mut routes: Vec<model::Route> = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        for (at, route) in worker.routes.into_iter().enumerate() {
            let key = format!("{}, {}", text_of(&route.source), text_of(&route.message));
            if let Some(first) = seen.insert(key.clone(), at) {
                errors.0.push(syn::Error::new_spanned(
                    pair(&route.source, &route.message),
                    format_args!(
                        "`{key}` is routed twice in worker `{}`, first by its route {}: write one route with all \
                         receivers",
                        worker.name,
                        first + 1
                    ),
                ));
                continue;
            }
            let receivers = self.receivers(number, &worker.name, &route, &numbers, errors);
            match self.source(route.source, errors) {
                Some(source) => routes.push(model::Route {
                    source,
                    message: route.message,
                    receivers,
                }),
                None => *whole = false,
            }
        }
        model::Worker {
            attrs: without_cfg(worker.attrs, "a worker", errors),
            name: worker.name,
            options: worker.options,
            handlers,
            routes,
        }
    }

    fn receivers(
        &self,
        worker: usize,
        worker_name: &Ident,
        route: &Route,
        numbers: &[Option<usize>],
        errors: &mut Errors,
    ) -> Vec<Receiver> {
        if let (true, Some(brackets)) = (route.receivers.is_empty(), route.brackets) {
            errors.at_span(
                brackets,
                format_args!(
                    "nobody receives `{0}, {1}`: name a handler of worker `{worker_name}`; or take the route out and \
                     write `drop: [ {0}, {1} ]`",
                    text_of(&route.source),
                    text_of(&route.message)
                ),
            );
        }
        let mut receivers: Vec<Receiver> = Vec::new();
        let mut seen: Vec<&Ident> = Vec::new();
        for name in &route.receivers {
            if seen.contains(&name) {
                errors.at(
                    name,
                    format_args!("`{name}` stands twice in this route: it gets each message once"),
                );
                continue;
            }
            seen.push(name);
            match self.handlers.get(&name.to_string()) {
                Some(known) if known.worker == worker => {
                    // One that is there, but wrong in itself, has been told.
                    if let Some(handler) = numbers[known.handler] {
                        receivers.push(Receiver {
                            name: name.clone(),
                            handler,
                        });
                    }
                }
                Some(known) => errors.at(
                    name,
                    format_args!(
                        "`{name}` is a handler of worker `{}`, and a worker routes to its own handlers: write this route \
                         there too",
                        self.workers[known.worker].name
                    ),
                ),
                // It may be the one that could not be read, which has been told.
                None if self.workers[worker].is_unsure => {}
                None => errors.at(name, self.undeclared(worker, worker_name, name)),
            }
        }
        receivers
    }

    fn undeclared(&self, worker: usize, worker_name: &Ident, name: &Ident) -> String {
        let mut here: Vec<&Known> = self
            .handlers
            .values()
            .filter(|known| known.worker == worker)
            .collect();
        here.sort_by_key(|known| known.handler);
        let named: Vec<String> = here.iter().map(|known| known.name.to_string()).collect();
        let by_type = here.iter().find(|known| {
            known
                .ty
                .as_ref()
                .and_then(|ty| ty.path.segments.last())
                .is_some_and(|last| last.ident == *name)
        });
        let meant = by_type
            .map(|known| known.name.to_string())
            .or_else(|| {
                nearest(&name.to_string(), named.iter().map(String::as_str)).map(str::to_owned)
            })
            .map(|near| format!(" (did you mean `{near}`?)"))
            .unwrap_or_default();
        format!(
            "worker `{worker_name}` has no handler `{name}`{meant}; its handlers are {}",
            list_of(&named)
        )
    }
}

fn same_name(
    name: &Ident,
    (first, worker, _): &(Ident, usize, usize),
    workers: &[Worker],
) -> String {
    let worker = &workers[*worker].name;
    if name == first {
        format!(
            "there are two handlers `{name}`, the first in worker `{worker}`: give one another name"
        )
    } else {
        format!(
            "`{name}` and `{first}`, in worker `{worker}`, are one name for the constant `{}`: give one another name",
            constant(name)
        )
    }
}

fn right_handler(handler: Handler, errors: &mut Errors) -> Option<model::Handler> {
    if let (Some(keyword), false) = (handler.is_async, cfg!(feature = "tokio")) {
        errors.at(
            keyword,
            "messenger is built without async handlers: in Cargo.toml, give it `features = [\"tokio\"]`",
        );
        return None;
    }
    Some(model::Handler {
        attrs: without_cfg(handler.attrs, "a handler", errors),
        name: handler.name,
        ty: handler.ty?,
        mailbox: handler.is_async.map(|_| Mailbox {
            capacity: handler.mailbox,
        }),
        id: handler.id,
        make: handler.make,
    })
}

/// Both as one stretch of tokens.
fn pair(source: &TypePath, message: &TypePath) -> proc_macro2::TokenStream {
    let mut tokens = source.to_token_stream();
    message.to_tokens(&mut tokens);
    tokens
}
