//! A bus as `ls` and `top` tell it.

use std::path::Path;

use messenger::journal::OpenFault;
use messenger::shared::{Listed, Look, MemberKind, PoolMember, Process, SharedBus, SharedFault};
use serde::Serialize;

use crate::fail::Fail;
use crate::times;

#[derive(Serialize, Clone, Debug)]
pub(super) struct BusView {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) state: State,
    /// What is wrong with it.
    pub(super) why: Option<String>,
    pub(super) owner: u32,
    pub(super) file_bytes: u64,
    pub(super) in_use: bool,
    pub(super) bus: Option<LookView>,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// Somebody uses it.
    Live,
    /// Nobody does, and it should have gone.
    Stale,
    /// Nobody does, and it stays for those who come.
    Kept,
    /// What it says of itself can't be.
    Damaged,
    /// It can't be opened.
    Unreadable,
    /// It is no bus, or one of another version.
    Unknown,
}

#[derive(Serialize, Clone, Debug)]
pub(super) struct LookView {
    pub(super) created: String,
    pub(super) removes: bool,
    pub(super) head: u64,
    pub(super) tail: u64,
    pub(super) used: u64,
    /// `None`: it has no bound.
    pub(super) capacity: Option<u64>,
    /// Where its records lie, if not in a ring.
    pub(super) journal: Option<String>,
    pub(super) aborted: u64,
    pub(super) lagged: u64,
    pub(super) evicted: u64,
    /// Of whoever is farthest behind.
    pub(super) lag: Option<u64>,
    pub(super) places: usize,
    pub(super) slots: usize,
    pub(super) processes: Vec<ProcessView>,
    pub(super) died: Vec<ProcessView>,
    pub(super) workers: Vec<WorkerView>,
    pub(super) members: Vec<MemberView>,
    /// The mean length of a record in bytes, with its header.
    #[serde(skip)]
    pub(super) mean: Option<f64>,
}

#[derive(Serialize, Clone, Debug)]
pub(super) struct ProcessView {
    pub(super) place: usize,
    pub(super) pid: u32,
    pub(super) own_pid: u32,
    pub(super) name: String,
    pub(super) since: String,
    pub(super) members: usize,
    /// Of its subscriber that is farthest behind.
    pub(super) lag: Option<u64>,
}

#[derive(Serialize, Clone, Debug)]
pub(super) struct WorkerView {
    pub(super) name: String,
    pub(super) position: Option<u64>,
    pub(super) lag: Option<u64>,
    /// The place of the process that runs it.
    pub(super) process: Option<usize>,
    /// Of a pool: who runs it together, and what of it is in hand.
    pub(super) pool: Option<Vec<SeatView>>,
}

/// A member of a pool, or what one has left behind.
#[derive(Serialize, Clone, Debug)]
pub(super) struct SeatView {
    /// The place of the process.
    pub(super) process: Option<usize>,
    /// The positions at which begins what it has taken and not handled yet.
    pub(super) owes: Option<(u64, u64)>,
}

impl WorkerView {
    pub(super) fn runs(&self) -> bool {
        let mut seats = self.pool.iter().flatten();
        self.process.is_some() || seats.any(|seat| seat.process.is_some())
    }
}

#[derive(Serialize, Clone, Debug)]
pub(super) struct MemberView {
    pub(super) slot: usize,
    pub(super) process: Option<usize>,
    pub(super) kind: &'static str,
    pub(super) position: Option<u64>,
    pub(super) lag: Option<u64>,
}

/// The buses in a directory.
pub(super) fn look_around(directory: &Path) -> Result<Vec<BusView>, Fail> {
    let listed = SharedBus::list(directory)?;
    Ok(listed.iter().map(BusView::from).collect())
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Stale => "stale",
            Self::Kept => "kept",
            Self::Damaged => "damaged",
            Self::Unreadable => "unreadable",
            Self::Unknown => "unknown",
        }
    }
}

impl BusView {
    /// The state, and what is to be said of it.
    pub(super) fn state_text(&self) -> String {
        let word = self.state.word();
        let died = self.bus.as_ref().map_or(0, |bus| bus.died.len());
        let evicted = self.bus.as_ref().map_or(0, LookView::evicted_now);
        match (&self.why, self.state) {
            (Some(why), _) => format!("{word}: {why}"),
            (None, State::Live) => {
                let mut text = word.to_owned();
                for (count, what) in [(died, "died"), (evicted, "evicted")] {
                    if count > 0 {
                        text += &format!(", {count} {what}");
                    }
                }
                text
            }
            (None, State::Stale) => format!("{word}: nobody uses it any more"),
            (None, State::Kept) => format!("{word}: nobody uses it now"),
            _ => word.to_owned(),
        }
    }
}

