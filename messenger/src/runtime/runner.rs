//! A worker at work: the loop of its thread.

use core::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::app::App;
use super::control::{Control, Sending};
use super::deliver::{Delivery, Fire, Turn};
use super::error::Result;
use super::failure::{Call, Failure, FailureKind};
use super::gate::Gate;
use super::link::Link;
use super::supervise::Crew;
use super::trace;
use super::worker::Worker;
use crate::bus::{ReadError, Subscriber, WaitStrategy};

/// How many turns of the loop one reading of the clock serves.
const TURNS_PER_CLOCK: u32 = 16;
/// How long a worker with a spill waits for others before it looks around again.
pub(super) const HOLD: Duration = Duration::from_millis(5);

/// A worker at work.
pub(crate) struct Runner<W: Worker> {
    pub(super) worker: W,
    pub(super) link: Link,
    /// Where the worker says how far it has got, for who runs it next. (Dropped before the subscriber, whose slot it names.)
    #[cfg(feature = "journal")]
    pub(super) mark: Option<super::kept::Mark>,
    /// Where each record is copied before it is looked at, on a bus that other processes write, too: what is checked is then what is handled.
    #[cfg(all(feature = "shared", target_os = "linux"))]
    pub(super) copy: Option<super::aligned::AlignedBytes>,
    pub(super) subscriber: Subscriber,
    pub(super) config: Arc<<W::App as App>::Config>,
    pub(super) clock: Clock,
    passed: u64,
    /// How many bytes of the ring a batch takes, about.
    pub(super) stride: u64,
    /// When which handlers were made again.
    pub(super) restarts: Vec<(u16, Instant)>,
    /// When the drain began.
    draining: Option<Instant>,
}

/// The time for the counters: read seldom, for it costs more than handling a message.
pub(super) struct Clock {
    begun: Instant,
    /// Nanoseconds since then, plus one.
    pub(super) now: u64,
    turns: u32,
    stale: bool,
}

impl Clock {
    #[cold]
    pub(super) fn read(&mut self) {
        self.now = u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX - 1) + 1;
        self.stale = false;
        self.turns = 0;
    }

    #[inline]
    pub(super) fn turn(&mut self, idle: bool) {
        // While nobody reads it, for nothing comes, it is stale and its turns go round.
        self.turns = self.turns.wrapping_add(1);
        self.stale |= idle || self.turns >= TURNS_PER_CLOCK;
    }
}

impl<W: Worker> Runner<W> {
    pub(crate) fn new(
        worker: W,
        link: Link,
        subscriber: Subscriber,
        config: Arc<<W::App as App>::Config>,
    ) -> Self {
        let clock = Clock {
            begun: link.control.begun,
            now: 0,
            turns: 0,
            stale: true,
        };
        let stride = link.control.bus.stride();
        Self {
            #[cfg(all(feature = "shared", target_os = "linux"))]
            copy: link.control.bus.is_shared().then(Default::default),
            worker,
            link,
            #[cfg(feature = "journal")]
            mark: None,
            subscriber,
            config,
            clock,
            passed: 0,
            stride,
            restarts: Vec::new(),
            draining: None,
        }
    }

    /// Calls `on_start` on each handler, until one fails: then only those before it get `on_stop`.
    pub(crate) fn begin(&mut self) -> Option<Failure> {
        for index in 0..W::INFO.handlers.len() {
            let failure = self.crew().begin_one(index, Call::OnStart);
            if failure.is_some() {
                self.link.any_dead = true;
                self.link.dead[index..].fill(true);
                return failure;
            }
        }
        None
    }

    /// The handlers are started, and the worker runs.
    pub(crate) fn started(&mut self, gate: &Gate) {
        #[cfg(all(feature = "shared", target_os = "linux"))]
        self.take_over();
        gate.started();
    }

