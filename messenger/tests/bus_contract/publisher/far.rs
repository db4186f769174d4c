//! This end of a publisher that another process has. Each call is an order to that process, a line of a name and numbers through a
//! pipe, and is back with its answer, a line of numbers: 0 and what there is to say, or those of an error. `obey` is the other end.
//!
//! A claim or a reservation that is forgotten here says nothing; the other process forgets its own when the next order is not for it.

mod obey;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use messenger::bus::{ClaimError, CommitError, Overflow, Tag, WaitStrategy};

use crate::kit;

/// The test that the other process runs, and the variables by which it is told the bus's name, and of what kind it is to be, if it is to be made.
const TEST: &str = "publisher::far::obey::orders_of_another_process";
const BUS: &str = "MESSENGER_CONTRACT_BUS";
const MAKES: &str = "MESSENGER_CONTRACT_MAKES";

/// Stands before what the other process says, and that is more than the test harness does.
const SAYS: &str = "> ";

/// What it says when a call asks its `stop`.
const STOP: &str = "stop?";

/// As numbers, by their place.
const WAITS: [WaitStrategy; 4] = [
    WaitStrategy::Spin,
    WaitStrategy::Yield,
    WaitStrategy::Block,
    WaitStrategy::BlockNow,
];

/// An error as numbers: which one, and its values.
trait Told: Sized {
    fn tell(self) -> [u64; 3];
    fn told(numbers: &[u64]) -> Self;
}

impl Told for ClaimError {
    fn tell(self) -> [u64; 3] {
        match self {
            Self::Full { needed, capacity } => [1, needed as u64, capacity as u64],
            Self::TooLarge { len, max } => [2, len as u64, max as u64],
            Self::RunTooLarge { bytes, max } => [3, bytes as u64, max as u64],
            Self::Timeout { needed } => [4, needed as u64, 0],
            Self::Interrupted => [5, 0, 0],
            other => panic!("{other}"),
        }
    }

    fn told(numbers: &[u64]) -> Self {
        let [which, one, two] = sizes(numbers);
        match which {
            1 => Self::Full {
                needed: one,
                capacity: two,
            },
            2 => Self::TooLarge { len: one, max: two },
            3 => Self::RunTooLarge {
                bytes: one,
                max: two,
            },
            4 => Self::Timeout { needed: one },
            _ => Self::Interrupted,
        }
    }
}

impl Told for CommitError {
    fn tell(self) -> [u64; 3] {
        match self {
            Self::Incomplete { written, claimed } => [1, written as u64, claimed as u64],
            other => panic!("{other}"),
        }
    }

    fn told(numbers: &[u64]) -> Self {
        let [_, written, claimed] = sizes(numbers);
        Self::Incomplete { written, claimed }
    }
}

impl Told for Overflow {
    fn tell(self) -> [u64; 3] {
        [1, self.len as u64, self.remaining as u64]
    }

    fn told(numbers: &[u64]) -> Self {
        let [_, len, remaining] = sizes(numbers);
        Self { len, remaining }
    }
}

fn sizes(numbers: &[u64]) -> [usize; 3] {
    std::array::from_fn(|n| numbers[n] as usize)
}

