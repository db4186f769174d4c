//! The table of these tests: numbers are squared, squares are summed up, the sums are looked at.

use std::borrow::Borrow;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use messenger::bus::{Start, Tag};
use messenger::journal::{Journal, Reader};
use messenger::{
    Builder, Handle, Handler, Lifecycle, Message, Outbox, Receive, Result, Running, Timer,
    messenger,
};
use serde::{Deserialize, Serialize};

use super::kit::finished;
use super::log::Log;

/// An input.
#[derive(Message, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[message(id = 1, codec = bincode)]
pub(crate) struct Number(pub(crate) u64);

/// Its square.
#[derive(Message, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[message(id = 2, codec = bincode)]
pub(crate) struct Square(pub(crate) u64);

/// The sum of all squares so far.
#[derive(Message, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[message(id = 3, codec = bincode)]
pub(crate) struct Sum {
    pub(crate) count: u64,
    pub(crate) sum: u64,
    pub(crate) token: u64,
    pub(crate) nanos: u64,
}

/// A timer has fired so often.
#[derive(Message, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[message(id = 4, codec = bincode)]
pub(crate) struct Tick {
    pub(crate) number: u64,
    /// How many squares had come before.
    pub(crate) squares: u64,
}

/// Something that nothing on the journal is the cause of.
#[derive(Message, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[message(id = 5, codec = bincode)]
pub(crate) struct Idle(pub(crate) u64);

/// What handlers do, for the tests to change.
#[derive(Clone, Default, Debug)]
pub(crate) struct Config {
    pub(crate) log: Log,
    /// Added to each square from this input on.
    pub(crate) shift: Option<u64>,
    /// The input whose square is not sent.
    pub(crate) silent: Option<u64>,
    /// The input whose square is sent twice.
    pub(crate) twice: Option<u64>,
    /// The input for which another message is sent.
    pub(crate) other: Option<u64>,
    /// The sum which asks for the time once more.
    pub(crate) asks: Option<u64>,
    /// The input over which the squarer panics, and that over which it returns an error.
    pub(crate) panics: Option<u64>,
    pub(crate) errs: Option<u64>,
    /// How often the ticker ticks.
    pub(crate) ticks: u64,
    /// The sum at which the judge asks for a stop.
    pub(crate) stops: Option<u64>,
    /// Whether the idler idles.
    pub(crate) idles: bool,
}

/// The test.
#[derive(Debug, Handler)]
#[handler(id = 1, sends(Number))]
pub(crate) struct Main;

#[derive(Debug, Handler)]
#[handler(id = 2, sends(Square, Tick), lifecycle)]
pub(crate) struct Squarer(Config);

impl Lifecycle for Squarer {
    fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        self.0.log.add("squarer starts");
        // Nobody's input: found again all the same.
        out.send(&Square(0))
    }
    fn on_stop(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        self.0.log.add("squarer stops");
        out.send(&Tick {
            number: 0,
            squares: out.position(),
        })
    }
}

impl Handle<Number> for Squarer {
    fn handle(&mut self, m: &Number, out: &mut Outbox<'_, Self>) -> Result {
        let n = Some(m.0);
        assert!(n != self.0.panics, "number {}", m.0);
        if n == self.0.errs {
            return Err(messenger::HandlerError::new("an odd number"));
        }
        let shift = self.0.shift.is_some_and(|from| m.0 >= from);
        if n == self.0.silent {
            return Ok(());
        }
        if n == self.0.other {
            return out.send(&Tick {
                number: m.0,
                squares: 0,
            });
        }
        let square = Square(m.0 * m.0 + u64::from(shift));
        if n == self.0.twice {
            return out.send_all(&[Square(m.0 * m.0), square]);
        }
        out.send(&square)
    }
}

#[derive(Debug, Handler)]
#[handler(id = 3, sends(Sum))]
pub(crate) struct Adder {
    config: Config,
    count: u64,
    sum: u64,
}

impl Handle<Square> for Adder {
    fn handle(&mut self, m: &Square, out: &mut Outbox<'_, Self>) -> Result {
        if m.0 == 0 {
            return Ok(());
        }
        self.count += 1;
        self.sum += m.0;
        if Some(self.count) == self.config.asks {
            out.now();
        }
        let nanos = out.now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
        let token = out.random();
        out.send(&Sum {
            count: self.count,
            sum: self.sum,
            token,
            nanos,
        })
    }
}

#[derive(Debug, Handler)]
#[handler(id = 4, sends(Tick), lifecycle)]
pub(crate) struct Ticker {
    left: u64,
    number: u64,
    squares: u64,
    timer: Option<Timer>,
}

impl Ticker {
    fn new(config: &Config) -> Self {
        Self {
            left: config.ticks,
            number: 0,
            squares: 0,
            timer: None,
        }
    }

