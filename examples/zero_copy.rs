//! Messages that are their own bytes: a wind vane, who records it, and who looks for gusts.
//!
//! * `Wind` is plain data with a `bool` and an enum in it. The vane builds it in the bus itself,
//!   and whoever receives it gets a `&Wind` that points into the bus: nothing is copied.
//! * `Gust` has a tail whose length differs from message to message; it too is sent from where
//!   it lies and received where it was written.
//! * `Peak` implements the traits by hand, with nothing but bytemuck's derives.
//!
//! Bits are checked on receipt, so that a `bool` that is 7 is an error and not undefined.

use messenger::bus::{Bus, BusConfig, MessageId};
use messenger::message::{ZeroCopy, ZeroCopyMessage};
use messenger::{
    Handle, Handler, Lifecycle, Message, Outbox, Plain, Result, messenger, messenger_id_enum,
};
use std::sync::mpsc::{Sender, channel};

/// How many measurements the vane makes.
const MEASUREMENTS: u32 = if cfg!(miri) { 40 } else { 4000 };

/// From which speed on a wind is strong, in millimetres a second.
const STRONG: u16 = 10_000;

messenger_id_enum! {
    enum Mid { Wind = 1, Gust = 2, Peak = 3 }
}

messenger_id_enum! {
    enum Hid { Vane = 1, Recorder = 2, Analyst = 3, Printer = 4 }
}

#[derive(Clone, Copy, PartialEq, Debug, Plain)]
#[repr(u8)]
enum Quarter {
    North,
    East,
    South,
    West,
}

/// One measurement.
#[derive(Clone, Copy, Debug, Message)]
#[message(id = Mid::Wind, codec = zero_copy)]
#[repr(C)]
struct Wind {
    number: u32,
    /// In millimetres a second.
    speed: u16,
    from: Quarter,
    last: bool,
}

#[derive(Clone, Copy, PartialEq, Debug, Plain)]
#[repr(C)]
struct GustHead {
    /// The number of its first measurement.
    begins: u32,
    from: Quarter,
    last: bool,
    _pad: [u8; 2],
}

/// Measurements of strong wind that follow each other.
#[derive(Clone, Copy, Debug, Message)]
#[message(id = Mid::Gust, codec = zero_copy)]
struct Gust<'a> {
    head: &'a GustHead,
    /// The speeds.
    tail: &'a [u16],
}

/// The strongest wind of a gust, with all of its traits by hand.
#[derive(Clone, Copy, PartialEq, Debug, bytemuck::NoUninit, bytemuck::CheckedBitPattern)]
#[repr(C)]
struct Peak {
    begins: u32,
    speed: u16,
    measurements: u8,
    last: bool,
}

impl Message for Peak {
    const ID: MessageId = MessageId::new(Mid::Peak.as_u16());
    const NAME: &'static str = "Peak";
    type Mode = ZeroCopy;
}

impl ZeroCopyMessage for Peak {}

/// What the wind does: a gust of eight measurements after every twelve of a breeze.
fn wind(number: u32) -> (u16, Quarter) {
    let base = if number % 20 < 12 { 3_000 } else { STRONG };
    let speed = base + (number * 7919 % 5_000) as u16;
    let quarters = [Quarter::North, Quarter::East, Quarter::South, Quarter::West];
    (speed, quarters[number as usize / 20 % 4])
}

/// Measures when it has heard its own last measurement.
#[derive(Handler)]
#[handler(id = Hid::Vane, sends(Wind), lifecycle)]
struct Vane;

impl Vane {
    fn measure(number: u32, out: &mut Outbox<'_, Self>) -> Result {
        out.build(|place: &mut Wind| {
            place.number = number;
            (place.speed, place.from) = wind(number);
            place.last = number + 1 == MEASUREMENTS;
        })
    }
}

impl Lifecycle for Vane {
    fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        Self::measure(0, out)
    }
}

