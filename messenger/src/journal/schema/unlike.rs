//! In what two layouts of one message differ: the first part of it that does, in words.

use core::fmt;

use super::{FieldEntry, Parts, Schema, ShapeEntry};

/// The first part of a zero-copy message that a journal and a program have otherwise, in the words of each.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PartDiffers {
    /// What the journal has there.
    pub journal: String,
    /// What the program has there.
    pub program: String,
}

/// Two schemas, of a journal and of a program.
#[derive(Clone, Copy)]
pub(super) struct Two<'a> {
    pub(super) journal: &'a Schema,
    pub(super) program: &'a Schema,
}

/// What is told where one has no part that the other has.
const NOTHING: &str = "nothing";

impl Two<'_> {
    /// In what these layouts differ, by their shapes. `None`: a shape is not known.
    pub(super) fn unlike(self, journal: u64, program: u64) -> Option<PartDiffers> {
        self.unlike_in("", journal, program)
    }

    /// The same of a part, whose name ends with a dot.
    fn unlike_in(self, of: &str, journal: u64, program: u64) -> Option<PartDiffers> {
        let (ours, theirs) = (self.journal.shape(journal)?, self.program.shape(program)?);
        match (&ours.parts, &theirs.parts) {
            (Parts::Struct(a), Parts::Struct(b)) => {
                let (a, b) = first_unlike(a, b)?;
                let inner = a.zip(b).and_then(|(a, b)| {
                    let of = format!("{of}{}.", a.name);
                    (a.name == b.name)
                        .then(|| self.unlike_types(&of, &a.type_name, &b.type_name))?
                });
                let said = |schema, field: Option<&FieldEntry>| match field {
                    Some(FieldEntry {
                        name,
                        offset,
                        type_name,
                        ..
                    }) => {
                        let ty = Type(schema, type_name);
                        format!("`{of}{name}: {ty}` at byte {offset}")
                    }
                    None => NOTHING.into(),
                };
                inner.or_else(|| differ(said(self.journal, a), said(self.program, b)))
            }
            (Parts::Enum(a), Parts::Enum(b)) => {
                let (a, b) = first_unlike(a, b)?;
                let said = |variant: Option<&super::VariantEntry>| match variant {
                    Some(it) => format!("`{of}{} = {}`", it.name, it.number),
                    None => NOTHING.into(),
                };
                differ(said(a), said(b))
            }
            (
                Parts::Tail {
                    head: a, item: c, ..
                },
                Parts::Tail {
                    head: b, item: d, ..
                },
            ) => {
                let part = |name, a: &str, b: &str| {
                    let inner = || self.unlike_types(&format!("{of}{name}."), a, b);
                    let said = |schema, ty| format!("`{of}{name}: {}`", Type(schema, ty));
                    let whole = || differ(said(self.journal, a), said(self.program, b));
                    (a != b).then(|| inner().or_else(whole))?
                };
                part("head", a, b).or_else(|| part("tail", c, d))
            }
            _ => differ(kind(ours).into(), kind(theirs).into()),
        }
    }

    /// In what two types differ that have a shape each, or are arrays of as many such.
    fn unlike_types(self, of: &str, journal: &str, program: &str) -> Option<PartDiffers> {
        if let (Some((a, n)), Some((b, m))) = (array(journal), array(program)) {
            return (n == m).then(|| self.unlike_types(of, a, b))?;
        }
        self.unlike_in(of, print(journal)?, print(program)?)
    }
}

/// The first place where two lists are not the same.
fn first_unlike<'a, T: PartialEq>(
    a: &'a [T],
    b: &'a [T],
) -> Option<(Option<&'a T>, Option<&'a T>)> {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let pair = (a.get(same), b.get(same));
    (pair != (None, None)).then_some(pair)
}

fn differ(journal: String, program: String) -> Option<PartDiffers> {
    (journal != program).then_some(PartDiffers { journal, program })
}

fn kind(shape: &ShapeEntry) -> &'static str {
    match shape.parts {
        Parts::Struct(_) => "a struct",
        Parts::Enum(_) => "an enum",
        Parts::Tail { .. } => "a tail",
    }
}

/// The item and the length of an array type.
fn array(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix('[')?.strip_suffix(']')?.rsplit_once(';')
}

/// The fingerprint of a type whose shape is known.
fn print(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_prefix('#')?, 16).ok()
}

/// A type for people: of one that has a shape it is not kept what it is called.
struct Type<'a>(&'a Schema, &'a str);

impl fmt::Display for Type<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &Self(schema, name) = self;
        let at = name.find('#').unwrap_or(name.len());
        let end = name[at..].find(';').map_or(name.len(), |len| at + len);
        match print(&name[at..end]).and_then(|print| schema.shape(print)) {
            Some(shape) => write!(
                f,
                "{}{} of {} bytes{}",
                &name[..at],
                kind(shape),
                shape.size,
                &name[end..]
            ),
            None => f.write_str(name),
        }
    }
}
