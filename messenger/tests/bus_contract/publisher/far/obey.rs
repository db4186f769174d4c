//! The other end: what the process does that has the publisher.

use std::io::Stdin;
use std::mem::forget;
use std::time::{Duration, Instant};

use messenger::bus::{Claim, ClaimError, MessageId, Publisher, Reservation, SourceId, Tag};

use super::{SAYS, STOP, Told, WAITS};

/// What another process asks of this one; a test that does nothing where nobody asks.
#[test]
#[cfg(all(feature = "shared", target_os = "linux", not(miri)))]
fn orders_of_another_process() {
    let Ok(bus) = std::env::var(super::BUS) else {
        return;
    };
    let shared = match std::env::var(super::MAKES) {
        Ok(of) => crate::kit::make(&bus, &of),
        Err(_) => messenger::shared::SharedBus::open(&bus).unwrap(),
    };
    let publisher = shared.bus().publisher().unwrap();
    let mut pipes = Pipes(std::io::stdin());
    let task = std::fs::read_link("/proc/thread-self").unwrap();
    pipes.say(task.display());
    obey(publisher, &mut pipes);
    // The process stays on the bus, also without the publisher, until it is let go.
    assert!(pipes.order().is_none(), "an order to nobody");
}

struct Order {
    name: String,
    numbers: Vec<u64>,
}

struct Pipes(Stdin);

impl Pipes {
    /// `None`: this process is let go, or the other one is dead.
    fn order(&mut self) -> Option<Order> {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        let mut words = line.split_whitespace();
        let name = words.next()?.to_owned();
        let numbers = words.map(|n| n.parse().unwrap()).collect();
        Some(Order { name, numbers })
    }

    fn say(&mut self, what: impl std::fmt::Display) {
        println!("\n{SAYS}{what}");
    }

    /// Answers an order; gives the next one.
    fn answer<E: Told>(&mut self, answer: Result<u64, E>) -> Option<Order> {
        let [one, two, three] = answer.map_or_else(E::tell, |value| [0, value, 0]);
        self.say(format_args!("{one} {two} {three}"));
        self.order()
    }

    fn answer_number(&mut self, number: usize) -> Option<Order> {
        self.answer(Ok::<_, ClaimError>(number as u64))
    }

    fn stop(&mut self) -> bool {
        self.say(STOP);
        self.order().is_none_or(|order| order.name == "1")
    }
}

/// Does what it is told until the publisher is dropped.
fn obey(mut publisher: Publisher, pipes: &mut Pipes) {
    let mut next = pipes.order();
    while let Some(Order { name, numbers }) = next.take() {
        next = match (name.as_str(), &numbers[..]) {
            ("set_wait", &[wait]) => {
                publisher.set_wait(WAITS[wait as usize]);
                pipes.answer_number(0)
            }
            ("max_payload", []) => pipes.answer_number(publisher.max_payload()),
            ("capacity", []) => pipes.answer_number(publisher.capacity()),
            ("send", [source, message, payload @ ..]) => {
                pipes.answer(publisher.send(tag(source, message), &bytes(payload)))
            }
            ("try_send", [source, message, payload @ ..]) => {
                pipes.answer(publisher.try_send(tag(source, message), &bytes(payload)))
            }
            ("send_timeout", [nanos, source, message, payload @ ..]) => {
                let (tag, payload) = (tag(source, message), bytes(payload));
                pipes.answer(publisher.send_timeout(tag, &payload, time(*nanos)))
            }
            ("claim", [source, message, len]) => {
                claimed(publisher.claim(tag(source, message), *len as usize), pipes)
            }
            ("try_claim", [source, message, len]) => {
                let claim = publisher.try_claim(tag(source, message), *len as usize);
                claimed(claim, pipes)
            }
            ("claim_timeout", [nanos, source, message, len]) => {
                let (tag, len) = (tag(source, message), *len as usize);
                claimed(publisher.claim_timeout(tag, len, time(*nanos)), pipes)
            }
            ("claim_until", [nanos, source, message, len]) => {
                let (tag, len) = (tag(source, message), *len as usize);
                let claim = publisher.claim_until(tag, len, deadline(*nanos), || pipes.stop());
                claimed(claim, pipes)
            }
            ("reserve", &[bytes]) => reserved(publisher.reserve(bytes as usize), pipes),
            ("try_reserve", &[bytes]) => reserved(publisher.try_reserve(bytes as usize), pipes),
            ("reserve_timeout", &[nanos, bytes]) => {
                let batch = publisher.reserve_timeout(bytes as usize, time(nanos));
                reserved(batch, pipes)
            }
            ("reserve_until", &[nanos, bytes]) => {
                let (bytes, deadline) = (bytes as usize, deadline(nanos));
                let batch = publisher.reserve_until(bytes, deadline, || pipes.stop());
                reserved(batch, pipes)
            }
            ("drop", []) => {
                drop(publisher);
                return pipes.say(0);
            }
            _ => panic!("no order: {name} {numbers:?}"),
        }
    }
}

