//! What can be said of a table by its tokens alone, and the names resolved.

mod names;

use std::collections::HashMap;

use syn::{Attribute, Ident, TypePath};

use crate::model;
use crate::parse::{Dropped, Table};
use crate::report::{Errors, text_of};
use names::Names;

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
