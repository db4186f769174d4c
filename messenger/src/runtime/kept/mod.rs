//! What a run has besides on a journal, which outlives it: its workers note down what records alone do not say, and what they
//! once did is done again, to compare it ([`Replay`]) or to have the handlers where they were (`Builder::restore`).

mod divergence;
mod mark;
mod notes;
mod pace;
pub(super) mod past;
mod rehearsal;
mod rehearse;
mod replay;
mod replayed;
mod restore;
mod resume;
mod schema;

pub use divergence::{Act, ActKind, Divergence, Undecodable, Unrecorded};
pub use replay::Replay;
pub use replayed::{ReplayError, Replayed};

pub(super) use mark::Mark;
#[cfg(all(feature = "shared", target_os = "linux"))]
pub(super) use mark::sync_all;
pub(super) use notes::Kept;
pub(super) use replay::Part;
pub(super) use restore::{Beginning, Plan, Ready, Way, admit, let_go};