    /// Runs until the stop has been drained, or the worker is to stop.
    pub(crate) fn run(&mut self) {
        let mut drained = 0;
        loop {
            drained += usize::from(self.position() >= self.link.control.cut_off());
            let turns = catch_unwind(AssertUnwindSafe(|| self.turns()));
            let Err(panic) = turns else {
                return;
            };
            // A turn that panics does not come to its end, where it is asked whether it was the last. Each handler may do that once more,
            // so that the others still have theirs if it is not called again.
            let is_last = drained > W::INFO.handlers.len();
            let goes_on = self.crew().panicked(panic) && !self.stops_short();
            if !goes_on || is_last || self.waits_in_vain() {
                return;
            }
        }
    }

    fn turns(&mut self) {
        loop {
            let polled = match self.poll() {
                Ok(polled) => polled,
                Err(kind) => return self.link.control.fail(Failure::of(W::INFO.name, kind)),
            };
            self.on_loop();
            if !self.link.timers.is_empty() {
                self.fire();
            }
            if !self.link.spill.is_empty() {
                self.hold();
            }
            #[cfg(feature = "journal")]
            if self.mark.is_some() {
                self.keep_position();
            }
            self.clock.turn(polled == 0);
            let cut_off = self.link.control.cut_off();
            if self.position() >= cut_off {
                return;
            }
            if polled == 0 && !self.rest(cut_off) {
                return;
            }
        }
    }

    /// Whether one that keeps its position has lost a handler. It reads nothing more, also not to drain the stop: what that handler
    /// would have got is for whoever runs the worker next.
    fn stops_short(&self) -> bool {
        #[cfg(feature = "journal")]
        let keeps = self.mark.is_some();
        #[cfg(not(feature = "journal"))]
        let keeps = false;
        keeps && self.link.any_dead
    }

    /// Whether the stop is being drained, and what stands before it is not finished in time.
    fn waits_in_vain(&mut self) -> bool {
        let cut_off = self.link.control.cut_off();
        cut_off != u64::MAX && self.position() < cut_off && !self.rest(cut_off)
    }

    /// The position of the first record that is not read.
    #[inline]
    pub(super) fn position(&self) -> u64 {
        self.subscriber.position().min(self.own_end())
    }

    /// What stands before here, and has been read, may be let go of: of a pool, as far as nothing is left there for anybody to take.
    #[inline]
    pub(super) fn own_end(&self) -> u64 {
        #[cfg(all(feature = "shared", target_os = "linux"))]
        if let Some(seat) = self.pool_seat() {
            return seat.end();
        }
        u64::MAX
    }

    /// Takes what is there, up to a batch.
    #[inline]
    fn poll(&mut self) -> Result<usize, FailureKind> {
        if self.link.has_full_mailbox() {
            return Ok(0);
        }
        #[cfg(all(feature = "shared", target_os = "linux"))]
        if self.pool_seat().is_some() {
            return self.poll_pool();
        }
        self.poll_all().map_err(FailureKind::Read)
    }

    #[inline]
    fn poll_all(&mut self) -> Result<usize, ReadError> {
        let Self {
            worker,
            link,
            subscriber,
            clock,
            passed,
            stride,
            ..
        } = self;
        link.turn_to(Call::OnMessage);
        // A batch is held until its end: one of the whole ring's length would have no room for its own answers. With a
        // spill, the end of the batch may make the room that the spill waits for.
        let end = subscriber.position() + *stride;
        let polled = subscriber.poll_while(W::INFO.options.batch, |record| {
            let position = record.position();
            match W::find(record.tag()) {
                None => *passed += 1,
                Some(route) => {
                    let payload = record.payload();
                    #[cfg(all(feature = "shared", target_os = "linux"))]
                    let payload = match &mut self.copy {
                        Some(copy) => {
                            copy.copy_from(payload);
                            copy.as_slice()
                        }
                        None => payload,
                    };
                    take(worker, link, clock, route, position, payload);
                }
            }
            position < end && link.reads_on()
        })?;
        if *passed > 0 {
            link.tally.passed.add(*passed);
            *passed = 0;
        }
        Ok(polled)
    }

    #[inline]
    fn on_loop(&mut self) {
        self.link.turn_to(Call::OnLoop);
        self.link.look_around();
        if !self.link.any_dead {
            self.worker.each(&mut Turn(&mut self.link));
            return;
        }
        for index in 0..W::INFO.handlers.len() {
            if !self.link.dead[index] {
                self.worker.visit(index, &mut Turn(&mut self.link));
            }
        }
    }

