//! Names that nobody else has.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A name that begins with `what` and that nobody else has, nor had: numbers of processes come again, and there is more than one process with the
/// same where each is in a container of its own.
pub(crate) fn fresh(what: &str) -> String {
    format!("{what}-{:016x}", RandomState::new().build_hasher().finish())
}
