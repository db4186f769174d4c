//! The error of a handler.

use core::fmt;
use std::error::Error;

use crate::words::in_words;

/// What a handler, and what it sends by, returns.
pub type Result<T = (), E = HandlerError> = core::result::Result<T, E>;

/// Why a handler failed: any error, or a text.
///
/// It is to a handler what `Box<dyn Error>` is to `main`: `?` and `into` make it of any error, of a text, and of such a `Box` that is
/// `Send` and `Sync`.
///
/// ```
/// fn parse(line: Option<&str>) -> messenger::Result<u32> {
///     let text = line.ok_or("no line: is the feed cut off?")?;
///     if text.len() > 9 {
///         return Err(format!("{} digits are too many", text.len()).into());
///     }
///     Ok(text.parse()?)
/// }
/// assert_eq!(parse(None).unwrap_err().to_string(), "no line: is the feed cut off?");
/// assert_eq!(parse(Some("x")).unwrap_err().to_string(), "invalid digit found in string");
/// ```
pub struct HandlerError(Box<dyn Error + Send + Sync>);

impl HandlerError {
    /// An error with this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// The error itself, if it is an `E`.
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }

    /// The error as the standard library's trait object.
    #[must_use]
    pub fn into_inner(self) -> Box<dyn Error + Send + Sync> {
        self.0
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for HandlerError {
    #[cold]
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for HandlerError {
    /// The error, and after colons what caused it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

in_words!(HandlerError);
