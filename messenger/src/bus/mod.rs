//! The bus: one total order of records in memory, many publishers, many subscribers.

mod ids;
mod payload;

pub use ids::{MessageId, SourceId, Tag};
pub use payload::{Overflow, PayloadWriter};

/// The alignment, in bytes, of every payload's first byte.
pub const PAYLOAD_ALIGN: usize = 16;
