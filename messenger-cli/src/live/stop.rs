//! That somebody wants the program to end.

use std::ffi::c_int;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::fail::Fail;

const SIGNALS: [c_int; 3] = [SIGINT, SIGTERM, SIGHUP];

fn failed(error: io::Error) -> Fail {
    Fail::error(format!("could not wait for signals: {error}"))
}

/// Whether Ctrl-C was pressed, or the program told to end.
#[derive(Clone)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on. At the second signal the program ends at once.
    pub(super) fn watch() -> Result<Self, Fail> {
        let asked = Arc::default();
        // First, so that it does not take the first signal for the second.
        for signal in SIGNALS {
            let again = Arc::clone(&asked);
            flag::register_conditional_shutdown(signal, 128 + signal, again).map_err(failed)?;
        }
        Self::asked_by(asked)
    }

    /// From now on, for who looks often, and has to put the terminal in order before the program ends.
    pub(super) fn watch_to_the_end() -> Result<Self, Fail> {
        Self::asked_by(Arc::default())
    }

    fn asked_by(asked: Arc<AtomicBool>) -> Result<Self, Fail> {
        for signal in SIGNALS {
            flag::register(signal, Arc::clone(&asked)).map_err(failed)?;
        }
        Ok(Self(asked))
    }

    pub(super) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
