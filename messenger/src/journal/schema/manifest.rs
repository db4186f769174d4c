//! The file `schema` of a journal: what the journal is, and its schema.
//!
//! A text of lines as `lines.rs` describes them. The first five are
//!
//! | word | field |
//! |---|---|
//! | `messenger journal` | version: 1 |
//! | `id` | 32 hex digits |
//! | `segment` | length of a segment in bytes |
//! | `salt` | 16 hex digits |
//! | `created` | nanoseconds since 1970 |
//!
//! and the last one is `crc` with the CRC32C of all bytes before that line, 8 hex digits. First and last line are so in every
//! version.

use core::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::lines::{self, Fields, Lines};
use super::{Schema, shapes};
use crate::checksum::crc32c;
use crate::journal::dir::Dir;
use crate::journal::files;
use crate::journal::header::{MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES, is_segment_bytes};
use crate::words::in_words;

const BEGIN: &str = "messenger journal\t";
const VERSION: u32 = 1;

/// What is longer was not written here: that would be a million ids.
const LONGEST: u64 = 64 << 20;

/// What the file says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Manifest {
    /// The format's version: 1.
    pub(crate) version: u32,
    /// Which journal it is.
    pub(crate) id: [u8; 16],
    /// The length of a segment's records' part in bytes: a power of two.
    pub(crate) segment_bytes: u64,
    /// What the stamps of records are made with.
    pub(crate) salt: u64,
    /// When the journal was made, in nanoseconds since 1970.
    pub(crate) created_nanos: u64,
    /// Which ids mean what, and the tables.
    pub(crate) schema: Schema,
}

impl Manifest {
    /// A journal that begins at `created_nanos`, with nothing known yet.
    pub(crate) fn new(id: [u8; 16], segment_bytes: u64, salt: u64, created_nanos: u64) -> Self {
        Self {
            version: VERSION,
            id,
            segment_bytes,
            salt,
            created_nanos,
            schema: Schema::default(),
        }
    }

    /// The file's text.
    pub(crate) fn encode(&self) -> String {
        let mut text = format!("{BEGIN}{}\n", self.version);
        let mut to = Lines(&mut text);
        let id = u128::from_be_bytes(self.id);
        to.word("id").field(format_args!("{id:032x}")).end();
        to.word("segment").field(self.segment_bytes).end();
        let salt = self.salt;
        to.word("salt").field(format_args!("{salt:016x}")).end();
        to.word("created").field(self.created_nanos).end();
        lines::write(&mut text, &self.schema);
        let crc = crc_line(crc32c(text.as_bytes()));
        text + &crc
    }

    /// Reads the file's text.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if !bytes.starts_with(BEGIN.as_bytes()) && !BEGIN.as_bytes().starts_with(bytes) {
            return Err(ManifestError::Foreign);
        }
        let body = checked(bytes)?;
        let text = core::str::from_utf8(body).map_err(|error| damaged(error.to_string()))?;
        let mut lines = Numbered {
            lines: text.strip_suffix('\n').unwrap_or(text).split('\n'),
            number: 0,
        };
        let found = lines.fact("messenger journal", |fields| fields.number("version"))?;
        if found > VERSION {
            let known = VERSION;
            return Err(ManifestError::Newer { found, known });
        }
        let id = lines.fact("id", |fields| fields.hex("value", 32))?;
        let segment_bytes = lines.fact("segment", |fields| fields.number("length"))?;
        let salt = lines.fact("salt", |fields| fields.hex("value", 16))?;
        let created_nanos = lines.fact("created", |fields| fields.number("time"))?;
        if found != VERSION {
            return Err(damaged(format!("it says version {found}, which never was")));
        }
        if !is_segment_bytes(segment_bytes) {
            return Err(damaged(format!(
                "it says segments of {segment_bytes} bytes, which is no power of two from {MIN_SEGMENT_BYTES} to {MAX_SEGMENT_BYTES}"
            )));
        }
        let mut schema = Schema::default();
        while let Some(line) = lines.next() {
            lines::read(&mut schema, line).map_err(|why| lines.damaged(&why))?;
        }
        Ok(Self {
            version: found,
            id: id.to_be_bytes(),
            segment_bytes,
            salt: salt as u64,
            created_nanos,
            schema,
        })
    }

    /// Writes the file, and that of the shapes, into the journal's directory `dir`: after a power loss it is the old one or this. Only
    /// the process that holds the journal's lock may.
    pub(crate) fn write(&self, dir: &Dir) -> io::Result<()> {
        shapes::write(dir, &self.schema)?;
        files::replace(dir, files::SCHEMA, self.encode().as_bytes())
    }

    /// Reads the file of the journal in `dir`, and that of the shapes.
    pub(crate) fn read(dir: &Path) -> Result<Self, ManifestError> {
        let path = dir.join(files::SCHEMA);
        match read_file(&path) {
            Ok(bytes) => {
                let mut manifest = Self::parse(&bytes)?;
                shapes::read(dir, &mut manifest.schema);
                Ok(manifest)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ManifestError::Missing { path })
            }
            Err(error) => Err(ManifestError::Io { path, error }),
        }
    }
}

