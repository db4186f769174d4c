//! What a command looks into: a journal, or a bus that processes share.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::fail::Fail;

/// Where buses lie unless told.
pub(crate) const SHM: &str = "/dev/shm";

/// What the file of a bus is called begins so.
const PREFIX: &str = "messenger.";

const FORMS: &str = "\
The journal's directory, or a bus that processes share (on Linux): its name, as `messenger ls` shows it, or its file. A directory of that \
name comes first: shm:NAME is always a bus, and ./NAME never one";

/// The options.
#[derive(Args)]
pub(crate) struct SubjectArgs {
    /// The journal's directory, or the name or file of a shared bus
    #[arg(value_name = "DIR|BUS", long_help = FORMS)]
    what: PathBuf,
    /// A bus, by its name, in this directory; else in /dev/shm
    #[arg(long = "dir", value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Also a bus of another user. Whoever can write it can make this program misbehave
    #[arg(long)]
    trust_others: bool,
}

/// What is looked into.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Subject {
    /// The journal in this directory.
    Journal(PathBuf),
    Bus(Bus),
}

/// A bus that processes share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Bus {
    pub(crate) directory: PathBuf,
    pub(crate) name: String,
    pub(crate) trust_others: bool,
}

impl SubjectArgs {
    pub(crate) fn subject(&self) -> Result<Subject, Fail> {
        subject(
            &self.what,
            self.directory.as_deref(),
            Path::new(SHM),
            self.trust_others,
        )
    }
}

/// Whether `what`, which is no journal, is the name of a bus in `shm`.
pub(crate) fn names_a_bus(what: &Path, shm: &Path) -> bool {
    let text = what.to_string_lossy();
    let name = text.strip_prefix("shm:").unwrap_or(&text);
    let file = shm.join(format!("{PREFIX}{name}"));
    !name.contains('/') && file.symlink_metadata().is_ok()
}

/// The subject that `what` names; `shm` is where buses lie whose directory is not told.
fn subject(
    what: &Path,
    directory: Option<&Path>,
    shm: &Path,
    trust_others: bool,
) -> Result<Subject, Fail> {
    let bus = |directory: &Path, name: &str| {
        Subject::Bus(Bus {
            directory: directory.to_owned(),
            name: name.to_owned(),
            trust_others,
        })
    };
    let text = what.to_string_lossy();
    if let Some(name) = text.strip_prefix("shm:") {
        return Ok(bus(directory.unwrap_or(shm), name));
    }
    if let Some(directory) = directory {
        return Ok(bus(directory, &text));
    }
    if what.is_dir() {
        return Ok(Subject::Journal(what.to_owned()));
    }
    let file = what.file_name().and_then(OsStr::to_str);
    let is_plain = file.is_some_and(|file| file == text);
    if let (Some(name), true) = (file.and_then(|f| f.strip_prefix(PREFIX)), what.is_file()) {
        let parent = what.parent().filter(|parent| *parent != Path::new(""));
        return Ok(bus(parent.unwrap_or(Path::new(".")), name));
    }
    if is_plain && !what.exists() {
        if names_a_bus(what, shm) {
            return Ok(bus(shm, &text));
        }
        return Err(Fail::error(format!(
            "there is no directory {text:?}, and no shared bus of that name in {}: `messenger ls` lists the buses",
            shm.display()
        )));
    }
    // Whatever it is, the journal's error says what is wrong with it.
    Ok(Subject::Journal(what.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_understood() {
        let shm = std::env::temp_dir().join(format!("messenger-subject-{}", std::process::id()));
        std::fs::create_dir_all(&shm).unwrap();
        std::fs::write(shm.join("messenger.prices"), "").unwrap();
        let at = |what: &str| subject(Path::new(what), None, &shm, false);
        let bus = |directory: &Path, name: &str| {
            Subject::Bus(Bus {
                directory: directory.to_owned(),
                name: name.to_owned(),
                trust_others: false,
            })
        };
        let prices = bus(&shm, "prices");
        assert_eq!(at("prices").unwrap(), prices);
        assert_eq!(at("shm:prices").unwrap(), prices);
        assert_eq!(at("shm:none").unwrap(), bus(&shm, "none"));
        let file = shm.join("messenger.prices");
        assert_eq!(at(file.to_str().unwrap()).unwrap(), prices);
        // A directory of that name, which is this crate's.
        assert_eq!(at("src").unwrap(), Subject::Journal("src".into()));
        assert_eq!(at("./prices").unwrap(), Subject::Journal("./prices".into()));
        let Err(Fail::Told(_, text)) = at("prizes") else {
            panic!("there is none");
        };
        assert!(text.contains("no directory \"prizes\", and no shared bus"));
        assert!(names_a_bus(Path::new("prices"), &shm));
        assert!(names_a_bus(Path::new("shm:prices"), &shm));
        assert!(!names_a_bus(Path::new("./prices"), &shm));
        assert!(!names_a_bus(Path::new("prizes"), &shm));
        let elsewhere = Path::new("/elsewhere");
        let told = subject(Path::new("src"), Some(elsewhere), &shm, false);
        assert_eq!(told.unwrap(), bus(elsewhere, "src"));
        std::fs::remove_dir_all(&shm).unwrap();
    }
}
