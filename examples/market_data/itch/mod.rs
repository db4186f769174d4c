//! Reads NASDAQ TotalView-ITCH 5.0 files: records of the exchange, each after its length.
//!
//! The framing is that of the exchange's BinaryFILE distribution: a length of two bytes,
//! big-endian, then so many bytes of record; a length of zero ends the session. Bytes are not
//! trusted: whatever they are, reading them yields records or errors that name the offset and
//! the values, and never panics.
//!
//! The formats are those of "NASDAQ TotalView-ITCH 5.0", section 4, and "BinaryFILE 1.00".

mod error;
pub mod wire;

pub use error::ItchError;

use messenger::message::zero_copy;
use std::io::{ErrorKind, Read};
use wire::{
    AddOrder, AddOrderAttributed, CrossTrade, OrderCancel, OrderDelete, OrderExecuted,
    OrderExecutedAt, OrderReplace, StockDirectory, SystemEvent, Trade, Wire,
};

/// Bytes of the length that stands before each record.
pub const LENGTH_BYTES: usize = 2;

/// One record of a feed, viewed in place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Record<'a> {
    /// The market enters a part of its day.
    SystemEvent(&'a SystemEvent),
    /// An instrument of this day.
    StockDirectory(&'a StockDirectory),
    /// A new order.
    AddOrder(&'a AddOrder),
    /// A new order of a named participant.
    AddOrderAttributed(&'a AddOrderAttributed),
    /// A trade at the resting order's price.
    OrderExecuted(&'a OrderExecuted),
    /// A trade at another price.
    OrderExecutedAt(&'a OrderExecutedAt),
    /// An order shrinks.
    OrderCancel(&'a OrderCancel),
    /// An order goes.
    OrderDelete(&'a OrderDelete),
    /// An order makes way for another.
    OrderReplace(&'a OrderReplace),
    /// A trade with a hidden order.
    Trade(&'a Trade),
    /// An auction's trades.
    CrossTrade(&'a CrossTrade),
    /// A record that is well known and not for us: its type.
    Skipped(u8),
}

impl<'a> Record<'a> {
    /// Views a record's bytes (without the length before them) as what their first byte says;
    /// `offset` is where in the feed they stand, for the error.
    ///
    /// # Errors
    /// What [`Reader::read`] lists, but for truncation, end and input.
    pub fn parse(bytes: &'a [u8], offset: u64) -> Result<Self, ItchError> {
        let Some(&kind) = bytes.first() else {
            return Err(ItchError::Empty { offset });
        };
        Ok(match kind {
            SystemEvent::KIND => Self::SystemEvent(view(bytes, offset)?),
            StockDirectory::KIND => Self::StockDirectory(view(bytes, offset)?),
            AddOrder::KIND => Self::AddOrder(view(bytes, offset)?),
            AddOrderAttributed::KIND => Self::AddOrderAttributed(view(bytes, offset)?),
            OrderExecuted::KIND => Self::OrderExecuted(view(bytes, offset)?),
            OrderExecutedAt::KIND => Self::OrderExecutedAt(view(bytes, offset)?),
            OrderCancel::KIND => Self::OrderCancel(view(bytes, offset)?),
            OrderDelete::KIND => Self::OrderDelete(view(bytes, offset)?),
            OrderReplace::KIND => Self::OrderReplace(view(bytes, offset)?),
            Trade::KIND => Self::Trade(view(bytes, offset)?),
            CrossTrade::KIND => Self::CrossTrade(view(bytes, offset)?),
            _ => {
                let length = bytes.len();
                let Some(expected) = skipped_length(kind) else {
                    return Err(ItchError::UnknownType {
                        offset,
                        kind,
                        length,
                    });
                };
                check_length(kind, expected, length, offset)?;
                Self::Skipped(kind)
            }
        })
    }
}

fn view<T: Wire>(bytes: &[u8], offset: u64) -> Result<&T, ItchError> {
    check_length(T::KIND, size_of::<T>(), bytes.len(), offset)?;
    zero_copy::view(bytes).map_err(|_| {
        // Of the right length and of alignment 1, so it is the one field that is checked.
        let (field, at) = T::CHOICE.unwrap_or(("type", 0));
        ItchError::BadValue {
            offset,
            kind: T::KIND,
            field,
            value: bytes[at],
        }
    })
}

fn check_length(kind: u8, expected: usize, found: usize, offset: u64) -> Result<(), ItchError> {
    if found == expected {
        Ok(())
    } else {
        Err(ItchError::WrongLength {
            offset,
            kind,
            expected,
            found,
        })
    }
}

/// The length of the record types that no order book needs.
const fn skipped_length(kind: u8) -> Option<usize> {
    Some(match kind {
        b'W' => 12,        // market-wide circuit breaker status
        b'B' => 19,        // broken trade
        b'Y' | b'N' => 20, // short sale restriction; retail interest
        b'h' => 21,        // operational halt
        b'H' => 25,        // trading action
        b'L' => 26,        // market participant position
        b'K' => 28,        // IPO quoting period
        b'V' | b'J' => 35, // circuit breaker levels; auction collar
        b'O' => 48,        // direct listing
        b'I' => 50,        // net order imbalance
        _ => return None,
    })
}

/// Reads records from a file, a socket or a slice of bytes, one after the other.
///
/// Put a [`BufReader`](std::io::BufReader) around what is not in memory.
pub struct Reader<R> {
    source: R,
    /// Bytes read so far, up to the last whole record.
    offset: u64,
    record: Vec<u8>,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Starts at the source's next byte, which counts as offset 0.
    pub fn new(source: R) -> Self {
        Self {
            source,
            offset: 0,
            record: Vec::new(),
            ended: false,
        }
    }

    /// The next record, or `None` behind the last: after the mark that ends the session, or
    /// where the source ends with a whole record.
    ///
    /// # Errors
    /// A record of unknown type, of wrong length or with a bad value is stepped over: the next
    /// call goes on behind it. A truncated record, bytes behind the end of the session and
    /// trouble with the source are final ([`ItchError::is_final`]): all later calls return
    /// `None`.
    pub fn read(&mut self) -> Result<Option<Record<'_>>, ItchError> {
        if self.ended {
            return Ok(None);
        }
        let offset = self.offset;
        let length = match self.frame() {
            Ok(Some(length)) => length,
            other => {
                self.ended = true;
                return other.map(|_| None);
            }
        };
        self.offset += (LENGTH_BYTES + length) as u64;
        Record::parse(&self.record, offset).map(Some)
    }

    /// Reads one record's bytes into `record`; none at the end.
    fn frame(&mut self) -> Result<Option<usize>, ItchError> {
        let mut prefix = [0; LENGTH_BYTES];
        let length = match self.fill(&mut prefix)? {
            0 => return Ok(None),
            LENGTH_BYTES => usize::from(u16::from_be_bytes(prefix)),
            found => return Err(self.truncated(LENGTH_BYTES, found)),
        };
        if length == 0 {
            return match self.fill(&mut [0])? {
                0 => Ok(None),
                _ => Err(ItchError::AfterEnd {
                    offset: self.offset + LENGTH_BYTES as u64,
                }),
            };
        }
        let mut record = core::mem::take(&mut self.record);
        record.resize(length, 0);
        let found = self.fill(&mut record);
        self.record = record;
        match found? {
            found if found == length => Ok(Some(length)),
            found => Err(self.truncated(LENGTH_BYTES + length, LENGTH_BYTES + found)),
        }
    }

    /// Fills the buffer as far as the source goes; returns how far that is.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ItchError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.source.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(ItchError::Input {
                        offset: self.offset,
                        error,
                    });
                }
            }
        }
        Ok(filled)
    }

    fn truncated(&self, needed: usize, found: usize) -> ItchError {
        ItchError::Truncated {
            offset: self.offset,
            needed,
            found,
        }
    }
}

#[cfg(test)]
mod tests;
