//! Edges 13 and 14: a segment is found whole by whoever turns to it, and none is given up that somebody may look at.
//!
//! The bus is one that grows, of segments of two records of a header each. What stands for a segment, its mapping and its
//! file, is one of loom's cells: made by a write, given up by a write, and read by each look at a header in it.

use loom::cell::UnsafeCell;
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::{ByCas, Event, Found, RECORD, TAG, check, control, free_slots, word};
use crate::bus::format::Format;
use crate::bus::layout::{Control, Slot, State};
use crate::bus::park::{Barrier, Bed, Reach};
use crate::bus::ring::{Memory, NoRoom, Ring, Room, Uncovered};
use crate::bus::{Lost, order};
use crate::sync::AtomicU64;

const SEGMENT: u64 = 2 * RECORD;
const SEGMENTS: u64 = 3;

struct Words {
    control: Control,
    slots: Vec<Slot>,
    headers: Vec<(AtomicU64, AtomicU64)>,
    /// Whether each segment is there.
    segments: Vec<UnsafeCell<bool>>,
    grown: AtomicU64,
    /// The first segment that is not given up.
    oldest: Mutex<u64>,
    /// Whether turning to a segment that was given up is an error, as with files.
    looks_for_files: bool,
    data: Bed,
    room: Bed,
}

#[derive(Clone)]
struct Model(Arc<Words>);

impl Model {
    /// Looks at a segment.
    fn touch(&self, segment: u64) {
        let there = self.0.segments[segment as usize].with(|there| {
            // SAFETY: loom checks that no write races with this read.
            unsafe { *there }
        });
        assert!(there, "segment {segment} is looked at, and not there");
    }

    fn set(&self, segment: u64, value: bool) {
        self.0.segments[segment as usize].with_mut(|there| {
            // SAFETY: loom checks that no other access races with this one.
            unsafe { *there = value }
        });
    }

    /// Makes the next segment ready, as a journal's store does.
    fn prepare(&self) {
        let end = self.0.grown.load(order::growth_load());
        self.set(end / SEGMENT, true);
        // Edge 13, growth.
        self.0.grown.store(end + SEGMENT, order::growth_store());
    }
}

/// The number of the segment.
type Window = u64;

impl Memory for Model {
    type Window = Window;

    fn control(&self) -> &Control {
        &self.0.control
    }

    fn slots(&self) -> &[Slot] {
        &self.0.slots
    }

    fn window(&self) -> Window {
        SEGMENTS
    }

    fn cover(&self, window: &mut Window, position: u64) -> Result<(), Uncovered> {
        if *window == position / SEGMENT {
            return Ok(());
        }
        // Edge 13, growth.
        if position >= self.0.grown.load(order::growth_load()) {
            return Err(Uncovered::NotYet);
        }
        let segment = position / SEGMENT;
        // Only where it is the matter: the lock would order what the edges are to order.
        if self.0.looks_for_files && segment < *self.0.oldest.lock().expect("no panic") {
            let lost = Lost::new(position, &std::io::ErrorKind::NotFound.into());
            return Err(Uncovered::Lost(lost));
        }
        *window = segment;
        Ok(())
    }

    fn stamp<'a>(&'a self, window: &'a Window, position: u64) -> &'a AtomicU64 {
        assert_eq!(*window, position / SEGMENT);
        self.touch(*window);
        &self.0.headers[(position / RECORD) as usize].0
    }

    fn meta<'a>(&'a self, window: &'a Window, position: u64) -> &'a AtomicU64 {
        assert_eq!(*window, position / SEGMENT);
        self.touch(*window);
        &self.0.headers[(position / RECORD) as usize].1
    }

    fn checksum(&self, _: &Window, _: u64, _: u64) -> u32 {
        0
    }

    fn grown(&self, _: u64) -> u64 {
        // Edge 13, growth.
        self.0.grown.load(order::growth_load())
    }

