//! Recovery over a region of the heap: several numbers of processes in one, and death is that a member is forgotten.

use core::task::Waker;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed as Plain};
use std::sync::{Arc, Mutex};
use std::task::Wake;

use super::dying::{Run, STEPS, Step, publish_up_to};
use super::*;
use crate::bus::processes::{begin, over};
use crate::bus::ring::Room;
use crate::bus::shared::{Core, words_len};
use crate::bus::wait::Event;
use crate::bus::{Bus, Multi, Publisher, Start, Subscriber};
use crate::journal::testing::shared_in_memory;
use crate::memory::{Region, RegionOptions};
use crate::sync::Ordering::{Acquire, Release};

const TAG: Tag = Tag::new(SourceId::new(1), MessageId::new(1));
const MEMBERS: usize = 16;

/// The processes with the numbers 1, 2 and so on of a fresh bus of `capacity` bytes.
fn processes<const N: usize>(capacity: u64) -> [Core; N] {
    let ring = words_len(MEMBERS).next_multiple_of(4096);
    let region = Region::new(ring + capacity as usize, RegionOptions::default());
    let region = Arc::new(region.unwrap());
    let cores = core::array::from_fn(|index| {
        let (sizes, owner) = ((MEMBERS, capacity), index as Owner + 1);
        over(&region, (0, ring), sizes, 0x5EED, owner)
    });
    begin(&cores[0]);
    cores
}

/// The same over a journal in memory, in segments of half the capacity, but for what a record needs.
fn keepers<const N: usize>(capacity: u64) -> [Core; N] {
    let sizes = ((capacity / 2).max(256), capacity);
    let cores = shared_in_memory(sizes, MEMBERS, N as u32);
    cores.try_into().map_err(|_| ()).unwrap()
}

fn subscriber(core: &Core) -> Subscriber {
    Bus::of(core.clone()).subscribe(Start::Oldest).unwrap()
}

fn publisher(core: &Core) -> Publisher {
    Bus::of(core.clone()).publisher().unwrap()
}

/// A publisher in a new slot, which it gives, tries to publish `bytes` from `tail` on, and dies after `last`.
fn die(core: &Core, (tail, bytes): (u64, u64), last: Step) -> (usize, bool) {
    let slot = core.attach().unwrap();
    let run = Run { slot, tail, bytes };
    let mut window = core.memory.window();
    // A journal has segments when somebody asks for them.
    core.memory.grown(tail + bytes);
    core.memory.cover(&mut window, tail).unwrap();
    let got = publish_up_to(core, &window, run, TAG, last, |_| ());
    (slot, got.is_ok())
}

fn settle(core: &Core, own: usize, slot: usize, dead: &[Owner]) -> bool {
    let claimed = core.claimed();
    let mut window = core.memory.window();
    core.finish_for(&mut window, (own, slot), claimed, &|owner| {
        dead.contains(&owner)
    })
}

fn positions(subscriber: &mut Subscriber) -> Vec<u64> {
    let mut positions = Vec::new();
    while let Some(record) = subscriber.try_next().unwrap() {
        positions.push(record.position());
    }
    positions
}

#[test]
fn what_a_dead_one_had_begun_is_aborted_and_no_more() {
    for step in STEPS {
        one_dies(step, processes(256));
        one_dies(step, keepers(512));
    }
}

fn one_dies(step: Step, [dead, live, settler]: [Core; 3]) {
    let own = settler.attach().unwrap();
    let mut reader = subscriber(&live);
    let (slot, _) = die(&dead, (0, 48), step);
    let behind = publisher(&live).try_send(TAG, &[7; 8]).unwrap();
    assert_eq!(behind, if step == Step::Tried { 0 } else { 48 });
    assert!(settle(&settler, own, slot, &[1]), "{step:?}");
    assert!(settle(&settler, own, slot, &[1]), "again");
    let read = positions(&mut reader);
    let whole: &[u64] = match step {
        Step::Tried => &[0],
        Step::Moved | Step::Known => &[48],
        Step::Half => &[0, 48],
        Step::Finished => &[0, 16, 48],
    };
    assert_eq!(read, whole, "{step:?}");
    let holes = settler.memory.control().aborted.load(Relaxed);
    let expected = matches!(step, Step::Moved | Step::Known | Step::Half);
    assert_eq!(holes, u64::from(expected), "{step:?}");
    assert_eq!(settler.owner_of(slot), Some(1));
    settler.free_slot(slot);
    assert_eq!(settler.owner_of(slot), None);
}