impl Handle<Wind> for Vane {
    fn handle(&mut self, m: &Wind, out: &mut Outbox<'_, Self>) -> Result {
        if m.last {
            Ok(())
        } else {
            Self::measure(m.number + 1, out)
        }
    }
}

/// Collects what is strong.
#[derive(Handler, Default)]
#[handler(id = Hid::Recorder, sends(Gust<'_>))]
struct Recorder {
    speeds: Vec<u16>,
}

impl Handle<Wind> for Recorder {
    fn handle(&mut self, m: &Wind, out: &mut Outbox<'_, Self>) -> Result {
        if m.speed >= STRONG {
            self.speeds.push(m.speed);
        }
        if self.speeds.is_empty() || (m.speed >= STRONG && !m.last) {
            return Ok(());
        }
        let after = m.number + u32::from(m.last);
        let head = GustHead {
            begins: after - self.speeds.len() as u32,
            from: wind(after - 1).1,
            last: m.last,
            _pad: [0; 2],
        };
        out.send(&Gust {
            head: &head,
            tail: &self.speeds,
        })?;
        self.speeds.clear();
        Ok(())
    }
}

/// Looks for the strongest wind of each gust, in the bus itself.
#[derive(Handler)]
#[handler(id = Hid::Analyst, sends(Peak))]
struct Analyst;

impl Handle<Gust<'_>> for Analyst {
    fn handle(&mut self, m: &Gust<'_>, out: &mut Outbox<'_, Self>) -> Result {
        let behind_the_head = std::ptr::from_ref(m.head).wrapping_add(1).cast();
        assert_eq!(
            m.tail.as_ptr(),
            behind_the_head,
            "both lie where they were written"
        );
        out.send(&Peak {
            begins: m.head.begins,
            speed: m.tail.iter().copied().max().unwrap_or(0),
            measurements: m.tail.len() as u8,
            last: m.head.last,
        })
    }
}

/// Prints the peaks, and stops everything after the last.
#[derive(Handler)]
#[handler(id = Hid::Printer)]
struct Printer {
    peaks: Vec<Peak>,
    done: Sender<Vec<Peak>>,
}

impl Handle<Peak> for Printer {
    fn handle(&mut self, m: &Peak, out: &mut Outbox<'_, Self>) -> Result {
        if self.peaks.len() < 5 {
            println!(
                "gust of {} measurements from number {}: {:.3} m/s",
                m.measurements,
                m.begins,
                f32::from(m.speed) / 1000.0
            );
        }
        self.peaks.push(*m);
        if m.last {
            self.done.send(std::mem::take(&mut self.peaks))?;
            out.stop();
        }
        Ok(())
    }
}

messenger! {
    Weather(done: Sender<Vec<Peak>>);

    Mast:
        handlers: [ vane: Vane = Vane, recorder: Recorder = Recorder::default() ]
        routes: [
            Vane, Wind: [vane, recorder],
        ]

    Office:
        handlers: [
            analyst: Analyst = Analyst,
            printer: Printer = Printer { peaks: Vec::new(), done: done.clone() },
        ]
        routes: [
            Recorder, Gust: [analyst],
            Analyst, Peak: [printer],
        ]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (done, peaks) = channel();
    let bus = Bus::new(BusConfig::bytes(64 << 10))?;
    print!("{}", Weather::builder(bus, done).run()?.join()?);
    let peaks = peaks.recv()?;

    // The same by plain arithmetic.
    let gusts = (12..MEASUREMENTS).step_by(20).map(|begins| Peak {
        begins,
        speed: (begins..begins + 8)
            .map(|number| wind(number).0)
            .max()
            .unwrap_or(0),
        measurements: 8,
        last: begins + 8 == MEASUREMENTS,
    });
    assert!(
        gusts.eq(peaks.iter().copied()),
        "the peaks are not those of the wind"
    );
    println!("{} gusts in {MEASUREMENTS} measurements", peaks.len());
    Ok(())
}