pub(super) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = files::open_plain(path, false)?;
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        let text = format!("it has more than {LONGEST} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(bytes)
}

pub(super) fn crc_line(crc: u32) -> String {
    format!("crc\t{crc:08x}\n")
}

/// What stands before the checksum, if that is right.
pub(super) fn checked(bytes: &[u8]) -> Result<&[u8], ManifestError> {
    let at = bytes.len().saturating_sub(crc_line(0).len());
    let (body, last) = bytes.split_at(at);
    let computed = crc_line(crc32c(body));
    if last == computed.as_bytes() && body.ends_with(b"\n") {
        return Ok(body);
    }
    let last = String::from_utf8_lossy(last);
    let (last, computed) = (last.trim_end(), computed.trim_end());
    Err(damaged(format!(
        "it ends with {last:?}, where {computed:?} would belong"
    )))
}

fn damaged(why: String) -> ManifestError {
    ManifestError::Damaged { why }
}

/// Lines, and the number of the one last taken.
struct Numbered<'a> {
    lines: core::str::Split<'a, char>,
    number: usize,
}

impl<'a> Numbered<'a> {
    fn next(&mut self) -> Option<&'a str> {
        self.number += 1;
        self.lines.next()
    }

    fn damaged(&self, why: &str) -> ManifestError {
        damaged(format!("line {} is {why}", self.number))
    }

    /// The one field of the next line, which has this word.
    fn fact<T>(
        &mut self,
        word: &str,
        read: impl FnOnce(&mut Fields<'a>) -> Result<T, String>,
    ) -> Result<T, ManifestError> {
        let mut fields = Fields::of(self.next().unwrap_or_default());
        if !fields.is(word) {
            return Err(self.damaged(&format!("no `{word}`")));
        }
        let value = read(&mut fields).and_then(|value| fields.end().map(|()| value));
        value.map_err(|why| self.damaged(&why))
    }
}

/// A journal's file `schema` could not be read.
#[non_exhaustive]
pub enum ManifestError {
    /// There is none.
    Missing {
        /// Where it would be.
        path: PathBuf,
    },
    /// It is there and can't be read.
    Io {
        /// Where it is.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It does not begin as the schema of a journal does.
    Foreign,
    /// It was written by a newer version of this library.
    Newer {
        /// Its version.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// It is not what was written.
    Damaged {
        /// What is wrong with it.
        why: String,
    },
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { path } => write!(
                f,
                "there is no {}: the directory is no journal, or its schema was removed; name another directory, or restore the file from a copy",
                path.display()
            ),
            Self::Io { path, error } => write!(f, "{} can't be read: {error}", path.display()),
            Self::Foreign => f.write_str(
                "the file `schema` does not begin as that of a journal does: the directory belongs to something else; name another one",
            ),
            Self::Newer { found, known } => write!(
                f,
                "the journal is of version {found}, and this program knows versions up to {known}: use a newer one"
            ),
            Self::Damaged { why } => write!(
                f,
                "the journal's file `schema` is damaged: {why}; restore it from a copy, or have the journal repaired (`repair`, or `messenger repair DIR`), which makes it anew without the names"
            ),
        }
    }
}

in_words!(ManifestError);

