//! A bus that several processes share, any of which may die at any instant.
//!
//! ```no_run
//! use messenger::shared::SharedBus;
//!
//! // One process makes it, or whoever comes first does.
//! let shared = SharedBus::open_or_create("prices", 1 << 20)?;
//! let mut publisher = shared.bus().publisher()?;
//! // From now on: who comes, leaves or dies. A death is told when nothing of it is left to do.
//! let changes = shared.membership();
//! // Later, and again and again.
//! for change in changes.try_iter() {
//!     println!("{change}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is guaranteed, and who is trusted, stands in `docs/shared-guide.md`; what stands in the file, and what is done when a process dies, in `docs/shared.md`.
//! Linux only.

mod create;
mod desk;
mod doorbell;
mod ear;
mod error;
mod handle;
mod hold;
mod house;
mod layout;
mod lock;
mod look;
mod name;
mod options;
mod pool;
mod pool_seat;
mod presence;
mod process;
mod reader;
mod seat;
mod watcher;
mod workers;

pub use doorbell::Doorbell;
pub use error::{SharedError, SharedFault};
pub use handle::SharedBus;
pub use look::{Listed, Look, Member, MemberKind};
pub use options::SharedOptions;
pub use process::{Cause, Change, MembershipEvent, Process};
pub use reader::Reader;
pub use workers::{PoolMember, WorkerStatus};
pub(crate) use {
    pool_seat::{PoolSeat, Took, Trouble},
    seat::Seat,
};
