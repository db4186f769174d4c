//! Edges 15, 16 and 17, and death: what a dead publisher had begun is finished, and no live one is robbed.
//!
//! Death is a flag, stored with Release after the last step of the dead one and loaded with Acquire by who settles for it: so
//! much the kernel's lock gives.

use loom::sync::Arc;
use loom::thread;

use super::{Model, RECORD, TAG, check, memory, read};
use crate::bus::format::Found;
use crate::bus::layout::{Intent, Owner, State};
use crate::bus::park::Barrier;
use crate::bus::recover::dying::{Run, STEPS, Step, publish_up_to};
use crate::bus::ring::{Memory, Ring};
use crate::sync::AtomicU32;
use crate::sync::Ordering::{Acquire, Relaxed, Release};

type Bus = Ring<Model>;

/// A process on a bus, with one member.
#[derive(Clone)]
struct Process {
    bus: Bus,
    slot: usize,
}

impl Process {
    fn new(memory: &Model, owner: Owner) -> Self {
        let bus = Ring::shared(
            memory.clone(),
            super::CAPACITY,
            0x5EED,
            owner,
            Barrier::Process,
        );
        let slot = bus.attach().expect("a free slot");
        Self { bus, slot }
    }

    fn tail(&self) -> u64 {
        self.bus.memory.control().tail.load(Relaxed)
    }

    /// Tries to publish `bytes` from `tail` on, and comes as far as `last`.
    fn publish_at(&self, tail: u64, bytes: u64, last: Step) -> Result<(), u64> {
        let slot = self.slot;
        let run = Run { slot, tail, bytes };
        publish_up_to(&self.bus, &(), run, TAG, last, |position| {
            self.bus.memory.0.payloads[super::index(position)].with_mut(|p| {
                // SAFETY: loom checks that no other access races with this one.
                unsafe { *p = position }
            });
        })
    }

    /// Publishes `bytes`, and lives. It has seen the tail at `tail` (before: loom does not try all schedules around a load of it
    /// here).
    fn publish(&self, mut tail: u64, bytes: u64) -> u64 {
        while let Err(now) = self.publish_at(tail, bytes, Step::Finished) {
            tail = now;
        }
        self.bus.settle(self.slot);
        tail
    }

    /// Finishes what the dead member in `slot` has begun; these are dead.
    fn settle_for(&self, slot: usize, dead: &[Owner]) -> bool {
        let claimed = self.bus.claimed();
        let dead = |owner| dead.contains(&owner);
        self.bus
            .finish_for(&mut (), (self.slot, slot), claimed, &dead)
    }

    /// As `settle_for`, once `flag` says that it is dead.
    fn settle_when(&self, flag: &AtomicU32, slot: usize, dead: &[Owner]) -> bool {
        while flag.load(Acquire) == 0 {
            thread::yield_now();
        }
        self.settle_for(slot, dead)
    }
}

/// The processes with the numbers 1, 2 and so on of a fresh bus.
fn processes<const N: usize>() -> [Process; N] {
    // One slot more, for who comes later.
    let memory = memory(N + 1, true);
    memory.control().limit.store(super::CAPACITY, Relaxed);
    core::array::from_fn(|index| Process::new(&memory, index as Owner + 1))
}

fn flag() -> Arc<AtomicU32> {
    Arc::new(AtomicU32::new(0))
}

/// Reads all that is there, when nobody writes any more: the records that are committed, and how many were aborted.
fn read_all(process: &Process) -> (Vec<u64>, u64) {
    let (mut records, mut aborted, mut position) = (Vec::new(), 0, 0);
    while position < process.tail() {
        match process.bus.look(&mut (), position).expect("a sound header") {
            Found::Nothing => panic!("nothing stands at {position}, which is claimed"),
            Found::Skip { next } => {
                aborted += 1;
                position = next;
            }
            Found::Record { tag, len, next } => {
                assert_eq!((tag, len), (TAG, 0));
                read(&process.bus, position);
                records.push(position);
                position = next;
            }
        }
    }
    assert_eq!(position, process.tail(), "what stands last reaches beyond");
    let counted = process.bus.memory.control().aborted.load(Relaxed);
    assert_eq!(counted, aborted, "something was aborted and committed");
    (records, aborted)
}

