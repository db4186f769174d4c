//! That somebody wants the program to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::fail::Fail;

/// Whether Ctrl-C was pressed, or the program told to end.
#[derive(Clone)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on. At the second signal the program ends at once.
    pub(super) fn watch() -> Result<Self, Fail> {
        let asked = Arc::new(AtomicBool::new(false));
        let failed = |error| Fail::error(format!("could not wait for signals: {error}"));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let again = Arc::clone(&asked);
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, again)
                .map_err(failed)?;
            signal_hook::flag::register(signal, Arc::clone(&asked)).map_err(failed)?;
        }
        Ok(Self(asked))
    }

    pub(super) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
