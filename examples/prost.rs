//! Messages in the protobuf format: a room, its thermostat, and who writes down what they say.
//!
//! `Reading` derives everything; `Command` implements the traits of a message by hand, as code
//! does that comes from elsewhere. Both are ordinary prost types: what `prost-build` makes of a
//! `.proto` file is used the same way.

use messenger::bus::{Bus, BusConfig, MessageId, PayloadWriter};
use messenger::message::{DecodeError, DeserializeFrom, EncodeError, ExtendedMessage, Serialized};
use messenger::{
    Handle, Handler, Lifecycle, Message, Outbox, Result, messenger, messenger_id_enum,
};
use std::sync::mpsc::{Sender, channel};

/// How many commands the log waits for.
const COMMANDS: usize = 7;

messenger_id_enum! {
    enum Mid { Reading = 1, Command = 2 }
}

messenger_id_enum! {
    enum Hid { Room = 1, Thermostat = 2, Log = 3 }
}

/// How warm a room is.
#[derive(Clone, PartialEq, prost::Message, Message)]
#[message(id = Mid::Reading, codec = prost)]
struct Reading {
    #[prost(string, tag = "1")]
    room: String,
    /// In thousandths of a degree.
    #[prost(sint32, tag = "2")]
    millidegrees: i32,
}

/// What the heating is to do.
#[derive(Clone, PartialEq, prost::Message)]
struct Command {
    #[prost(bool, tag = "1")]
    heat: bool,
    #[prost(string, tag = "2")]
    reason: String,
}

impl Message for Command {
    const ID: MessageId = MessageId::new(Mid::Command.as_u16());
    const NAME: &'static str = "Command";
    type Mode = Serialized;
}

impl ExtendedMessage for Command {
    fn encoded_len(&self) -> Result<usize, EncodeError> {
        Ok(prost::Message::encoded_len(self))
    }

    fn write(&self, to: &mut PayloadWriter<'_>) -> Result<(), EncodeError> {
        messenger::message::prost::write(self, to)
    }
}

impl DeserializeFrom<'_> for Command {
    fn deserialize_from(bytes: &[u8]) -> Result<Self, DecodeError> {
        messenger::message::prost::decode(bytes)
    }
}

/// A room that loses warmth, unless it is heated.
#[derive(Handler)]
#[handler(id = Hid::Room, sends(Reading), lifecycle)]
struct Room {
    millidegrees: i32,
}

impl Room {
    fn reading(&self) -> Reading {
        Reading {
            room: "kitchen".into(),
            millidegrees: self.millidegrees,
        }
    }
}

impl Lifecycle for Room {
    fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&self.reading())
    }
}

impl Handle<Command> for Room {
    fn handle(&mut self, m: &Command, out: &mut Outbox<'_, Self>) -> Result {
        self.millidegrees += if m.heat { 700 } else { -300 };
        out.send(&self.reading())
    }
}

/// Keeps rooms between 20 and 21 degrees.
#[derive(Handler, Default)]
#[handler(id = Hid::Thermostat, sends(Command))]
struct Thermostat {
    heating: bool,
}

impl Handle<Reading> for Thermostat {
    fn handle(&mut self, m: &Reading, out: &mut Outbox<'_, Self>) -> Result {
        let (heat, reason) = match m.millidegrees {
            ..20_000 => (true, "too cold"),
            21_000.. => (false, "warm enough"),
            _ => (self.heating, "as before"),
        };
        self.heating = heat;
        out.send(&Command {
            heat,
            reason: format!("{}: {reason}", m.room),
        })
    }
}

/// Writes down what it hears, and stops everything after so many commands.
#[derive(Handler)]
#[handler(id = Hid::Log)]
struct Log {
    lines: Vec<String>,
    commands: usize,
    done: Sender<Vec<String>>,
}

impl Handle<Reading> for Log {
    fn handle(&mut self, m: &Reading, _: &mut Outbox<'_, Self>) -> Result {
        self.lines.push(format!(
            "{} at {:.1} degrees",
            m.room,
            f64::from(m.millidegrees) / 1e3
        ));
        Ok(())
    }
}

impl Handle<Command> for Log {
    fn handle(&mut self, m: &Command, out: &mut Outbox<'_, Self>) -> Result {
        let what = if m.heat { "heat" } else { "rest" };
        self.lines.push(format!("    {what} ({})", m.reason));
        self.commands += 1;
        if self.commands == COMMANDS {
            self.done.send(std::mem::take(&mut self.lines))?;
            out.stop();
        }
        Ok(())
    }
}

messenger! {
    House(done: Sender<Vec<String>>);

    Kitchen:
        handlers: [
            room: Room = Room { millidegrees: 18_500 },
            thermostat: Thermostat = Thermostat::default(),
        ]
        routes: [
            Room, Reading: [thermostat],
            Thermostat, Command: [room],
        ]

    Cellar:
        handlers: [ log: Log = Log { lines: Vec::new(), commands: 0, done: done.clone() } ]
        routes: [
            Room, Reading: [log],
            Thermostat, Command: [log],
        ]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (done, lines) = channel();
    let bus = Bus::new(BusConfig::bytes(64 << 10))?;
    print!("{}", House::builder(bus, done).run()?.join()?);
    let lines = lines.recv()?;
    println!("{}", lines.join("\n"));

    let expected = [
        "kitchen at 18.5 degrees",
        "    heat (kitchen: too cold)",
        "kitchen at 19.2 degrees",
        "    heat (kitchen: too cold)",
        "kitchen at 19.9 degrees",
        "    heat (kitchen: too cold)",
        "kitchen at 20.6 degrees",
        "    heat (kitchen: as before)",
        "kitchen at 21.3 degrees",
        "    rest (kitchen: warm enough)",
        "kitchen at 21.0 degrees",
        "    rest (kitchen: warm enough)",
        "kitchen at 20.7 degrees",
        "    rest (kitchen: as before)",
    ];
    assert_eq!(lines, expected);
    Ok(())
}