impl core::error::Error for ManifestError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::samples;
    use std::fs;

    use super::*;
    use crate::journal::testing::{TempDir, config};

    fn manifest() -> impl Strategy<Value = Manifest> {
        let words = any::<([u8; 16], u64, u64)>();
        (words, 16_u32..=30, samples::schema()).prop_map(|((id, salt, created), shift, schema)| {
            let mut manifest = Manifest::new(id, 1 << shift, salt, created);
            // They are in a file of their own.
            manifest.schema = Schema {
                shapes: Vec::new(),
                ..schema
            };
            manifest
        })
    }

    /// `text` with the checksum that fits.
    fn signed(text: &str) -> Vec<u8> {
        (text.to_owned() + &crc_line(crc32c(text.as_bytes()))).into_bytes()
    }

    fn why(bytes: &[u8]) -> String {
        match Manifest::parse(bytes) {
            Err(ManifestError::Damaged { why }) => why,
            other => panic!("{other:?}"),
        }
    }

    const EMPTY: &str = "messenger journal\t1\nid\t07070707070707070707070707070707\nsegment\t65536\nsalt\t00000000000000ff\ncreated\t5\n";

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn round_trips(manifest in manifest()) {
            let text = manifest.encode();
            prop_assert_eq!(Manifest::parse(text.as_bytes()).unwrap(), manifest);
        }

        #[test]
        fn a_flipped_bit_is_an_error(manifest in manifest(), at: proptest::sample::Index, bit in 0..8_u32) {
            let mut bytes = manifest.encode().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(Manifest::parse(&bytes).is_err());
        }

        #[test]
        fn a_part_is_an_error(manifest in manifest(), len: proptest::sample::Index) {
            let bytes = manifest.encode().into_bytes();
            let parsed = Manifest::parse(&bytes[..len.index(bytes.len())]);
            prop_assert!(matches!(parsed, Err(ManifestError::Damaged { .. })), "{parsed:?}");
        }

        #[test]
        fn no_text_panics(text in "([a-z]{0,8}(\t[0-9a-z\\\\]{0,8}){0,4}\n){0,6}", bytes: Vec<u8>) {
            let _ = Manifest::parse(&signed(&format!("{EMPTY}{text}")));
            let _ = Manifest::parse(&signed(&format!("{BEGIN}{text}")));
            prop_assert!(Manifest::parse(&bytes).is_err());
        }
    }

    #[test]
    fn the_text_is_as_documented() {
        let manifest = Manifest::new([7; 16], 65536, 255, 5);
        let text = manifest.encode();
        assert_eq!(text, format!("{EMPTY}crc\t20786f9c\n"));
        assert_eq!(Manifest::parse(text.as_bytes()).unwrap(), manifest);
    }

    #[test]
    fn tells_what_is_wrong() {
        for foreign in ["#!/bin/sh\n", "messenger journey"] {
            let parsed = Manifest::parse(foreign.as_bytes());
            assert!(matches!(parsed, Err(ManifestError::Foreign)), "{parsed:?}");
        }
        let newer = signed("messenger journal\t2\nshards\t7\n");
        let newer = Manifest::parse(&newer).unwrap_err();
        assert!(matches!(newer, ManifestError::Newer { found: 2, known: 1 }));
        assert_eq!(
            newer.to_string(),
            "the journal is of version 2, and this program knows versions up to 1: use a newer one"
        );
        assert_eq!(
            why(EMPTY.as_bytes()),
            "it ends with \"ff\\ncreated\\t5\", where \"crc\\t3a4391e3\" would belong"
        );
        assert!(why(b"").starts_with("it ends with \"\""));
        let odd = EMPTY.replace("65536", "65537");
        assert_eq!(
            why(&signed(&odd)),
            "it says segments of 65537 bytes, which is no power of two from 4096 to 1073741824"
        );
        let swapped = EMPTY.replace("salt", "sold");
        assert_eq!(why(&signed(&swapped)), "line 4 is no `salt`");
        let never = EMPTY.replace("journal\t1", "journal\t0");
        assert_eq!(why(&signed(&never)), "it says version 0, which never was");
        let unknown = format!("{EMPTY}shards\t7\n");
        assert_eq!(
            why(&signed(&unknown)),
            "line 6 is a line that begins with \"shards\""
        );
    }

    #[cfg_attr(miri, ignore = "needs files")]
    #[test]
    fn is_kept_in_a_directory() {
        let dir = TempDir::new();
        let missing = Manifest::read(&dir).unwrap_err();
        assert!(matches!(missing, ManifestError::Missing { .. }));
        assert!(
            missing
                .to_string()
                .contains("schema: the directory is no journal")
        );
        for salt in [1, 2] {
            let manifest = Manifest::new([7; 16], 65536, salt, 5);
            manifest.write(&Dir::of(&dir)).unwrap();
            assert_eq!(Manifest::read(&dir).unwrap(), manifest);
        }
        fs::remove_file(dir.join(files::SCHEMA)).unwrap();
        fs::create_dir(dir.join(files::SCHEMA)).unwrap();
        let unreadable = Manifest::read(&dir).unwrap_err();
        assert!(matches!(unreadable, ManifestError::Io { .. }));
    }
}