/// A process that has a publisher. It stays on the bus until this goes.
pub(crate) struct Process {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Process {
    fn start(bus: &str, makes: Option<&str>) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([TEST, "--exact", "--nocapture", "--quiet"])
            .env(BUS, bus)
            .envs(makes.map(|of| (MAKES, of)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            orders: child.stdin.take(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn order(&mut self, order: &str) {
        let orders = self.orders.as_mut().unwrap();
        orders.write_all(format!("{order}\n").as_bytes()).unwrap();
    }

    fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.answers.read_line(&mut line).unwrap();
            assert!(read > 0, "the other process has ended");
            if let Some((_, said)) = line.split_once(SAYS) {
                return said.trim_end().to_owned();
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}

pub(crate) struct Publisher {
    process: Arc<Mutex<Process>>,
    /// Where the kernel tells of the thread that obeys.
    task: PathBuf,
    /// What a claim's `zeroed` has lent, until the claim takes the next order.
    lent: Option<Vec<u8>>,
}

impl Publisher {
    pub(crate) fn start(bus: &str, makes: Option<&str>) -> Self {
        let mut process = Process::start(bus, makes);
        let task = process.answer().into();
        let process = Arc::new(Mutex::new(process));
        kit::stays(&process);
        Self {
            process,
            task,
            lent: None,
        }
    }

    fn ask(&self, order: &str) -> Vec<u64> {
        self.ask_until(order, || unreachable!("it has no `stop`"))
    }

    fn ask_until(&self, order: &str, mut stop: impl FnMut() -> bool) -> Vec<u64> {
        kit::waits_for(&self.task);
        let mut process = self.process.lock().unwrap();
        process.order(order);
        loop {
            let answer = process.answer();
            if answer == STOP {
                process.order(if stop() { "1" } else { "0" });
            } else {
                return answer.split(' ').map(|n| n.parse().unwrap()).collect();
            }
        }
    }

    /// Whether a call has panicked: then nobody need answer what a drop asks.
    fn has_failed(&self) -> bool {
        self.process.is_poisoned()
    }

    fn ask_number(&self, order: &str) -> usize {
        self.ask(order)[1] as usize
    }

    pub(crate) fn set_wait(&mut self, wait: WaitStrategy) {
        let wait = WAITS.iter().position(|&one| one == wait).unwrap();
        self.ask(&format!("set_wait {wait}"));
    }

    pub(crate) fn max_payload(&self) -> usize {
        self.ask_number("max_payload")
    }

    pub(crate) fn capacity(&self) -> usize {
        self.ask_number("capacity")
    }

    pub(crate) fn send(&mut self, tag: Tag, bytes: &[u8]) -> Result<u64, ClaimError> {
        told(&self.ask(&format!("send {}{}", words(tag), list(bytes))))
    }

    pub(crate) fn try_send(&mut self, tag: Tag, bytes: &[u8]) -> Result<u64, ClaimError> {
        told(&self.ask(&format!("try_send {}{}", words(tag), list(bytes))))
    }

    pub(crate) fn send_timeout(
        &mut self,
        tag: Tag,
        bytes: &[u8],
        timeout: Duration,
    ) -> Result<u64, ClaimError> {
        let (time, tag) = (nanos(timeout), words(tag));
        told(&self.ask(&format!("send_timeout {time} {tag}{}", list(bytes))))
    }

    pub(crate) fn claim(&mut self, tag: Tag, len: usize) -> Result<Claim<'_>, ClaimError> {
        let answer = self.ask(&format!("claim {} {len}", words(tag)));
        Claim::of(self, &answer, len)
    }

    pub(crate) fn try_claim(&mut self, tag: Tag, len: usize) -> Result<Claim<'_>, ClaimError> {
        let answer = self.ask(&format!("try_claim {} {len}", words(tag)));
        Claim::of(self, &answer, len)
    }

    pub(crate) fn claim_timeout(
        &mut self,
        tag: Tag,
        len: usize,
        timeout: Duration,
    ) -> Result<Claim<'_>, ClaimError> {
        let (time, tag) = (nanos(timeout), words(tag));
        let answer = self.ask(&format!("claim_timeout {time} {tag} {len}"));
        Claim::of(self, &answer, len)
    }

    pub(crate) fn claim_until(
        &mut self,
        tag: Tag,
        len: usize,
        deadline: Option<Instant>,
        stop: impl FnMut() -> bool,
    ) -> Result<Claim<'_>, ClaimError> {
        let (time, tag) = (left(deadline), words(tag));
        let answer = self.ask_until(&format!("claim_until {time} {tag} {len}"), stop);
        Claim::of(self, &answer, len)
    }

    pub(crate) fn reserve(&mut self, bytes: usize) -> Result<Reservation<'_>, ClaimError> {
        let answer = self.ask(&format!("reserve {bytes}"));
        Reservation::of(self, &answer)
    }

