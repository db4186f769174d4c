//! Where workers wait for each other at the start.

use std::sync::{Condvar, Mutex, PoisonError};

use super::start_error::StartError;

/// First all handlers are made, then, on a journal that is restored, all are brought to where they were, then, on any journal, all
/// that are new are noted down, then all are started; the first failure ends it.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
    /// The least position where one of them begins to read.
    #[cfg(feature = "journal")]
    pub(crate) least: u64,
}

#[derive(Debug)]
struct State {
    /// How many workers have still to make their handlers.
    making: usize,
    /// How many have still to bring them to where they were.
    #[cfg(feature = "journal")]
    rehearsing: usize,
    /// How many have still to note down that they are made.
    #[cfg(feature = "journal")]
    noting: usize,
    /// How many have still to start them.
    starting: usize,
    given_up: bool,
    failure: Option<StartError>,
}

impl Gate {
    /// For workers that begin to read at these positions.
    pub(crate) fn new(starts: &[u64]) -> Self {
        let workers = starts.len();
        Self {
            #[cfg(feature = "journal")]
            least: starts.iter().copied().min().unwrap_or(0),
            state: Mutex::new(State {
                making: workers,
                #[cfg(feature = "journal")]
                rehearsing: workers,
                #[cfg(feature = "journal")]
                noting: workers,
                starting: workers,
                given_up: false,
                failure: None,
            }),
            changed: Condvar::new(),
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        self.changed.notify_all();
    }

    /// A worker has made its handlers, and waits for the others. `false`: one of them could not.
    pub(crate) fn made(&self) -> bool {
        self.change(|state| state.making -= 1);
        self.wait(|state| state.making > 0)
    }

    /// A worker has brought its handlers to where they were, and waits for the others. `false`: one of them could not.
    #[cfg(feature = "journal")]
    pub(crate) fn rehearsed(&self) -> bool {
        self.change(|state| state.rehearsing -= 1);
        self.wait(|state| state.rehearsing > 0)
    }

    /// Waits until all have brought them to where they were, or one of them could not.
    #[cfg(feature = "journal")]
    pub(crate) fn until_rehearsed(&self) {
        self.wait(|state| state.rehearsing > 0);
    }

    /// A worker has noted down that its handlers are made, if they are new, and waits for the others. `false`: one of them could not.
    #[cfg(feature = "journal")]
    pub(crate) fn noted(&self) -> bool {
        self.change(|state| state.noting -= 1);
        self.wait(|state| state.noting > 0)
    }

    /// Waits until it is not `yet` so. `false`: there will be no start.
    fn wait(&self, yet: impl Fn(&State) -> bool) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self
            .changed
            .wait_while(state, |state| yet(state) && !state.given_up)
            .unwrap_or_else(PoisonError::into_inner);
        !state.given_up
    }

    /// A worker has started its handlers.
    pub(crate) fn started(&self) {
        self.change(|state| state.starting -= 1);
    }

    /// A worker could not make or start its handlers.
    pub(crate) fn failed(&self, failure: impl Into<StartError>) {
        let failure = failure.into();
        self.change(|state| {
            state.failure.get_or_insert(failure);
            state.given_up = true;
        });
    }

    /// There will be no start.
    pub(crate) fn give_up(&self) {
        self.change(|state| state.given_up = true);
    }

    /// Waits until all have started.
    pub(crate) fn open(&self) -> Result<(), StartError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self
            .changed
            .wait_while(state, |state| state.starting > 0 && !state.given_up)
            .unwrap_or_else(PoisonError::into_inner);
        match (state.failure.take(), state.given_up) {
            (Some(failure), _) => Err(failure),
            (None, false) => Ok(()),
            (None, true) => Err(StartError::Thread(std::io::Error::other(
                "it panicked on the way, perhaps where a handler was dropped",
            ))),
        }
    }
}

/// Tells the gate when a worker's thread unwinds before it has said how its start went.
pub(crate) struct Pass<'a> {
    pub(crate) gate: &'a Gate,
    pub(crate) through: bool,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if !self.through {
            self.gate.give_up();
        }
    }
}
