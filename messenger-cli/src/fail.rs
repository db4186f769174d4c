//! How the program ends: exit codes, and errors as people read them.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use messenger::bus::{ClaimError, JoinError, ReadError};
use messenger::journal::{
    CursorError, JournalError, JournalFault, ManifestError, OpenError, OpenFault,
};

use crate::show::plain;
use crate::subject::{SHM, names_a_bus};

/// How a command ends. What is wrong with a command line is mostly found by clap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    Done = 0,
    Error = 1,
    Usage = 2,
    Damaged = 3,
    Nothing = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// Done, if something was found.
    pub(crate) const fn found(any: bool) -> Self {
        if any { Self::Done } else { Self::Nothing }
    }
}

/// Why a command does not go on.
#[derive(Debug)]
pub(crate) enum Fail {
    /// An error with its exit code and a text that says what to do.
    Told(Exit, String),
    /// Who reads the output has heard enough.
    PipeClosed,
}

impl Fail {
    pub(crate) fn error(text: impl Into<String>) -> Self {
        Self::Told(Exit::Error, text.into())
    }

    /// For `map_err`: what was to be done with a file.
    pub(crate) fn file(what: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let text = format!("could not {what} {}", path.display());
        move |error| match error.kind() {
            io::ErrorKind::BrokenPipe => Self::PipeClosed,
            _ => Self::error(format!("{text}: {error}")),
        }
    }

    /// The same with more said before it.
    pub(crate) fn after(self, said: impl Display) -> Self {
        match self {
            Self::Told(exit, text) => Self::Told(exit, format!("{said}: {text}")),
            Self::PipeClosed => self,
        }
    }

    /// Both, with the exit code of damage if one of them is that.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Told(first, text), Self::Told(second, more)) => {
                let is_damage = second == Exit::Damaged;
                let exit = if is_damage { second } else { first };
                Self::Told(exit, format!("{text}; {more}"))
            }
            (Self::PipeClosed, fail) | (fail, Self::PipeClosed) => fail,
        }
    }

    /// Says it on stderr.
    pub(crate) fn tell(self) -> ExitCode {
        match self {
            Self::Told(exit, text) => {
                let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
                anstream::eprintln!("{style}error:{style:#} {}", plain(&text));
                exit.into()
            }
            Self::PipeClosed => Exit::Done.into(),
        }
    }
}

/// What came of saying something, where it matters to nobody's work or exit code that nobody reads it any more.
pub(crate) fn unread(said: Result<(), Fail>) -> Result<(), Fail> {
    match said {
        Err(Fail::PipeClosed) => Ok(()),
        said => said,
    }
}

/// Says something that is no error on stderr.
pub(crate) fn warn(text: impl Display) {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
    anstream::eprintln!("{style}note:{style:#} {}", plain(&text.to_string()));
}

impl From<io::Error> for Fail {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::PipeClosed,
            _ => Self::error(format!("could not write: {error}")),
        }
    }
}

impl From<OpenError> for Fail {
    fn from(error: OpenError) -> Self {
        let damaged = matches!(
            error.fault(),
            OpenFault::Header { .. }
                | OpenFault::Missing { .. }
                | OpenFault::Cut { .. }
                | OpenFault::Manifest(ManifestError::Damaged { .. })
        );
        let exit = if damaged { Exit::Damaged } else { Exit::Error };
        let mut text = error.to_string();
        if matches!(error.fault(), OpenFault::Absent) && names_a_bus(error.path(), Path::new(SHM)) {
            text += "; but a shared bus has that name: `ls -v`, `tail`, `stat` and `graph` look into buses";
        }
        Self::Told(exit, text)
    }
}

impl From<JournalError> for Fail {
    fn from(error: JournalError) -> Self {
        let exit = match error.fault() {
            JournalFault::Read(ReadError::Damaged { .. } | ReadError::Corrupt(_)) => Exit::Damaged,
            // A segment is not there, or is not what it should be.
            JournalFault::Read(ReadError::Lost(lost))
                if matches!(
                    lost.kind(),
                    io::ErrorKind::NotFound
                        | io::ErrorKind::InvalidData
                        | io::ErrorKind::UnexpectedEof
                ) =>
            {
                Exit::Damaged
            }
            _ => Exit::Error,
        };
        Self::Told(exit, error.to_string())
    }
}

impl From<CursorError> for Fail {
    fn from(error: CursorError) -> Self {
        let damaged = matches!(error, CursorError::Damaged { .. });
        let exit = if damaged { Exit::Damaged } else { Exit::Error };
        Self::Told(exit, error.to_string())
    }
}

impl From<ClaimError> for Fail {
    fn from(error: ClaimError) -> Self {
        Self::error(error.to_string())
    }
}

impl From<JoinError> for Fail {
    fn from(error: JoinError) -> Self {
        Self::error(error.to_string())
    }
}