    pub(crate) fn try_reserve(&mut self, bytes: usize) -> Result<Reservation<'_>, ClaimError> {
        let answer = self.ask(&format!("try_reserve {bytes}"));
        Reservation::of(self, &answer)
    }

    pub(crate) fn reserve_timeout(
        &mut self,
        bytes: usize,
        timeout: Duration,
    ) -> Result<Reservation<'_>, ClaimError> {
        let time = nanos(timeout);
        let answer = self.ask(&format!("reserve_timeout {time} {bytes}"));
        Reservation::of(self, &answer)
    }

    pub(crate) fn reserve_until(
        &mut self,
        bytes: usize,
        deadline: Option<Instant>,
        stop: impl FnMut() -> bool,
    ) -> Result<Reservation<'_>, ClaimError> {
        let time = left(deadline);
        let answer = self.ask_until(&format!("reserve_until {time} {bytes}"), stop);
        Reservation::of(self, &answer)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        if !self.has_failed() {
            self.ask("drop");
        }
    }
}

pub(crate) struct Reservation<'a>(&'a mut Publisher);

impl<'a> Reservation<'a> {
    fn of(publisher: &'a mut Publisher, answer: &[u64]) -> Result<Self, ClaimError> {
        told(answer).map(|_| Self(publisher))
    }

    pub(crate) fn remaining(&self) -> usize {
        self.0.ask_number("batch.remaining")
    }

    pub(crate) fn claim(&mut self, tag: Tag, len: usize) -> Result<Claim<'_>, ClaimError> {
        let answer = self.0.ask(&format!("batch.claim {} {len}", words(tag)));
        Claim::of(self.0, &answer, len)
    }

    pub(crate) fn send(&mut self, tag: Tag, bytes: &[u8]) -> Result<u64, ClaimError> {
        let order = format!("batch.send {}{}", words(tag), list(bytes));
        told(&self.0.ask(&order))
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if !self.0.has_failed() {
            self.0.ask("batch.drop");
        }
    }
}

pub(crate) struct Claim<'a> {
    publisher: &'a mut Publisher,
    position: u64,
    len: usize,
}

impl<'a> Claim<'a> {
    fn of(publisher: &'a mut Publisher, answer: &[u64], len: usize) -> Result<Self, ClaimError> {
        let position = told::<ClaimError>(answer)?;
        // That of a claim which was forgotten.
        publisher.lent = None;
        Ok(Self {
            publisher,
            position,
            len,
        })
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn payload_len(&self) -> usize {
        self.len
    }

    pub(crate) fn writer(&mut self) -> Writer<'_> {
        self.give_back();
        Writer(self.publisher)
    }

    /// A copy, which is given back before the next order.
    pub(crate) fn zeroed(&mut self) -> &mut [u8] {
        self.give_back();
        let answer = self.publisher.ask("claim.zeroed");
        let bytes = answer[1..].iter();
        self.publisher
            .lent
            .insert(bytes.map(|&n| n as u8).collect())
    }

    fn give_back(&mut self) {
        if let Some(bytes) = self.publisher.lent.take() {
            self.publisher.ask(&format!("claim.fill{}", list(&bytes)));
        }
    }

    pub(crate) fn commit(self) -> Result<u64, CommitError> {
        let mut this = ManuallyDrop::new(self);
        this.give_back();
        told(&this.publisher.ask("claim.commit"))
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.publisher.has_failed() {
            self.give_back();
            self.publisher.ask("claim.drop");
        }
    }
}

pub(crate) struct Writer<'a>(&'a Publisher);

impl Writer<'_> {
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), Overflow> {
        told(&self.0.ask(&format!("claim.put{}", list(bytes)))).map(drop)
    }

    pub(crate) fn put_zeros(&mut self, count: usize) -> Result<(), Overflow> {
        told(&self.0.ask(&format!("claim.put_zeros {count}"))).map(drop)
    }

    pub(crate) fn written(&self) -> usize {
        self.0.ask_number("claim.written")
    }

    pub(crate) fn remaining(&self) -> usize {
        self.0.ask_number("claim.remaining")
    }
}

fn told<E: Told>(answer: &[u64]) -> Result<u64, E> {
    if answer[0] == 0 {
        Ok(answer[1])
    } else {
        Err(E::told(answer))
    }
}

fn words(tag: Tag) -> String {
    format!("{} {}", tag.source.get(), tag.message.get())
}

fn list(bytes: &[u8]) -> String {
    let mut list = String::new();
    for byte in bytes {
        let _ = write!(list, " {byte}");
    }
    list
}

/// The greatest number says: for ever.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn left(deadline: Option<Instant>) -> u64 {
    deadline.map_or(u64::MAX, |at| nanos(at - Instant::now()))
}