    fn trouble(&self) -> Option<Lost> {
        None
    }

    fn shortcut(&self, floor: u64, _: u64) -> u64 {
        floor
    }

    fn bed(&self, event: Event) -> &Bed {
        match event {
            Event::Data => &self.0.data,
            Event::Room => &self.0.room,
        }
    }
}

type Bus = Ring<Model>;

/// A bus with so many segments ready. `fences` as in [`super::bus`].
fn bus(slots: usize, ready: u64, fences: bool) -> Bus {
    bus_of(slots, ready, fences, false)
}

fn bus_of(slots: usize, ready: u64, fences: bool, looks_for_files: bool) -> Bus {
    let model = Model(Arc::new(Words {
        control: control(),
        slots: free_slots(slots),
        headers: (0..SEGMENTS * SEGMENT / RECORD)
            .map(|_| (word(), word()))
            .collect(),
        segments: (0..SEGMENTS).map(|_| UnsafeCell::new(false)).collect(),
        grown: word(),
        oldest: Mutex::new(0),
        looks_for_files,
        data: Bed::new(Reach::Process),
        room: Bed::new(Reach::Process),
    }));
    for _ in 0..ready {
        model.prepare();
    }
    let whole = 1 << 20;
    let barrier = if fences {
        Barrier::None
    } else {
        Barrier::Process
    };
    Ring::kept(model, whole, Format::kept(SEGMENT, 0x5EED), 0, barrier)
}

struct Publisher {
    bus: Bus,
    room: Room<Model>,
}

impl Publisher {
    fn new(bus: &Bus) -> Self {
        let slot = bus.attach().expect("a free slot");
        let window = bus.memory.window();
        Self {
            bus: bus.clone(),
            room: Room::new(slot, window),
        }
    }

    fn try_publish(&mut self) -> Result<u64, NoRoom> {
        let Self { bus, room } = self;
        let position = bus.try_claim::<ByCas>(room, RECORD)?;
        bus.write_meta(&room.window, position, TAG, 0);
        bus.finish(&room.window, position, State::Committed, 0);
        bus.settle(room.slot);
        Ok(position)
    }
}

/// Looks at `position`; gives the next one if something was there.
fn step(bus: &Bus, window: &mut Window, position: u64) -> Option<u64> {
    match bus.look(window, position).expect("a sound header") {
        Found::Nothing => None,
        Found::Skip { .. } => panic!("nothing was aborted"),
        Found::Record { tag, len, next } => {
            assert_eq!((tag, len, next), (TAG, 0, position + RECORD));
            Some(next)
        }
    }
}

/// Gives up the segments before the one with `wanted`, as a journal does: decides, then removes, one at a time.
fn give_up(bus: &Bus, wanted: u64) {
    let unused = bus.retire(wanted);
    let mut oldest = bus.memory.0.oldest.lock().expect("no panic");
    while *oldest < unused / SEGMENT {
        bus.memory.set(*oldest, false);
        *oldest += 1;
    }
}

/// Edge 13: a segment is made while a publisher comes to the end of the last one, and a reader follows into it. The reader
/// has its own view of how far the bus has grown, and may come to that end first.
#[test]
fn a_publisher_crosses_into_a_new_segment_and_a_reader_follows() {
    check(3, || {
        let bus = bus(2, 1, false);
        let joined = bus.join(0).expect("a slot");
        let mut publisher = Publisher::new(&bus);
        for _ in 0..SEGMENT / RECORD {
            publisher.try_publish().expect("the first segment is there");
        }
        let preparer = {
            let model = bus.memory.clone();
            thread::spawn(move || model.prepare())
        };
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || {
                let (mut window, mut position) = (SEGMENTS, joined.floor);
                for _ in 0..3 {
                    position = step(&bus, &mut window, position).unwrap_or(position);
                }
                position
            })
        };
        let crossed = publisher.try_publish();
        assert!(matches!(crossed, Ok(SEGMENT) | Err(NoRoom::Growing)));
        preparer.join().expect("no panic");
        let position = reader.join().expect("no panic");
        assert!(position >= SEGMENT);
        if crossed.is_err() {
            publisher.try_publish().expect("it is there now");
        }
    });
}

