//! What the tests of shared buses share: directories in memory, and children of this process that use buses there.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use messenger::bus::Start;
use messenger::journal::JournalConfig;
use messenger::shared::SharedBus;
use messenger::{Handle, Handler, Outbox, Result, messenger};
use serde_json::Value;

use crate::kit::{fresh, json, out};
use crate::market::{Feed, Hid, Market, Note, ORDER, Quote};

const ROLE: &str = "MESSENGER_CLI_ROLE";

/// A directory in memory, which goes with its guard.
pub(crate) struct Shm(PathBuf);

impl Shm {
    pub(crate) fn new() -> Self {
        let path = Path::new("/dev/shm").join(fresh("messenger-cli"));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn str(&self) -> &str {
        self.0.to_str().unwrap()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(format!("messenger.{name}"))
    }

    /// Runs a command of the program on the buses here.
    #[track_caller]
    pub(crate) fn out(&self, code: i32, args: &[&str]) -> String {
        out(code, &[args, &["--dir", self.str()]].concat())
    }

    #[track_caller]
    pub(crate) fn json(&self, code: i32, args: &[&str]) -> Value {
        json(code, &[args, &["--json", "--dir", self.str()]].concat())
    }

    /// What `ls` says of the bus `name`.
    #[track_caller]
    pub(crate) fn listed(&self, name: &str) -> Value {
        let all = self.json(0, &["ls"]);
        let mut all = all.as_array().unwrap().iter();
        all.find(|bus| bus["name"] == name).unwrap().clone()
    }
}

impl Drop for Shm {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A child, which does what it is told, and is killed when this goes.
pub(crate) struct Other {
    pub(crate) role: String,
    pub(crate) child: Child,
    stdin: ChildStdin,
    lines: BufReader<ChildStdout>,
}

impl Other {
    pub(crate) fn start(role: &str, shm: &Shm, name: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "bus_kit::child_process",
                "--exact",
                "--nocapture",
                "--quiet",
            ])
            .env(ROLE, format!("{role} {} {name}", shm.str()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut other = Self {
            role: role.to_owned(),
            stdin: child.stdin.take().unwrap(),
            lines: BufReader::new(child.stdout.take().unwrap()),
            child,
        };
        assert_eq!(other.line(), "ready");
        other
    }

    /// The next line that the child says.
    pub(crate) fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).unwrap();
            assert!(read > 0, "the child ended and said nothing");
            // What the test harness says stands before it.
            if let Some((_, said)) = line.split_once("> ") {
                return said.trim_end().to_owned();
            }
        }
    }

    pub(crate) fn tell(&mut self, what: &str) -> String {
        writeln!(self.stdin, "{what}").unwrap();
        self.line()
    }

    /// It leaves the bus in good order.
    pub(crate) fn quit(&mut self) {
        assert_eq!(self.tell("quit"), "left");
        self.child.wait().unwrap();
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Never done with anything.
#[derive(Handler)]
#[handler(id = Hid::Trader)]
struct Idler;

impl Handle<Quote> for Idler {
    fn handle(&mut self, _: &Quote, _: &mut Outbox<'_, Self>) -> Result {
        std::thread::sleep(Duration::from_secs(600));
        Ok(())
    }
}

messenger! {
    Crew;
    outside: [ Feed ]
    Desk (pool = true):
        handlers: [ idler: Idler = Idler ]
        routes: [ Feed, Quote: [idler] ]
    drop: [ Feed, Note ]
}

/// What a child does; a test that does nothing in the parent.
#[test]
fn child_process() {
    let Ok(told) = std::env::var(ROLE) else {
        return;
    };
    let mut told = told.split(' ');
    let mut next = || told.next().unwrap();
    let (role, directory, name) = (next(), next(), next());
    let say = |what: &str| println!("\n> {what}");
    let told = std::io::stdin().lines().map(Result::unwrap);
    let options = SharedBus::options().directory(directory).process_name(role);
    match role {
        "market" | "keeper" => {
            let journal = Path::new(directory).join(format!("{name}.journal"));
            // Without notes of the time, so that what is handled is all there is.
            let config = JournalConfig::new()
                .segment_bytes(1 << 16)
                .time_resolution(Duration::ZERO);
            let options = match role {
                "keeper" => options.journal(journal, config),
                _ => options.bytes(1 << 14),
            };
            let bus = options.create(name).unwrap();
            let market = Market::builder(&bus).run().unwrap();
            let mut feed = market.publisher::<Feed>().unwrap();
            say("ready");
            let mut price = 0;
            for line in told {
                let Some(number) = line.strip_prefix("send ") else {
                    break;
                };
                for _ in 0..number.parse().unwrap() {
                    let symbol = "ACME".to_owned();
                    feed.send(&Quote { symbol, price }).unwrap();
                    price += 1;
                }
                // Until the trader has handled them, and its orders.
                let begun = Instant::now();
                while bus.workers()[0].position != Some(bus.bus().tail()) {
                    assert!(begun.elapsed().as_secs() < 300);
                    std::thread::sleep(Duration::from_micros(50));
                }
                say(&bus.bus().tail().to_string());
            }
            drop(feed);
            market.stop().unwrap();
            drop(bus);
            say("left");
        }
        // Two members of a pool, one of which has something in hand.
        "crew" => {
            let bus = options.bytes(1 << 14).create(name).unwrap();
            let run = || Crew::builder(&bus).run().unwrap();
            let crew = [run(), run()];
            let mut feed = crew[0].publisher::<Feed>().unwrap();
            let symbol = "ACME".to_owned();
            feed.send(&Quote { symbol, price: 1 }).unwrap();
            let owes = |bus: &SharedBus| {
                let workers = bus.workers();
                let mut members = workers[0].members.iter().flatten();
                members.any(|member| member.owes.is_some())
            };
            until("something in hand", || owes(&bus));
            say("ready");
            for _ in told.take(1) {}
        }
        "sleeper" => {
            let bus = options.open(name).unwrap();
            let subscriber = bus.bus().subscribe(Start::Newest).unwrap();
            say("ready");
            for _ in told.take(1) {}
            drop((bus, subscriber));
            say("left");
        }
        "kept" => {
            let bus = options.keep(true).create(name).unwrap();
            bus.bus().publisher().unwrap().send(ORDER, b"kept").unwrap();
            drop(bus);
            say("ready");
        }
        other => panic!("no role {other}"),
    }
}

/// How many processes use a bus.
pub(crate) fn users(shm: &Shm, name: &str) -> usize {
    shm.listed(name)["bus"]["processes"]
        .as_array()
        .unwrap()
        .len()
}

pub(crate) fn until(what: &str, mut there: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !there() {
        assert!(begun.elapsed().as_secs() < 300, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