/// A publisher dies at each of its steps while a live one publishes as much, or less, at the same place or behind it, and
/// another process settles.
#[test]
fn a_publisher_dies_at_each_step() {
    for step in STEPS {
        // What a dead one knew is enough, whatever the others' lengths.
        let lengths: &[u64] = match step {
            Step::Tried | Step::Moved => &[RECORD, 2 * RECORD],
            _ => &[RECORD],
        };
        for &bytes in lengths {
            check(2, move || {
                let [dying, live, settler] = processes();
                let dead = flag();
                let slot = dying.slot;
                let dies = {
                    let dead = Arc::clone(&dead);
                    thread::spawn(move || {
                        let got = dying.publish_at(0, 2 * RECORD, step).is_ok();
                        dead.store(1, Release);
                        got
                    })
                };
                let lives = thread::spawn(move || live.publish(0, bytes));
                let mut settled = settler.settle_when(&dead, slot, &[1]);
                let got = dies.join().expect("no panic");
                let published = lives.join().expect("no panic");
                if !settled {
                    settled = settler.settle_for(slot, &[1]);
                }
                assert!(settled, "all who could be about to find out have done so");
                let (records, aborted) = read_all(&settler);
                let mut whole = vec![published];
                if bytes > RECORD {
                    whole.push(published + RECORD);
                }
                let mut open = u64::from(got);
                if got && matches!(step, Step::Half | Step::Finished) {
                    let first = if published == 0 { bytes } else { 0 };
                    whole.push(first);
                    if step == Step::Finished {
                        whole.push(first + RECORD);
                        open = 0;
                    }
                }
                whole.sort_unstable();
                assert_eq!((records, aborted), (whole, open));
            });
        }
    }
}

/// Edge 1: who reads an aborted hole while it is being aborted, by two for two dead, finds where it ends.
#[test]
fn a_reader_steps_over_what_is_being_aborted() {
    for (step, bytes) in [(Step::Moved, RECORD), (Step::Half, 2 * RECORD)] {
        check(2, move || {
            let [dead, late, live, settler, other] = processes();
            assert_eq!(dead.publish_at(0, bytes, step), Ok(()));
            let _ = late.publish_at(0, bytes, Step::Tried);
            live.publish(bytes, RECORD);
            let slots = [dead.slot, late.slot];
            let settle = |settler: &Process, slot| settler.settle_for(slot, &[1, 2]);
            let settles = thread::spawn(move || settle(&other, slots[0]));
            let too = {
                let settler = settler.clone();
                thread::spawn(move || settle(&settler, slots[1]))
            };
            let (mut position, mut read) = (0, Vec::new());
            for _ in 0..3 {
                if let Some(next) = super::step(&live.bus, position) {
                    read.push(next);
                    position = next;
                }
            }
            settles.join().expect("no panic");
            too.join().expect("no panic");
            assert!(slots.iter().all(|&slot| settle(&settler, slot)));
            let all: Vec<_> = (1..)
                .map(|n| n * RECORD)
                .take_while(|&next| next <= bytes + RECORD)
                .collect();
            assert!(all.starts_with(&read), "it read up to {read:?}");
            let whole = if step == Step::Half {
                vec![0, bytes]
            } else {
                vec![bytes]
            };
            assert_eq!(read_all(&settler), (whole, 1));
        });
    }
}