/// The same with a reservation, if it was had; gives the next order, which is not for it.
fn reserved(batch: Result<Reservation<'_>, ClaimError>, pipes: &mut Pipes) -> Option<Order> {
    let mut batch = match batch {
        Ok(batch) => batch,
        Err(error) => return pipes.answer(Err(error)),
    };
    let mut next = pipes.answer_number(0);
    while let Some(Order { name, numbers }) = next.take() {
        next = match (name.as_str(), &numbers[..]) {
            ("batch.remaining", []) => pipes.answer_number(batch.remaining()),
            ("batch.claim", [source, message, len]) => {
                claimed(batch.claim(tag(source, message), *len as usize), pipes)
            }
            ("batch.send", [source, message, payload @ ..]) => {
                pipes.answer(batch.send(tag(source, message), &bytes(payload)))
            }
            ("batch.drop", []) => {
                drop(batch);
                return pipes.answer_number(0);
            }
            _ => {
                forget(batch);
                return Some(Order { name, numbers });
            }
        }
    }
    forget(batch);
    None
}

/// The same with a claim.
fn claimed(claim: Result<Claim<'_>, ClaimError>, pipes: &mut Pipes) -> Option<Order> {
    let mut claim = match claim {
        Ok(claim) => claim,
        Err(error) => return pipes.answer(Err(error)),
    };
    let mut next = pipes.answer(Ok::<_, ClaimError>(claim.position()));
    while let Some(Order { name, numbers }) = next.take() {
        next = match (name.as_str(), &numbers[..]) {
            ("claim.put", payload) => pipes.answer(claim.writer().put(&bytes(payload)).map(|()| 0)),
            ("claim.put_zeros", &[count]) => {
                pipes.answer(claim.writer().put_zeros(count as usize).map(|()| 0))
            }
            ("claim.written", []) => pipes.answer_number(claim.writer().written()),
            ("claim.remaining", []) => pipes.answer_number(claim.writer().remaining()),
            ("claim.zeroed", []) => {
                pipes.say(format_args!("0{}", super::list(claim.zeroed())));
                pipes.order()
            }
            ("claim.fill", payload) => {
                claim.zeroed().copy_from_slice(&bytes(payload));
                pipes.answer_number(0)
            }
            ("claim.commit", []) => return pipes.answer(claim.commit()),
            ("claim.drop", []) => {
                drop(claim);
                return pipes.answer_number(0);
            }
            _ => {
                forget(claim);
                return Some(Order { name, numbers });
            }
        }
    }
    forget(claim);
    None
}

fn tag(source: &u64, message: &u64) -> Tag {
    Tag::new(
        SourceId::new(*source as u16),
        MessageId::new(*message as u16),
    )
}

fn bytes(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().map(|&n| n as u8).collect()
}

fn time(nanos: u64) -> Duration {
    match nanos {
        u64::MAX => Duration::MAX,
        nanos => Duration::from_nanos(nanos),
    }
}

fn deadline(nanos: u64) -> Option<Instant> {
    Instant::now().checked_add(time(nanos))
}
