//! One who takes a place on a bus to read it, and leaves it as it was.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use messenger::journal::Schema;
use messenger::shared::{Change, Membership, Process, SharedBus};

use crate::fail::Fail;
use crate::subject::Bus;

/// What this program's processes are called on a bus begins so.
const GUEST: &str = "messenger ";

/// For how long a guest who finds himself alone waits to hear how the last one went.
const NEWS: Duration = Duration::from_millis(200);

/// This process on a bus, as a reader.
pub(super) struct Guest {
    /// Taken when it goes.
    shared: Option<SharedBus>,
    at: Bus,
    news: Receiver<Membership>,
    /// Whether somebody used the bus when it came.
    met: bool,
    /// How the last of the others went.
    last: Option<Change>,
}

impl Guest {
    /// Comes to the bus as the process `messenger WHAT`.
    pub(super) fn join(bus: &Bus, what: &str) -> Result<Self, Fail> {
        // If it is the last to leave, it finds out first whether the bus would have gone without it.
        let options = SharedBus::options()
            .directory(&bus.directory)
            .trust_others(bus.trust_others)
            .process_name(format!("{GUEST}{what}"))
            .keep(true);
        let shared = options.open(&bus.name)?;
        let news = shared.membership();
        let met = shared.processes().iter().any(is_user);
        Ok(Self {
            shared: Some(shared),
            at: bus.clone(),
            news,
            met,
            last: None,
        })
    }

    pub(super) fn shared(&self) -> &SharedBus {
        match &self.shared {
            Some(shared) => shared,
            None => unreachable!("it goes with the guest"),
        }
    }

    pub(super) fn schema(&self) -> Result<Schema, Fail> {
        Ok(self.shared().schema()?)
    }

    /// Whether nobody uses the bus any more, other than to look at it as this one does.
    pub(super) fn is_alone(&self) -> bool {
        !self.shared().processes().iter().any(is_user)
    }

    /// Whether anybody has come or gone since this was asked last.
    pub(super) fn has_news(&mut self) -> bool {
        let mut any = false;
        while let Ok(told) = self.news.try_recv() {
            any = true;
            self.hear(told);
        }
        any
    }

    fn hear(&mut self, told: Membership) {
        if is_user(&told.process) && told.change != Change::Joined {
            self.last = Some(told.change);
        }
    }

    /// Whether the last user left in good order while this one was here, so that the bus would have gone.
    fn would_have_gone(&mut self) -> bool {
        if !self.met || !self.is_alone() {
            return false;
        }
        self.has_news();
        while self.last.is_none() {
            match self.news.recv_timeout(NEWS) {
                Ok(told) => self.hear(told),
                Err(_) => return false,
            }
        }
        self.last == Some(Change::Left)
    }
}

fn is_user(process: &Process) -> bool {
    !process.name.starts_with(GUEST)
}

impl Drop for Guest {
    fn drop(&mut self) {
        let gone = self.would_have_gone();
        self.shared = None;
        let removes = || {
            let listed = SharedBus::look(&self.at.directory, &self.at.name).ok()?;
            Some(!listed.in_use && listed.look.ok()?.removes)
        };
        if gone && removes() == Some(true) {
            // Another guest may have done it, or somebody have come meanwhile.
            let _ = SharedBus::remove_in(&self.at.directory, &self.at.name);
        }
    }
}
