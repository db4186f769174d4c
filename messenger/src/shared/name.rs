//! The names of shared buses, and the files that they stand for.

use std::path::{Path, PathBuf};

use super::error::{SharedError, SharedFault};

/// The longest name in bytes.
const LONGEST: usize = 100;

/// Where buses lie unless told: a file system in memory.
pub(super) const DIRECTORY: &str = "/dev/shm";

/// What the file of a bus is called begins so, so that all can be listed.
const PREFIX: &str = "messenger.";

/// The file of the bus `name` in `directory`.
pub(super) fn path_of(directory: &Path, name: &str) -> Result<PathBuf, SharedError> {
    let path = directory.join(format!("{PREFIX}{name}"));
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(fine) {
        let name = name.to_owned();
        return Err(SharedError::new(directory, SharedFault::Name { name }));
    }
    Ok(path)
}

/// The name of the bus whose file is called so, if it is one's.
pub(super) fn name_of(file: &str) -> Option<&str> {
    file.strip_prefix(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_directory() {
        let at = Path::new("/somewhere");
        assert_eq!(
            path_of(at, "prices-1.eu_west").unwrap(),
            Path::new("/somewhere/messenger.prices-1.eu_west")
        );
        // With the prefix these are plain names.
        assert!(path_of(at, "..").is_ok());
        let long = "x".repeat(LONGEST + 1);
        for bad in ["", "a/b", "../x", "a b", "naïve", "a\0", &long] {
            let error = path_of(at, bad).unwrap_err();
            assert!(
                matches!(error.fault(), SharedFault::Name { name } if name == bad),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_name_is_found_in_its_path() {
        assert_eq!(name_of("messenger.prices"), Some("prices"));
        assert_eq!(name_of("other"), None);
    }
}