/// Edges 15, 16 and 17: a dead one tried to claim what a live one got, which finishes it, and goes on with another length.
#[test]
fn a_live_one_that_goes_on_is_not_robbed() {
    check(3, || {
        let [dead, live, settler] = processes();
        let _ = dead.publish_at(0, RECORD, Step::Tried);
        let lives = thread::spawn(move || {
            live.publish(0, RECORD);
            live.publish(RECORD, 2 * RECORD);
        });
        let settled = settler.settle_for(dead.slot, &[1]);
        lives.join().expect("no panic");
        assert!(settled || settler.settle_for(dead.slot, &[1]));
        assert_eq!(read_all(&settler), (vec![0, RECORD, 2 * RECORD], 0));
    });
}

/// A live one that is late, and has not found out yet, said another length, and the claim that it or the dead one got is followed
/// by one that is finished, so that nobody says any more where that began.
#[test]
fn a_late_one_is_not_taken_for_the_one_that_got_it() {
    for dead_got in [false, true] {
        check(2, move || {
            let [dead, live, next, after, settler] = processes();
            let (short, long) = if dead_got {
                (&dead, &live)
            } else {
                (&live, &dead)
            };
            let late = Step::Moved;
            assert_eq!(short.publish_at(0, RECORD, late), Ok(()));
            next.publish(RECORD, RECORD);
            assert!(long.publish_at(0, 2 * RECORD, late).is_err());
            let finds_out = {
                let live = live.clone();
                thread::spawn(move || {
                    live.bus.know_intent(live.slot, 0, !dead_got);
                    if !dead_got {
                        live.bus.write_meta(&(), 0, TAG, 0);
                        live.bus.memory.0.payloads[0].with_mut(|p| {
                            // SAFETY: loom checks that no other access races with this one.
                            unsafe { *p = 0 }
                        });
                        live.bus.finish(&(), 0, State::Committed, 0);
                        live.bus.settle(live.slot);
                    }
                })
            };
            let publishes = thread::spawn(move || after.publish(2 * RECORD, RECORD));
            let settled = settler.settle_for(dead.slot, &[1]);
            finds_out.join().expect("no panic");
            publishes.join().expect("no panic");
            assert!(settled || settler.settle_for(dead.slot, &[1]));
            let mut whole = vec![RECORD, 2 * RECORD];
            if !dead_got {
                whole.insert(0, 0);
            }
            assert_eq!(read_all(&settler), (whole, u64::from(dead_got)));
        });
    }
}

/// Two have died at the same place, one of which had got it, and two settle at once, each for one of them. One that settled
/// before has died on its way.
#[test]
fn two_settle_for_two_dead() {
    for bytes in [RECORD, 2 * RECORD] {
        for got in [Step::Moved, Step::Known] {
            check(3, move || {
                let [one, two, live, settler, other] = processes();
                assert_eq!(one.publish_at(0, RECORD, got), Ok(()));
                let _ = two.publish_at(0, bytes, Step::Tried);
                live.publish(RECORD, RECORD);
                // As who settled has left it when it was killed.
                let tag = crate::bus::Tag::new(super::SourceId::new(0), super::MessageId::new(0));
                settler.bus.write_meta(&(), 0, tag, 0);
                let slot = one.slot;
                let too = thread::spawn(move || other.settle_for(slot, &[1, 2]));
                settler.settle_for(two.slot, &[1, 2]);
                too.join().expect("no panic");
                // Each may have seen that the other one goes on.
                assert!(
                    [slot, two.slot]
                        .iter()
                        .all(|&slot| settler.settle_for(slot, &[1, 2]))
                );
                assert_eq!(read_all(&settler), (vec![RECORD], 1));
            });
        }
    }
}