#[test]
fn a_live_one_of_the_same_length_is_waited_for() {
    for live_got in [false, true] {
        let [dead, live, settler] = processes(256);
        let own = settler.attach().unwrap();
        let (first, second) = if live_got {
            (&live, &dead)
        } else {
            (&dead, &live)
        };
        let first = die(first, (0, 32), Step::Moved).0;
        let second = die(second, (0, 32), Step::Moved).0;
        let (his, living) = if live_got {
            (second, first)
        } else {
            (first, second)
        };
        assert!(!settle(&settler, own, his, &[1]));
        live.know_intent(living, 0, live_got);
        assert!(settle(&settler, own, his, &[1]));
        let holes = settler.memory.control().aborted.load(Relaxed);
        assert_eq!(holes, u64::from(!live_got));
    }
}

/// Nobody says any more where the shorter claim ended, since the next one is finished, and the longer one, which nobody got, ends
/// where another has begun.
#[test]
fn a_live_one_of_another_length_is_waited_for_where_it_matters() {
    for dead_got in [false, true] {
        let [dead, live, others, settler] = processes(256);
        let own = settler.attach().unwrap();
        let (short, long) = if dead_got {
            (&dead, &live)
        } else {
            (&live, &dead)
        };
        let (short, _) = die(short, (0, 16), Step::Moved);
        publisher(&others).try_send(TAG, &[]).unwrap();
        let mut begun = publisher(&others);
        let claim = begun.claim(TAG, 0).unwrap();
        let (long, got) = die(long, (0, 32), Step::Moved);
        assert!(!got);
        let (his, living) = if dead_got {
            (short, long)
        } else {
            (long, short)
        };
        // The live one may be writing where the shorter one ends only if it is the longer one.
        assert_eq!(settle(&settler, own, his, &[1]), !dead_got);
        live.know_intent(living, 0, !dead_got);
        assert!(settle(&settler, own, his, &[1]));
        let holes = settler.memory.control().aborted.load(Relaxed);
        assert_eq!(holes, u64::from(dead_got));
        claim.commit().unwrap();
    }
}

/// The shorter claim ends where another is only begun, and the longer one, which nobody got, where the tail is.
#[test]
fn a_claim_that_is_begun_says_where_the_one_before_it_ended() {
    let [dead, other, live, settler] = processes(256);
    let own = settler.attach().unwrap();
    let (short, _) = die(&dead, (0, 16), Step::Moved);
    let mut begun = publisher(&live);
    let claim = begun.claim(TAG, 0).unwrap();
    let (long, got) = die(&other, (0, 32), Step::Moved);
    assert!(!got);
    for slot in [long, short] {
        assert!(settle(&settler, own, slot, &[1, 2]));
        let holes = settler.memory.control().aborted.load(Relaxed);
        assert_eq!(holes, u64::from(slot == short));
    }
    claim.commit().unwrap();
}

#[test]
fn who_comes_into_the_place_of_a_dead_one_is_not_robbed() {
    let [old, settler, reader] = processes(256);
    let own = settler.attach().unwrap();
    let (slot, _) = die(&old, (0, 32), Step::Tried);
    let claimed = settler.claimed();
    // It is asked here whether somebody is in the place 1. Then somebody comes, and has not yet said that it got it.
    let (_, got) = die(&old, (0, 32), Step::Moved);
    assert!(got);
    let mut window = settler.memory.window();
    assert!(settler.finish_for(&mut window, (own, slot), claimed, &|owner| owner == 1));
    assert_eq!(reader.memory.control().aborted.load(Relaxed), 0);
}

