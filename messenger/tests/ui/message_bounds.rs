//! Types that are not (wholly) messages, where messages are asked for.
use messenger::bus::MessageId;
use messenger::message::{Serialized, ZeroCopy};
use messenger::{ExtendedMessage, Message, Receive, ZeroCopyMessage};

struct Nothing;

struct OnlyNamed;

impl Message for OnlyNamed {
    const ID: MessageId = MessageId::new(1);
    const NAME: &'static str = "OnlyNamed";
    type Mode = Serialized;
}

struct OnlyMode;

impl Message for OnlyMode {
    const ID: MessageId = MessageId::new(2);
    const NAME: &'static str = "OnlyMode";
    type Mode = ZeroCopy;
}

fn message<M: Message>() {}
fn sends<M: ExtendedMessage>() {}
fn receives<M: for<'a> Receive<'a>>() {}
fn builds<M: ZeroCopyMessage>() {}

fn main() {
    message::<Nothing>();
    sends::<Nothing>();
    receives::<Nothing>();
    sends::<OnlyNamed>();
    receives::<OnlyNamed>();
    receives::<OnlyMode>();
    builds::<OnlyMode>();
}