/// One who settles dies after the hole is aborted, and before it has said so. Another settles again, while a publisher writes over
/// what readers have left.
#[test]
fn who_settles_dies_and_another_settles_again() {
    check(3, || {
        let [dead, live, dying, settler] = processes();
        assert_eq!(dead.publish_at(0, RECORD, Step::Known), Ok(()));
        assert!(dying.settle_for(dead.slot, &[1]));
        // The word of before: so it was when the other one died.
        dead.bus.know_intent(dead.slot, 0, true);
        for tail in [RECORD, 2 * RECORD, 3 * RECORD] {
            live.publish(tail, RECORD);
        }
        let lives = {
            let mut room = crate::bus::ring::Room::new(live.slot, ());
            let bus = live.bus.clone();
            thread::spawn(move || {
                let claim = bus.try_claim::<super::ByCas>(&mut room, RECORD);
                if let Ok(position) = claim {
                    bus.write_meta(&(), position, TAG, 0);
                    bus.memory.0.payloads[super::index(position)].with_mut(|p| {
                        // SAFETY: loom checks that no other access races with this one.
                        unsafe { *p = position }
                    });
                    bus.finish(&(), position, State::Committed, 0);
                    bus.settle(room.slot);
                }
                claim.is_ok()
            })
        };
        assert!(settler.settle_for(dead.slot, &[1]));
        let over = lives.join().expect("no panic");
        let next = super::step(&live.bus, 4 * RECORD);
        assert_eq!(next, over.then_some(5 * RECORD));
        assert_eq!(live.bus.memory.control().aborted.load(Relaxed), 1);
    });
}

/// A process comes into the place, and the slot, of a dead one while another is being settled for, to whom that place is
/// a dead one's.
#[test]
fn who_takes_the_place_of_a_dead_one_is_not_robbed() {
    for first in [Step::Tried, Step::Known] {
        check(3, move || {
            let [one, two, settler, other] = processes();
            // One of them tries only, or has got it.
            let _ = two.publish_at(0, RECORD, Step::Tried);
            let _ = one.publish_at(0, RECORD, first);
            let (slot, asked) = (one.slot, flag());
            let comes = {
                let asked = Arc::clone(&asked);
                thread::spawn(move || {
                    if !other.settle_for(slot, &[1, 2]) {
                        return;
                    }
                    other.bus.free_slot(slot);
                    // The kernel's word again: the other one has been told that nobody is in that place.
                    if asked.load(Acquire) != 0 {
                        let slot = one.bus.attach().expect("it is free");
                        let comes = Process { bus: one.bus, slot };
                        comes.publish(if first == Step::Known { RECORD } else { 0 }, RECORD);
                    }
                })
            };
            let claimed = settler.bus.claimed();
            asked.store(1, Release);
            let dead = |owner| owner == 1 || owner == 2;
            let slots = (settler.slot, two.slot);
            let settled = settler.bus.finish_for(&mut (), slots, claimed, &dead);
            comes.join().expect("no panic");
            assert!(settled || settler.settle_for(two.slot, &[1, 2]));
            if Intent::of(settler.bus.memory.slots()[slot].intent.load(Relaxed)) != Intent::None {
                assert!(settler.settle_for(slot, &[1, 2]));
            }
            let (records, aborted) = read_all(&settler);
            assert_eq!(aborted, u64::from(first == Step::Known));
            assert_eq!(records.len() as u64 + aborted, settler.tail() / RECORD);
        });
    }
}

/// It is not known of a live one with the same length whether it has got it: who settles waits for it.
#[test]
fn one_that_may_be_a_live_ones_is_left_alone() {
    for live_got in [false, true] {
        check(3, move || {
            let [dead, live, settler] = processes();
            let (first, second) = if live_got {
                (&live, &dead)
            } else {
                (&dead, &live)
            };
            assert_eq!(first.publish_at(0, RECORD, Step::Moved), Ok(()));
            assert!(second.publish_at(0, RECORD, Step::Moved).is_err());
            assert!(!settler.settle_for(dead.slot, &[1]), "nobody can know yet");
            let finds_out = {
                let live = live.clone();
                thread::spawn(move || live.bus.know_intent(live.slot, 0, live_got))
            };
            let settled = settler.settle_for(dead.slot, &[1]);
            finds_out.join().expect("no panic");
            assert!(settled || settler.settle_for(dead.slot, &[1]));
            let aborted = settler.bus.memory.control().aborted.load(Relaxed);
            assert_eq!(aborted, u64::from(!live_got));
        });
    }
}
