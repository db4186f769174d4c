//! A schema as a text that people and programs can write: the lines that `lines.rs` describes.

use core::fmt;
use core::str::FromStr;

use super::{Schema, lines, shape};

use crate::words::in_words;

/// The text that [`FromStr`] reads: one fact a line, as a journal's files `schema` and `shapes` have them.
impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        lines::write(&mut text, self);
        shape::write(&mut text, &self.shapes);
        f.write_str(&text)
    }
}

#[cfg(all(feature = "shared", target_os = "linux"))]
impl Schema {
    /// The same in at most `room` bytes. What types are made of is for who looks, and left out from where it has no room; the error
    /// is how long all else is, if that is more.
    pub(crate) fn text_within(&self, room: usize) -> Result<String, usize> {
        let mut text = String::new();
        lines::write(&mut text, self);
        if text.len() > room {
            return Err(text.len());
        }
        for shape in &self.shapes {
            let before = text.len();
            shape::write(&mut text, core::slice::from_ref(shape));
            if text.len() > room {
                text.truncate(before);
                break;
            }
        }
        Ok(text)
    }
}

/// For programs that know ids and names, and have no table: the lines of a journal's file `schema`, without its first five
/// and its last one, and of its file `shapes`, without its first and its last one.
///
/// ```
/// use messenger::bus::SourceId;
/// use messenger::journal::Schema;
///
/// // A word and its fields, with a tab before each. Of a message: id, name, codec, path, size, alignment, layout.
/// let schema: Schema = "message\t7\tTick\tby hand\t\t0\t1\t0000000000000000\nsource\t3\tClock\n".parse()?;
/// assert_eq!(schema.source(SourceId::new(3)).map(|source| &*source.name), Some("Clock"));
/// assert_eq!(schema.to_string().parse(), Ok(schema));
/// # Ok::<(), messenger::journal::SchemaTextError>(())
/// ```
impl FromStr for Schema {
    type Err = SchemaTextError;

    fn from_str(text: &str) -> Result<Self, SchemaTextError> {
        let mut schema = Self::default();
        for (index, line) in text.lines().enumerate() {
            lines::read(&mut schema, line).map_err(|why| SchemaTextError {
                line: index + 1,
                why,
            })?;
        }
        Ok(schema)
    }
}

/// A text is no schema.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemaTextError {
    /// The line that can't be taken, counted from 1.
    pub line: usize,
    /// What it is.
    pub why: String,
}

impl fmt::Display for SchemaTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {} of the schema is {}: write one fact a line, a word and its fields with a tab before each, ids before the tables that use them",
            self.line, self.why
        )
    }
}

in_words!(SchemaTextError);

impl core::error::Error for SchemaTextError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples;
    use super::*;
    use crate::journal::testing::config;

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn round_trips(schema in samples::schema()) {
            prop_assert_eq!(schema.to_string().parse(), Ok(schema));
        }
    }

    #[test]
    fn names_the_line() {
        let error = "source\t1\tPing\n\nsource\t2\tPong\n"
            .parse::<Schema>()
            .unwrap_err();
        assert_eq!(
            (error.line, &*error.why),
            (2, "a line that begins with \"\"")
        );
    }
}