impl From<&Listed> for BusView {
    fn from(listed: &Listed) -> Self {
        let (state, why) = match &listed.look {
            Ok(look) if listed.in_use || !look.processes.is_empty() => (State::Live, None),
            Ok(look) if look.removes => (State::Stale, None),
            Ok(_) => (State::Kept, None),
            Err(error) => {
                let state = match error.fault() {
                    SharedFault::Refused { .. } => State::Unreadable,
                    // Had alone by a program, or not there for now: nothing says that it is damaged.
                    SharedFault::Journal(error)
                        if matches!(error.fault(), OpenFault::System { .. }) =>
                    {
                        State::Unreadable
                    }
                    SharedFault::NotABus | SharedFault::NotAFile | SharedFault::Version { .. } => {
                        State::Unknown
                    }
                    _ => State::Damaged,
                };
                (state, Some(error.fault().to_string()))
            }
        };
        Self {
            name: listed.name.clone(),
            path: listed.path.display().to_string(),
            state,
            why,
            owner: listed.owner,
            file_bytes: listed.bytes,
            in_use: listed.in_use,
            bus: listed.look.as_ref().ok().map(LookView::from),
        }
    }
}

impl From<&Look> for LookView {
    fn from(look: &Look) -> Self {
        let members = look.members.iter().map(|member| {
            let (kind, position, lag) = match member.kind {
                MemberKind::Subscriber { position, lag } => {
                    ("subscriber", Some(position), Some(lag))
                }
                MemberKind::Resting { position, lag } => ("resting", Some(position), Some(lag)),
                MemberKind::Evicted { position, lag } => ("evicted", Some(position), Some(lag)),
                MemberKind::Looking { position } => ("looking", Some(position), None),
                MemberKind::Joining => ("joining", None, None),
                _ => ("idle", None, None),
            };
            MemberView {
                slot: member.slot,
                process: member.place,
                kind,
                position,
                lag,
            }
        });
        let members: Vec<_> = members.collect();
        let workers = look.workers.iter().map(|worker| WorkerView {
            name: worker.name.clone(),
            position: worker.position,
            lag: worker.lag,
            process: worker.process.as_ref().map(|process| process.place),
            pool: worker.members.as_ref().map(|members| {
                let seat = |member: &PoolMember| SeatView {
                    process: member.process.as_ref().map(|process| process.place),
                    owes: member.owes.as_ref().map(|owes| (owes.start, owes.end)),
                };
                members.iter().map(seat).collect()
            }),
        });
        let workers: Vec<_> = workers.collect();
        let process = |process: &Process| ProcessView::new(process, &members);
        let running = workers.iter().filter(|worker| worker.runs());
        let lag = running.map(|worker| worker.lag);
        let lag = lag.chain(members.iter().map(|member| member.lag));
        let (_, slots, _) = look.room;
        let (records, bytes) = look.sample;
        Self {
            created: times::text(look.created),
            removes: look.removes,
            head: look.stats.head,
            tail: look.stats.tail,
            used: look.stats.used,
            capacity: Some(look.stats.capacity).filter(|&bytes| bytes < 1 << 62),
            journal: look.journal.as_ref().map(|dir| dir.display().to_string()),
            aborted: look.stats.aborted,
            lagged: look.stats.lagged,
            evicted: look.stats.evicted,
            lag: lag.flatten().max(),
            places: look.room.0,
            slots,
            processes: look.processes.iter().map(process).collect(),
            died: look.died.iter().map(process).collect(),
            workers,
            members,
            mean: (records > 0).then(|| bytes as f64 / records as f64),
        }
    }
}

impl LookView {
    /// How many subscribers have been evicted, and have not come back yet.
    fn evicted_now(&self) -> usize {
        let members = self.members.iter();
        members.filter(|member| member.kind == "evicted").count()
    }
}

impl ProcessView {
    fn new(process: &Process, members: &[MemberView]) -> Self {
        let its = || {
            let all = members.iter();
            all.filter(|member| member.process == Some(process.place))
        };
        Self {
            place: process.place,
            pid: process.pid,
            own_pid: process.own_pid,
            name: process.name.clone(),
            since: times::text(process.since),
            members: its().count(),
            lag: its().filter_map(|member| member.lag).max(),
        }
    }

    /// Its number, as it can be seen from here.
    pub(super) fn number(&self) -> String {
        match self.pid {
            0 => format!("({})", self.own_pid),
            pid => pid.to_string(),
        }
    }
}
