//! What a live worker leaves in its journal, and where it says how far it has got, for those who come after it.

use std::sync::Arc;
use std::time::Instant;

use super::mark::{Mark, sync_all};
use super::past::name_of;
use crate::journal::note::{self, NoteKind};
use crate::runtime::app::App;
use crate::runtime::failure::{Failure, FailureKind};
use crate::runtime::runner::{HOLD, Runner};
use crate::runtime::timers::Timer;
use crate::runtime::worker::Worker;

impl<W: Worker> Runner<W> {
    /// The position of the first record that has not been handled.
    pub(in crate::runtime) fn reached(&self) -> u64 {
        // What was handled while somebody else stopped the run may stand after the stop.
        self.position().min(self.link.late_from)
    }

    /// Notes down that a timer fires, and between which records.
    #[cold]
    pub(in crate::runtime) fn note_timer(&mut self, index: u16, timer: Timer) {
        let source = W::INFO.handlers[usize::from(index)].source.id;
        let payload = note::timer(self.reached(), timer.number());
        self.link.note(NoteKind::Timer.about(source), &payload);
    }

    /// Stores how far the worker has got, and then lets go of what it has handled: unless something that was sent on the way is not
    /// out yet, or a handler could not keep what it has to.
    #[cold]
    pub(in crate::runtime) fn keep_position(&mut self) {
        let position = self.reached();
        let Some(mark) = &mut self.mark else {
            return;
        };
        if !self.link.spill.is_empty() || self.link.unkept {
            return;
        }
        match mark.store(position) {
            Ok(()) => self.subscriber.let_go(position),
            Err(error) => self.give_up_cursor(error),
        }
    }

    fn give_up_cursor(&mut self, error: crate::journal::CursorError) {
        self.mark = None;
        let kind = FailureKind::Cursor(error);
        self.link.control.fail(Failure::of(W::INFO.name, kind));
    }

    /// The worker ends: what its handlers send when they are told so is not compared.
    pub(in crate::runtime) fn keep_end(&mut self) {
        let is_kept = self.link.kept.on && self.link.kept.rehearsal.is_none();
        if !is_kept && self.mark.is_none() {
            return;
        }
        self.link.flush();
        if self.mark.is_some() {
            self.send_rest();
        }
        self.keep_position();
        #[cfg(all(feature = "shared", target_os = "linux"))]
        self.keep_beyond_the_bus();
        if !is_kept {
            return;
        }
        if let Some(Mark::Cursor(place)) = &mut self.mark {
            let (cursor, journal) = &mut **place;
            // First what was sent: a cursor that outlives it in a loss of power would pass over what it was the answer to.
            match sync_all(journal).map(|synced| synced.then(|| cursor.sync())) {
                Ok(None | Some(Ok(()))) => {}
                Ok(Some(Err(error))) => self.give_up_cursor(error),
                Err(kind) => self.link.control.report(Failure::of(W::INFO.name, kind)),
            }
        }
        let name = name_of(W::App::INFO.name, W::INFO.name);
        if let Some(last) = self.link.record() {
            let payload = note::place(last.position, &name);
            self.link.note(NoteKind::Handled.of_nobody(), &payload);
        }
        self.link.note(NoteKind::End.of_nobody(), name.as_bytes());
    }

    /// Waits for room for what is left in the spill: while that is not out, the worker can't say that it has handled what it answers to.
    pub(in crate::runtime) fn send_rest(&mut self) {
        let control = Arc::clone(&self.link.control);
        let (begun, own) = (Instant::now(), self.subscriber.slot());
        // From there on this worker holds all itself, so it does not wait for who has come so far: the run's other workers end there, too.
        let end = self.reached().min(control.cut_off());
        while self.link.lacks_room() && begun.elapsed() < control.patience {
            let others = control.bus.has_reader_before(end, own);
            self.let_go_if_least();
            self.link
                .wait_for_room((end, own), Instant::now() + HOLD, |_| false);
            self.link.flush();
            if !others {
                return;
            }
        }
    }
}
