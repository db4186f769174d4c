//! What can be said of a table by its tokens alone, and the names resolved.

use std::collections::HashMap;

use quote::ToTokens;
use syn::{Attribute, Ident, TypePath};

use crate::model::{self, Mailbox, Receiver, Source};
use crate::parse::{Dropped, Handler, Route, Table, Worker};
use crate::report::{Errors, list_of, nearest, text_of};

/// Checks everything, and resolves what is right.
pub(crate) fn check(table: Table, errors: &mut Errors) -> model::Table {
    let names = Names::of(&table.workers, errors);
    let mut whole = table.whole;
    let outside = distinct_outside(table.outside, errors);
    let dropped = table
        .dropped
        .into_iter()
        .filter_map(|Dropped { source, message }| Some((names.source(source, errors)?, message)))
        .collect();
    let workers = table
        .workers
        .into_iter()
        .enumerate()
        .map(|(number, worker)| names.worker(number, worker, &mut whole, errors))
        .collect();
    let workers = distinct_workers(workers, &mut whole, errors);
    model::Table {
        krate: table.krate,
        attrs: table.attrs,
        vis: table.vis,
        name: table.name,
        config: table.config,
        outside,
        workers,
        dropped,
        whole,
    }
}

/// The name of a worker's constant: `CourtOne` becomes `COURT_ONE`.
pub(crate) fn constant(name: &Ident) -> String {
    let name = syn::ext::IdentExt::unraw(name).to_string();
    let letters: Vec<char> = name.chars().collect();
    let mut constant = String::new();
    for (i, &letter) in letters.iter().enumerate() {
        let starts = letter.is_uppercase()
            && i > 0
            && letters[i - 1] != '_'
            && (!letters[i - 1].is_uppercase()
                || letters.get(i + 1).is_some_and(|next| next.is_lowercase()));
        if starts {
            constant.push('_');
        }
        constant.extend(letter.to_uppercase());
    }
    constant
}

/// The workers whose names are theirs alone.
fn distinct_workers(
    workers: Vec<model::Worker>,
    whole: &mut bool,
    errors: &mut Errors,
) -> Vec<model::Worker> {
    let mut distinct: Vec<model::Worker> = Vec::new();
    let mut seen: HashMap<String, Ident> = HashMap::new();
    for worker in workers {
        let (name, constant) = (&worker.name, constant(&worker.name));
        match seen.get(&constant) {
            None => {
                seen.insert(constant, name.clone());
                distinct.push(worker);
                continue;
            }
            Some(other) if other == name => errors.at(
                name,
                format_args!(
                    "there are two workers `{name}`: give one another name, or put both into one"
                ),
            ),
            Some(other) => errors.at(
                name,
                format_args!("`{name}` and `{other}` are one name for the constant `{constant}`"),
            ),
        }
        *whole = false;
    }
    distinct
}

/// The attributes without `#[cfg]`: what stands under one could be missing, and nothing of the table would agree
/// with it.
fn without_cfg(attrs: Vec<Attribute>, what: &str, errors: &mut Errors) -> Vec<Attribute> {
    let (cfgs, others) = attrs
        .into_iter()
        .partition(|attr| attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr"));
    for attr in &cfgs as &Vec<Attribute> {
        errors.at(
            attr,
            format_args!(
                "{what} takes no `cfg`: write one table per configuration, each under its own `#[cfg]`"
            ),
        );
    }
    others
}

fn distinct_outside(outside: Vec<TypePath>, errors: &mut Errors) -> Vec<TypePath> {
    let mut distinct: Vec<TypePath> = Vec::new();
    for source in outside {
        if distinct.contains(&source) {
            errors.at(
                &source,
                format_args!("`{}` stands twice in `outside`: keep one", text_of(&source)),
            );
        } else {
            distinct.push(source);
        }
    }
    distinct
}

/// Who is who.
struct Names {
    /// By name, each handler.
    handlers: HashMap<String, Known>,
    /// The workers' names.
    workers: Vec<Ident>,
}

struct Known {
    name: Ident,
    worker: usize,
    handler: usize,
    ty: Option<TypePath>,
    has_id: bool,
    /// Whether its constant is another's already.
    is_twin: bool,
}

impl Names {
    fn of(workers: &[Worker], errors: &mut Errors) -> Self {
        let mut handlers: HashMap<String, Known> = HashMap::new();
        let mut constants: HashMap<String, (Ident, usize, usize)> = HashMap::new();
        for (number, worker) in workers.iter().enumerate() {
            for (handler, it) in worker.handlers.iter().enumerate() {
                let constant = constant(&it.name);
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
                    },
                );
            }
        }
        Self {
            handlers,
            workers: workers.iter().map(|worker| worker.name.clone()).collect(),
        }
    }

    /// `None` if it is a handler of which nothing more is known.
    fn source(&self, source: TypePath, errors: &mut Errors) -> Option<Source> {
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

    fn worker(
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
        if route.receivers.is_empty() {
            errors.at_span(
                route.brackets,
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
                        self.workers[known.worker]
                    ),
                ),
                // Without handlers at all it is that which has been told.
                None if numbers.is_empty() => {}
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

#[cfg(test)]
mod tests {
    use super::constant;

    #[test]
    fn names_constants() {
        for (name, expected) in [
            ("Court", "COURT"),
            ("CourtOne", "COURT_ONE"),
            ("HTTPServer", "HTTP_SERVER"),
            ("court_1", "COURT_1"),
            ("r#Loop", "LOOP"),
        ] {
            assert_eq!(constant(&syn::parse_str(name).unwrap()), expected);
        }
    }
}
