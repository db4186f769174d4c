use std::path::PathBuf;

use clap::Args;

use crate::subject::SHM;

/// Lists the shared buses: who uses them, how far readers are behind, how full they are
///
/// Looks at them from outside: takes no place on a bus, changes nothing, and disturbs nobody. A bus is `live`; `stale`, if all its
/// processes have died and it should have gone with them (`messenger clean` removes it); `kept`, if nobody uses it now and it stays
/// for those who come; or it can't be looked into, and why. The lag is that of the worker or subscriber that is farthest behind, in
/// bytes; what is retained is there to be read. A subscriber that was evicted and has not come back yet is said to be so.
///
/// JSON: [{name, path, state (live, stale, kept, damaged, unreadable, unknown), why (or null), owner, file_bytes, in_use, bus (or null)
/// {created, removes, head, tail, used, capacity (or null: it grows), journal (its directory, or null), aborted, lagged, evicted, lag (or null),
/// places, slots, processes [{place, pid, own_pid, name, since, members, lag (or null)}], died (likewise), workers [{name, position, lag (or
/// null), process (place, or null), pool (null, or [{process (place, or null), owes ([from, to], or null)}])}], members [{slot, process (place,
/// or null), kind (subscriber, resting, evicted, idle, looking, joining), position, lag}]}}].
///
/// Ends with 4 if there is none.
#[derive(Args)]
pub(crate) struct Ls {
    /// In this directory
    #[arg(long, value_name = "DIR", default_value = SHM)]
    pub(crate) dir: PathBuf,
    /// Also each process, worker and member
    #[arg(short = 'v', long)]
    pub(crate) members: bool,
    /// One JSON array
    #[arg(long)]
    pub(crate) json: bool,
}
