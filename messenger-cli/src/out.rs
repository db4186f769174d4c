//! Standard output: buffered, with colours where they belong.

use std::fmt::{self, Display};
use std::io::{self, BufWriter, StdoutLock, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

/// Standard output.
pub(crate) struct Out {
    to: BufWriter<StdoutLock<'static>>,
    styled: bool,
}

pub(crate) const HEAD: Style = Style::new().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();

impl Out {
    pub(crate) fn new() -> Self {
        let stdout = io::stdout();
        let styled = AutoStream::choice(&stdout) != ColorChoice::Never;
        if styled {
            // Has a console of Windows take the codes.
            let _ = AutoStream::always_ansi(io::stdout());
        }
        Self {
            to: BufWriter::with_capacity(1 << 16, stdout.lock()),
            styled,
        }
    }

    /// Whether there are colours.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_styled(&self) -> bool {
        self.styled
    }

    /// `text` in `style`, if there are colours.
    pub(crate) fn paint<T: Display>(&self, style: Style, text: T) -> Painted<T> {
        let style = if self.styled { style } else { Style::new() };
        Painted { style, text }
    }

    /// `value` as JSON, on a line of its own.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        json(&mut self.to, value)
    }
}

/// Writes `value` as JSON, on a line of its own.
pub(crate) fn json(mut to: impl Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut to, Plain))?;
    to.write_all(b"\n")
}

/// JSON without what would command a terminal: JSON itself has only those controls escaped that have a place in ASCII.
struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: Write + ?Sized>(
        &mut self,
        to: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, control)) = rest.char_indices().find(|(_, char)| char.is_control()) {
            to.write_all(&rest.as_bytes()[..at])?;
            write!(to, "\\u{:04x}", u32::from(control))?;
            rest = &rest[at + control.len_utf8()..];
        }
        to.write_all(rest.as_bytes())
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

pub(crate) struct Painted<T> {
    style: Style,
    text: T,
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The width that was asked for is the text's.
        write!(f, "{}", self.style)?;
        self.text.fmt(f)?;
        write!(f, "{:#}", self.style)
    }
}