/// Edges 3 and 13: one publisher saw the bus grow and raised the limit, and another claims by that limit.
#[test]
fn a_publisher_crosses_by_the_limit_of_another() {
    check(2, || {
        let bus = bus(2, 1, false);
        let mut one = Publisher::new(&bus);
        let mut other = Publisher::new(&bus);
        one.try_publish().expect("the first segment is there");
        let preparer = {
            let model = bus.memory.clone();
            thread::spawn(move || model.prepare())
        };
        let first = thread::spawn(move || (one.try_publish(), one.try_publish()));
        let second = other.try_publish();
        preparer.join().expect("no panic");
        let (a, b) = first.join().expect("no panic");
        let published = [a, b, second].iter().filter(|p| p.is_ok()).count();
        let tail = bus
            .memory
            .control()
            .tail
            .load(crate::sync::Ordering::Relaxed);
        assert_eq!(tail, RECORD * (1 + published as u64));
    });
}

/// Edges 12 and 13: a publisher sleeps until a segment is ready, and a reader, at the end of the last one, until there is a
/// record in it.
#[test]
fn sleepers_at_the_end_of_a_segment_are_woken() {
    check(1, || {
        let bus = bus(2, 1, true);
        let joined = bus.join(0).expect("a slot");
        let mut publisher = Publisher::new(&bus);
        for _ in 0..SEGMENT / RECORD {
            publisher.try_publish().expect("the first segment is there");
        }
        bus.advance(joined.slot, SEGMENT);
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || {
                let mut window = SEGMENTS;
                let next = bus.sleep(Event::Data, true, None, &mut || {
                    step(&bus, &mut window, SEGMENT)
                });
                assert_eq!(next, Some(SEGMENT + RECORD));
            })
        };
        let writer = {
            let bus = bus.clone();
            thread::spawn(move || {
                let position = bus.sleep(Event::Room, true, None, &mut || {
                    publisher.try_publish().ok()
                });
                assert_eq!(position, Some(SEGMENT));
            })
        };
        bus.memory.prepare();
        bus.after_room();
        writer.join().expect("no panic");
        reader.join().expect("no panic");
    });
}

/// Edges 5 and 14: a segment is given up while somebody joins, who then reads from the floor that it found.
#[test]
fn a_segment_is_given_up_beside_a_joiner() {
    check(3, || {
        let bus = bus(2, 3, false);
        let mut publisher = Publisher::new(&bus);
        for _ in 0..3 {
            publisher.try_publish().expect("three segments are there");
        }
        let joiner = {
            let bus = bus.clone();
            thread::spawn(move || {
                let joined = bus.join(0).expect("a slot");
                step(&bus, &mut { SEGMENTS }, joined.floor).expect("it is retained");
                bus.leave(joined.slot);
            })
        };
        give_up(&bus, SEGMENT);
        joiner.join().expect("no panic");
    });
}

/// The same with two who give up, the program and the keeper: what one has said of the floor is no news of who joins for
/// the other.
#[test]
fn a_segment_is_given_up_by_two_beside_a_joiner() {
    check(3, || {
        let bus = bus(2, 3, false);
        let mut publisher = Publisher::new(&bus);
        for _ in 0..3 {
            publisher.try_publish().expect("three segments are there");
        }
        let joiner = {
            let bus = bus.clone();
            thread::spawn(move || {
                let joined = bus.join(0).expect("a slot");
                step(&bus, &mut { SEGMENTS }, joined.floor).expect("it is retained");
            })
        };
        let other = {
            let bus = bus.clone();
            thread::spawn(move || give_up(&bus, SEGMENT))
        };
        give_up(&bus, SEGMENT);
        joiner.join().expect("no panic");
        other.join().expect("no panic");
    });
}