    #[cold]
    fn fire(&mut self) {
        self.link.turn_to(Call::OnTimer);
        let (now, last) = (Instant::now(), self.link.timers.last());
        while let Some((index, timer)) = self.link.due_timer(now, last) {
            #[cfg(feature = "journal")]
            if self.link.kept.on {
                self.note_timer(index, timer);
            }
            self.worker
                .visit(usize::from(index), &mut Fire(&mut self.link, timer));
        }
    }

    /// With a spill, the slowest reader must read on, for only that makes room; everybody else waits for it.
    #[cold]
    fn hold(&mut self) {
        self.link.flush();
        if self.link.spill.is_empty() {
            return;
        }
        let (position, own) = (self.subscriber.position(), self.subscriber.slot());
        if self.link.control.is_stopping() {
            return self.let_go_if_least();
        }
        if !self.link.control.bus.has_reader_before(position, own) {
            self.let_go_if_least();
        }
        let hold = Instant::now() + HOLD;
        let deadline = self.link.next_timer().map_or(hold, |next| next.min(hold));
        self.link
            .wait_for_room((position, own), deadline, Control::is_stopping);
        if !self.link.spill.is_empty() {
            self.let_go_if_least();
        }
    }

    /// With a spill, and if all wait for what this worker still holds though it has handled it, lets go of that: there would never be
    /// room otherwise. If the process is killed before the spill is out, whoever runs the worker next may miss something, and is told.
    pub(super) fn let_go_if_least(&mut self) {
        #[cfg(feature = "journal")]
        {
            let (held, own) = (self.subscriber.held(), self.subscriber.slot());
            if !self.link.control.bus.has_reader_before(held, own) {
                let reached = self.reached();
                self.subscriber.let_go(reached);
            }
        }
    }

    /// Waits for a place in a mailbox that is full, or for a record in the worker's own way. `false`: there is no point in waiting any longer.
    fn rest(&mut self, cut_off: u64) -> bool {
        #[cfg(feature = "tokio")]
        if self.link.has_full_mailbox() {
            // Not for long: who waits for room, or for a stop, may be what its task waits for.
            let hold = Instant::now() + HOLD;
            let deadline = self.link.next_timer().map_or(hold, |next| next.min(hold));
            self.link.wait_for_places(deadline);
            return true;
        }
        let options = &W::INFO.options;
        let restless = self.link.is_restless();
        let link = &self.link;
        let control = &link.control;
        if cut_off != u64::MAX {
            // What stands before the stop is claimed and not finished.
            let begun = *self.draining.get_or_insert_with(Instant::now);
            let deadline = begun.checked_add(control.patience);
            let (there, is_over) = self.wait_within(deadline);
            if !there && is_over && self.position() < cut_off {
                let position = self.position();
                let kind = FailureKind::Unfinished { position, cut_off };
                self.link.control.report(Failure::of(W::INFO.name, kind));
                return false;
            }
            return true;
        }
        match options.wait {
            WaitStrategy::Spin if cfg!(not(miri)) => core::hint::spin_loop(),
            WaitStrategy::Spin | WaitStrategy::Yield => std::thread::yield_now(),
            wait => {
                let mut deadline = link.next_timer();
                if restless {
                    let hold = Instant::now() + HOLD;
                    deadline = Some(deadline.map_or(hold, |next| next.min(hold)));
                }
                // An error is found again, and reported, by the next poll.
                let _ = self.subscriber.wait_until(wait, deadline, || {
                    #[cfg(all(feature = "shared", target_os = "linux"))]
                    if W::INFO.options.pool && super::split::is_called(self.mark.as_ref()) {
                        return true;
                    }
                    control.is_stopping() || link.is_nudged()
                });
            }
        }
        true
    }

    /// Waits for a record while the stop is drained, until `deadline` at the most; not for long, as one that is stepped over wakes nobody, and
    /// timers go on. Gives whether one is there (or an error, which the next look finds again), and whether the time is over.
    fn wait_within(&mut self, deadline: Option<Instant>) -> (bool, bool) {
        let hold = Instant::now() + HOLD;
        let until = deadline.map_or(hold, |deadline| deadline.min(hold));
        let waited = self
            .subscriber
            .wait_until(WaitStrategy::Block, Some(until), || false);
        let is_over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        (!matches!(waited, Ok(false)), is_over)
    }