#[test]
fn words_that_no_member_writes_are_not_acted_on() {
    let [dead, settler] = processes(256);
    let own = settler.attach().unwrap();
    let slot = dead.attach().unwrap();
    let mut live = publisher(&settler);
    let claim = live.claim(TAG, 0).unwrap();
    let words = &settler.memory.slots()[slot];
    for kind in [Intent::Tries(0), Intent::Owns(0)] {
        for len in [0, 8, 17, 96, 272, !15_u64] {
            words.intent_len.store(len, Relaxed);
            words.intent.store(kind.word(), Relaxed);
            assert!(settle(&settler, own, slot, &[1]), "{kind:?} {len}");
            assert_eq!(words.intent.load(Relaxed), 0);
        }
    }
    for word in [Intent::Owns(LAST + 16), Intent::Tries(!15_u64)] {
        words.intent_len.store(16, Relaxed);
        words.intent.store(word.word(), Relaxed);
        assert!(settle(&settler, own, slot, &[1]), "{word:?}");
    }
    // A candidate that is none hides nobody.
    words.intent_len.store(16, Relaxed);
    words.intent.store(Intent::Tries(16).word(), Relaxed);
    claim.commit().unwrap();
    let (other, _) = die(&dead, (16, 32), Step::Moved);
    words.intent_len.store(8, Relaxed);
    assert!(settle(&settler, own, other, &[1]));
    assert_eq!(settler.memory.control().aborted.load(Relaxed), 1);
}

/// Counts the intents that are there as it is woken, and panics.
struct Looks(Core, Mutex<Vec<usize>>);

impl Wake for Looks {
    fn wake(self: Arc<Self>) {
        let slots = self.0.memory.slots().iter();
        let intents = slots.filter(|slot| slot.intent.load(Relaxed) != 0).count();
        self.1.lock().unwrap().push(intents);
        panic!("as the test wants it");
    }
}

/// Else it would go with the length that is said next.
#[test]
fn who_is_woken_finds_no_intent_of_what_is_finished() {
    let [core, _] = processes(256);
    let mut reader = subscriber(&core);
    let mut live = publisher(&core);
    let looks = Arc::new(Looks(core.clone(), Mutex::default()));
    let waker = Waker::from(Arc::clone(&looks));
    // Up to where a record of 64 bytes does not fit in the lap any more.
    for _ in 0..2 {
        live.try_send(TAG, &[7; 48]).unwrap();
    }
    while reader.try_next().unwrap().is_some() {}
    // A commit, an abort, and padding.
    for turn in 0..3 {
        // As a task that waits, but for the bell, which might come before the publisher.
        let bed = core.memory.bed(Event::Data);
        drop(bed.wakers.register(0, waker.clone()));
        core.announce(Event::Data, true);
        match turn {
            0 => live.try_send(TAG, &[7; 48]).map(drop).unwrap(),
            1 => drop(live.try_claim(TAG, 0).unwrap()),
            _ => live.try_send(TAG, &[7; 48]).map(drop).unwrap(),
        }
        assert_eq!(*looks.1.lock().unwrap(), vec![0; turn + 1]);
        while reader.try_next().unwrap().is_some() {}
    }
}

/// As xorshift has it, good enough to choose by.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// A publisher in a new slot dies somewhere, whatever is claimed meanwhile. Gives its slot.
fn die_somewhere(core: &Core, dice: &mut Dice) -> usize {
    let step = STEPS[dice.below(5) as usize];
    let control = core.memory.control();
    let tail = control.tail.load(Relaxed);
    let rest = core.format.lap_end(tail) - tail;
    // What is left of a lap is claimed as padding.
    let bytes = (16 * (1 + dice.below(4))).min(rest);
    if tail + bytes <= control.limit.load(Acquire) {
        return die(core, (tail, bytes), step).0;
    }
    // Where room has to be found it does as all do.
    let slot = core.attach().unwrap();
    let mut room = Room::new(slot, core.memory.window());
    if let (Ok(position), Step::Half) = (core.try_claim::<Multi>(&mut room, bytes), step) {
        core.write_meta(&room.window, position, TAG, 0);
        core.finish(&room.window, position, State::Committed, 0);
    }
    slot
}

/// Who has died, and who settles for whom.
#[derive(Default)]
struct Deaths {
    dead: Vec<Owner>,
    unsettled: Vec<(Owner, usize)>,
}

/// Two publish, others die at it one after the other, two settle, and one reads: all that was committed, in order, for many
/// laps.
#[test]
fn many_die_among_the_living() {
    many_die(processes(512));
}