/// Edge 5: a segment is given up by one who has walked over it, while another joins who has seen nothing yet of what was published. It does not
/// find a tail of before that. (In a ring the refresh's fences, and marks, by which the floor stays far behind the tail, would hide it.)
#[test]
fn the_tail_is_not_before_the_floor() {
    check(3, || {
        let bus = bus(2, 2, false);
        let mut publisher = Publisher::new(&bus);
        let joiner = {
            let bus = bus.clone();
            thread::spawn(move || {
                let joined = bus.join(0).expect("a slot");
                assert!(joined.tail >= joined.floor);
            })
        };
        for _ in 0..SEGMENT / RECORD {
            publisher.try_publish().expect("two segments are there");
        }
        give_up(&bus, SEGMENT);
        joiner.join().expect("no panic");
    });
}

/// Edges 9, 10 and 14: a segment is given up while an observer looks at it, and goes on.
#[test]
fn a_segment_is_given_up_beside_an_observer() {
    check(3, || {
        let bus = bus(2, 3, false);
        let slot = bus.attach().expect("a slot");
        let mut publisher = Publisher::new(&bus);
        for _ in 0..3 {
            publisher.try_publish().expect("three segments are there");
        }
        let observer = {
            let bus = bus.clone();
            thread::spawn(move || {
                let (mut window, mut position) = (SEGMENTS, 0);
                for _ in 0..2 {
                    match bus.pin(slot, position) {
                        Err(floor) => position = floor,
                        Ok(()) => {
                            let next = step(&bus, &mut window, position);
                            position = next.expect("it is retained");
                            bus.unpin(slot);
                        }
                    }
                }
            })
        };
        give_up(&bus, SEGMENT);
        observer.join().expect("no panic");
    });
}

/// A publisher that has seen the tail in a segment, and sleeps until that has been filled, read and given up, claims where the
/// tail is then.
#[test]
fn a_late_publisher_finds_its_segment_gone() {
    check(3, || {
        let bus = bus_of(2, 3, false, true);
        let mut late = Publisher::new(&bus);
        let mut publisher = Publisher::new(&bus);
        publisher.try_publish().expect("three segments are there");
        let late = thread::spawn(move || late.try_publish());
        publisher.try_publish().expect("three segments are there");
        let (mut window, mut finished) = (SEGMENTS, 0);
        while let Some(next) = step(&bus, &mut window, finished) {
            finished = next;
        }
        give_up(&bus, finished);
        late.join()
            .expect("no panic")
            .expect("three segments are there");
    });
}

/// Edges 2, 6 and 14: a segment is given up after all have read it, or have left.
#[test]
fn a_segment_is_given_up_after_its_readers() {
    check(3, || {
        let bus = bus(3, 3, false);
        let (one, two) = (bus.join(0).expect("a slot"), bus.join(0).expect("a slot"));
        let mut publisher = Publisher::new(&bus);
        for _ in 0..3 {
            publisher.try_publish().expect("three segments are there");
        }
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || {
                let (mut window, mut position) = (SEGMENTS, one.floor);
                for _ in 0..2 {
                    position = step(&bus, &mut window, position).expect("it is retained");
                }
                bus.advance(one.slot, position);
            })
        };
        let leaver = {
            let bus = bus.clone();
            thread::spawn(move || {
                step(&bus, &mut { SEGMENTS }, two.floor).expect("it is retained");
                bus.leave(two.slot);
            })
        };
        give_up(&bus, SEGMENT);
        reader.join().expect("no panic");
        leaver.join().expect("no panic");
        give_up(&bus, SEGMENT);
        assert_eq!(*bus.memory.0.oldest.lock().expect("no panic"), 1);
    });
}