    /// Ends the worker: `on_stop` on each handler that has not panicked, and the last counts.
    pub(crate) fn end(mut self, sending: Sending) {
        #[cfg(feature = "journal")]
        self.keep_end();
        if self.link.control.is_stopping() && !self.stops_short() {
            // Not once more if that has waited in vain.
            #[cfg(feature = "journal")]
            let waits = self.mark.is_some() && self.link.spill.is_empty();
            self.crew().end();
            #[cfg(feature = "journal")]
            if waits {
                self.send_rest();
            }
            self.link.count_unsent();
            // Before the run has ended: who reads it to its end reads also what this worker has sent last, behind a claim that
            // somebody else finishes later.
            let deadline = Instant::now().checked_add(self.link.control.patience);
            while self.count_late() {
                if let (false, true) = self.wait_within(deadline) {
                    break;
                }
            }
            sending.end();
            self.count_late();
        } else {
            // It stops alone, or before the others, and leaves the bus before it waits for anything: those who go on make the room that it
            // waits for, and none of them waits for this worker.
            #[cfg(feature = "journal")]
            {
                self.mark = self.mark.take().and_then(super::kept::Mark::rise);
            }
            drop(self.subscriber);
            let mut crew = Crew {
                worker: &mut self.worker,
                link: &mut self.link,
                config: &self.config,
                clock: &mut self.clock,
                restarts: &mut self.restarts,
            };
            crew.link.send_rest();
            crew.end();
            self.link.count_unsent();
            sending.end();
        }
        trace::worker_ended(W::INFO.name);
    }

    /// The handlers, and what it takes to call them.
    pub(super) fn crew(&mut self) -> Crew<'_, W> {
        Crew {
            worker: &mut self.worker,
            link: &mut self.link,
            config: &self.config,
            clock: &mut self.clock,
            restarts: &mut self.restarts,
        }
    }

    /// Counts what stands on the bus after the stop and would have been for this worker. Gives whether it came to a claim that is not
    /// finished, and this worker has sent something that stands behind it.
    fn count_late(&mut self) -> bool {
        // What stands there is for the other members of a pool.
        if self.own_end() != u64::MAX {
            return false;
        }
        let control = &self.link.control;
        let (cut_off, tail) = (control.cut_off(), control.bus.tail());
        while (cut_off..tail).contains(&self.subscriber.position()) {
            let late = &self.link.tally.late;
            let polled = self.subscriber.poll(W::INFO.options.batch, |record| {
                late.add(u64::from(W::find(record.tag()).is_some()));
            });
            match polled {
                Ok(1..) => {}
                Ok(0) => return !self.link.spill.all_sent_before(self.subscriber.position()),
                Err(_) => return false,
            }
        }
        false
    }
}

/// Takes a record that is for this worker.
#[inline]
pub(super) fn take<W: Worker>(
    worker: &mut W,
    link: &mut Link,
    clock: &mut Clock,
    route: usize,
    position: u64,
    payload: &[u8],
) {
    if position >= link.control.cut_off() {
        link.tally.late.add(1);
        #[cfg(feature = "journal")]
        {
            link.late_from = link.late_from.min(position);
        }
        return;
    }
    link.position = position;
    link.route = route;
    let tally = &link.tally.routes[route];
    tally.messages.add(1);
    tally.at(clock.now);
    worker.dispatch(route, payload, Delivery::new(link));
    // After the handler, so that nobody waits for the clock.
    if clock.stale {
        clock.read();
        link.tally.routes[route].at(clock.now);
    }
}

impl<W: Worker> fmt::Debug for Runner<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("worker", &W::INFO.name)
            .field("position", &self.subscriber.position())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_never_read_goes_on() {
        let mut clock = Clock {
            begun: Instant::now(),
            now: 0,
            turns: u32::MAX,
            stale: true,
        };
        clock.turn(true);
        assert!(clock.stale);
    }
}