/// The same where a lap is a segment, and the bus grows at its end.
#[test]
fn many_die_among_the_living_of_a_journal() {
    many_die(keepers(512));
}

fn many_die([reads, one, two, first, second, mortals @ ..]: [Core; 9]) {
    const EACH: u32 = if cfg!(miri) { 60 } else { 20_000 };
    let deaths = Mutex::new(Deaths::default());
    let over = AtomicBool::new(false);
    // Nobody dies any more.
    let all_dead = AtomicBool::new(false);
    let mut reader = subscriber(&reads);
    let publish = |core: &Core, source: u16| {
        let mut publisher = publisher(core);
        let mut dice = Dice(u64::from(source) + 77);
        let tag = Tag::new(SourceId::new(source), MessageId::new(2));
        for number in 0..EACH {
            // Of several lengths, the same ones as the mortals' among them.
            let mut payload = [0; 48];
            payload[..4].copy_from_slice(&number.to_le_bytes());
            let len = 4 + dice.below(44) as usize;
            while publisher.try_send(tag, &payload[..len]).is_err() {
                std::thread::yield_now();
            }
        }
    };
    let settle = |core: &Core| {
        let own = core.attach().unwrap();
        loop {
            let done = all_dead.load(Acquire);
            let next = deaths.lock().unwrap().unsettled.pop();
            let Some((owner, slot)) = next else {
                if done {
                    return;
                }
                std::thread::yield_now();
                continue;
            };
            let claimed = core.claimed();
            let dead = deaths.lock().unwrap().dead.clone();
            let mut window = core.memory.window();
            let is_dead = |owner| dead.contains(&owner);
            let settled = core.finish_for(&mut window, (own, slot), claimed, &is_dead);
            if settled {
                core.free_slot(slot);
            }
            let mut deaths = deaths.lock().unwrap();
            if settled {
                deaths.dead.retain(|&other| other != owner);
            } else {
                deaths.unsettled.push((owner, slot));
            }
        }
    };
    std::thread::scope(|scope| {
        let living = [(&one, 1), (&two, 2)];
        let living = living.map(|(core, source)| scope.spawn(move || publish(core, source)));
        for core in [&first, &second] {
            scope.spawn(move || settle(core));
        }
        let dying = scope.spawn(|| {
            let mut dice = Dice(4711);
            while !over.load(Plain) {
                let mortal = &mortals[dice.below(mortals.len() as u64) as usize];
                // One who is dead comes again when all is settled.
                if !deaths.lock().unwrap().dead.contains(&mortal.owner) {
                    let slot = die_somewhere(mortal, &mut dice);
                    let mut deaths = deaths.lock().unwrap();
                    deaths.dead.push(mortal.owner);
                    deaths.unsettled.push((mortal.owner, slot));
                }
                std::thread::yield_now();
            }
            all_dead.store(true, Release);
        });
        let mut next = [0; 2];
        while next != [EACH; 2] {
            let Some(record) = reader.try_next().unwrap() else {
                std::thread::yield_now();
                continue;
            };
            let source = record.tag().source.get() as usize;
            if record.tag() != TAG {
                let number = &mut next[source - 1];
                assert_eq!(record.payload()[..4], number.to_le_bytes());
                *number += 1;
            }
        }
        // Where the living have few records, they may be through before anybody has died with a claim in hand.
        while reads.memory.control().aborted.load(Relaxed) == 0 {
            reader.try_next().unwrap();
            std::thread::yield_now();
        }
        over.store(true, Plain);
        for thread in living {
            thread.join().unwrap();
        }
        dying.join().unwrap();
    });
    assert!(reads.memory.control().tail.load(Relaxed) > 3 * 512);
    // All is finished up to the end, and everybody's slot is free again.
    while reader.try_next().unwrap().is_some() {}
    assert_eq!(reader.position(), reads.memory.control().tail.load(Relaxed));
    for slot in 0..MEMBERS {
        let owner = reads.owner_of(slot);
        assert!(
            owner.is_none_or(|owner| [1, 4, 5].contains(&owner)),
            "{owner:?}"
        );
    }
}
