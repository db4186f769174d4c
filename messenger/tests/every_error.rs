//! Every variant of every public error is named in a test, `Error::Variant`. What it says is for that test to read; one that can't be
//! provoked is to go.
#![cfg(not(miri))]

use std::fs;
use std::path::{Path, PathBuf};

/// How the names of enums end that say what is wrong.
const ENDINGS: [&str; 8] = [
    "Error",
    "Fault",
    "Conflict",
    "Differs",
    "FailureKind",
    "DamageKind",
    "DropCause",
    "AfterPanic",
];

/// All source files below `dir`.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|it| it == "rs"))
        .collect()
}

/// The first word of a line.
fn word(line: &str) -> &str {
    line.split(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default()
}

/// `Error::Variant` for each of those in the source text `code`.
fn variants(code: &str) -> Vec<String> {
    let enums = code.split("\npub enum ").skip(1);
    // `OnError` says what to do.
    let errors = enums.filter(|text| {
        let name = word(text);
        ENDINGS.iter().any(|end| name.ends_with(end)) && !name.starts_with("On")
    });
    errors
        .flat_map(|text| {
            let (body, _) = text.split_once("\n}").unwrap();
            let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
            let names = lines.map(word).filter(|name| !name.is_empty());
            names.map(move |name| format!("{}::{name}", word(text)))
        })
        .collect()
}

#[test]
fn each_is_named_in_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut errors, mut tests) = (Vec::new(), String::new());
    for path in files(&root.join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        let (code, test) = match path.ends_with("tests.rs") {
            true => ("", &*text),
            false => text.split_once("\nmod tests {").unwrap_or((&text, "")),
        };
        errors.extend(variants(code));
        tests.push_str(test);
    }
    for path in files(&root.join("tests")) {
        tests.push_str(&fs::read_to_string(path).unwrap());
    }
    assert!(errors.len() > 100, "{errors:?}");
    errors.retain(|name| !tests.contains(name));
    assert!(errors.is_empty(), "no test names {errors:?}");
}
