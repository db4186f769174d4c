//! The file `shapes` of a journal: what its zero-copy types are made of.
//!
//! The first line is `messenger shapes` and a version, 1; then come lines as `shape.rs` describes them; the last one is `crc`, as
//! that of the file `schema`. It stands beside that file, and not in it, so that versions which do not know it read the journal
//! all the same. Nothing depends on it but how payloads are shown: one that can't be read is as none, until a program brings its shapes
//! again.

use std::io;
use std::path::Path;

use super::manifest::{checked, crc_line, read_file};
use super::{Schema, lines, shape};
use crate::checksum::crc32c;
use crate::journal::dir::Dir;
use crate::journal::files::{self, SHAPES};

const BEGIN: &str = "messenger shapes\t1\n";

fn encode(schema: &Schema) -> String {
    let mut text = BEGIN.to_owned();
    shape::write(&mut text, &schema.shapes);
    let crc = crc_line(crc32c(text.as_bytes()));
    text + &crc
}

fn parse(bytes: &[u8]) -> Option<Schema> {
    let text = core::str::from_utf8(checked(bytes).ok()?).ok()?;
    let mut schema = Schema::default();
    for line in text.strip_prefix(BEGIN)?.lines() {
        lines::read(&mut schema, line).ok()?;
    }
    Some(schema)
}

/// Takes in what the file in `dir` says.
pub(super) fn read(dir: &Path, schema: &mut Schema) {
    let bytes = read_file(&dir.join(SHAPES)).ok();
    if let Some(read) = bytes.and_then(|bytes| parse(&bytes)) {
        schema.shapes = read.shapes;
    }
}

/// Writes the file into `dir`, if there is anything to say. Only the process that holds the journal's lock may.
pub(super) fn write(dir: &Dir, schema: &Schema) -> io::Result<()> {
    if schema.shapes.is_empty() {
        return Ok(());
    }
    files::replace(dir, SHAPES, encode(schema).as_bytes())
}

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
            let read = parse(encode(&schema).as_bytes()).unwrap();
            prop_assert_eq!(read.shapes, schema.shapes);
        }

        #[test]
        fn a_flipped_bit_is_as_no_file(schema in samples::schema(), at: proptest::sample::Index, bit in 0..8_u32) {
            let mut bytes = encode(&schema).into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(parse(&bytes), None);
        }
    }
}