    fn wind(&mut self, out: &mut Outbox<'_, Self>) {
        if self.number < self.left {
            self.timer = Some(out.timer(Duration::from_micros(300)));
        }
    }
}

impl Lifecycle for Ticker {
    fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        self.wind(out);
        Ok(())
    }
    fn on_timer(&mut self, timer: Timer, out: &mut Outbox<'_, Self>) -> Result {
        assert_eq!(Some(timer), self.timer);
        self.number += 1;
        self.wind(out);
        out.send(&Tick {
            number: self.number,
            squares: self.squares,
        })
    }
}

impl Handle<Square> for Ticker {
    fn handle(&mut self, _: &Square, _: &mut Outbox<'_, Self>) -> Result {
        self.squares += 1;
        Ok(())
    }
}

#[derive(Debug, Handler)]
#[handler(id = 5, sends(Idle), lifecycle)]
pub(crate) struct Judge {
    config: Config,
    turns: u64,
    last: u64,
}

impl Lifecycle for Judge {
    fn on_loop(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        self.turns += 1;
        if self.config.idles && self.turns % 7 == 3 {
            out.send(&Idle(self.turns))?;
        }
        Ok(())
    }
}

impl Handle<Sum> for Judge {
    fn handle(&mut self, m: &Sum, out: &mut Outbox<'_, Self>) -> Result {
        assert_eq!(m.count, self.last + 1, "a sum is missing, or came twice");
        self.last = m.count;
        self.config.log.add(format!("sum {} of {}", m.sum, m.count));
        if !out.is_again() {
            self.config.log.add(format!("first {}", m.count));
        }
        if Some(m.count) == self.config.stops {
            out.stop();
        }
        Ok(())
    }
}

messenger! {
    pub(crate) Sums(config: Config);
    outside: [ Main ]
    Squaring:
        handlers: [ squarer: Squarer = Squarer(config.clone()) ]
        routes: [ Main, Number: [squarer] ]
    Adding:
        handlers: [
            adder: Adder = Adder { config: config.clone(), count: 0, sum: 0 },
            ticker: Ticker = Ticker::new(config),
        ]
        routes: [ Squarer, Square: [adder, ticker] ]
    Judging:
        handlers: [ judge: Judge = Judge { config: config.clone(), turns: 0, last: 0 } ]
        routes: [ Adder, Sum: [judge] ]
    drop: [ Ticker, Tick; Squarer, Tick; Judge, Idle ]
}

pub(crate) fn sums(journal: &Journal, config: &Config) -> Builder<Sums> {
    Sums::builder(journal, config.clone())
}

/// Sends the numbers, whether a table runs there or not; back when nothing stands before them that is not finished.
pub(crate) fn send(journal: &Journal, numbers: impl IntoIterator<Item = u64>) {
    let mut main = journal.bus().publisher().unwrap();
    for number in numbers {
        let tag = Tag::new(Main::ID, Number::ID);
        main.send(tag, &number.to_le_bytes()).unwrap();
    }
    finished(journal);
}

/// Publishes the numbers, and waits until the sum of `count` numbers stands on the journal.
pub(crate) fn publish(app: &Running<Sums>, numbers: impl IntoIterator<Item = u64>, count: u64) {
    let mut sums = app.subscribe_from::<(Sum,)>(Start::Oldest).unwrap();
    let mut publisher = app.publisher::<Main>().unwrap();
    for number in numbers {
        publisher.send(&Number(number)).unwrap();
    }
    while sums.receive().unwrap().unwrap().count < count {}
}

/// All messages `M` of `source` in the journal, with their positions.
pub(crate) fn all<M: for<'a> Receive<'a> + Clone>(path: &Path, source: u16) -> Vec<(u64, M)> {
    let mut reader = Reader::open(path).unwrap();
    let mut all = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        if (entry.source().get(), entry.message()) == (source, M::ID) {
            let held = M::receive(entry.payload).unwrap();
            all.push((entry.position, held.borrow().clone()));
        }
    }
    all
}

/// The sums 1 to `count` that stand in the journal: each once, in order, and right.
pub(crate) fn check_sums(path: &Path, count: u64) {
    let sums: Vec<Sum> = all(path, 3).into_iter().map(|it| it.1).collect();
    let mut expected = 0;
    assert_eq!(sums.len() as u64, count);
    for (index, sum) in sums.iter().enumerate() {
        let n = index as u64 + 1;
        expected += n * n;
        assert_eq!((sum.count, sum.sum), (n, expected));
        let at = UNIX_EPOCH + Duration::from_nanos(sum.nanos);
        assert!(at <= SystemTime::now());
    }
    let squares: Vec<u64> = all::<Square>(path, 2).into_iter().map(|s| s.1.0).collect();
    let expected: Vec<u64> = (0..=count).map(|n| n * n).collect();
    assert_eq!(squares, expected);
}
