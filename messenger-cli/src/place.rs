//! Places in a journal, as they are named on the command line.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;
use std::time::SystemTime;

use messenger::journal::Reader;

use crate::fail::Fail;
use crate::times;

/// A place in a journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    Oldest,
    Newest,
    Position(u64),
    Time(SystemTime),
}

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oldest => f.write_str("oldest"),
            Self::Newest => f.write_str("newest"),
            Self::Position(position) => position.fmt(f),
            Self::Time(time) => f.write_str(&times::text(*time)),
        }
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "oldest" => return Ok(Self::Oldest),
            "newest" => return Ok(Self::Newest),
            _ => {}
        }
        if let Some(time) = times::parse(text, SystemTime::now()) {
            return time.map(Self::Time);
        }
        text.parse().map(Self::Position).map_err(|_| {
            format!(
                "{text:?} is no place in a journal: say a position, `oldest`, `newest`, a time as in 2026-11-27T04:00:00Z, \
                 @ and seconds since 1970, or -10m for ten minutes ago"
            )
        })
    }
}

impl Place {
    /// Whether it is known to come after `other`, whatever the journal holds.
    pub(crate) fn is_after(self, other: Self) -> bool {
        match (self, other) {
            (Self::Position(this), Self::Position(other)) => this > other,
            (Self::Time(this), Self::Time(other)) => this > other,
            _ => false,
        }
    }

    /// The reader goes on there.
    pub(crate) fn seek(self, reader: &mut Reader) -> Result<(), Fail> {
        match self {
            Self::Oldest => reader.seek_oldest()?,
            Self::Newest => reader.seek_newest()?,
            Self::Position(position) => reader.seek(position)?,
            Self::Time(time) => reader.seek_time(time)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_each_form() {
        assert_eq!("oldest".parse(), Ok(Place::Oldest));
        assert_eq!("newest".parse(), Ok(Place::Newest));
        assert_eq!("4096".parse(), Ok(Place::Position(4096)));
        let time = SystemTime::UNIX_EPOCH;
        assert_eq!("@0".parse(), Ok(Place::Time(time)));
        for wrong in [
            "",
            "latest",
            "1_000",
            "0x10",
            "18446744073709551616",
            "12:00",
            "-1",
        ] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
