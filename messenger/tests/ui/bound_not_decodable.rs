mod common;

use common::*;
use messenger::bus::{MessageId, PayloadWriter};
use messenger::message::{EncodeError, ExtendedMessage, Message, Serialized};
use messenger::{Handle, Handler, Outbox, Result, messenger};

/// It can be sent; who could receive it?
pub struct OneWay;

impl Message for OneWay {
    const ID: MessageId = MessageId::new(9);
    const NAME: &'static str = "OneWay";
    type Mode = Serialized;
}

impl ExtendedMessage for OneWay {
    fn encoded_len(&self) -> Result<usize, EncodeError> {
        Ok(0)
    }
    fn write(&self, _: &mut PayloadWriter<'_>) -> Result<(), EncodeError> {
        Ok(())
    }
}

#[derive(Handler)]
#[handler(id = 9, sends(OneWay))]
pub struct Sender;

impl Handle<OneWay> for Tap {
    fn handle(&mut self, _: &OneWay, _: &mut Outbox<'_, Self>) -> Result {
        Ok(())
    }
}

messenger! {
    Game;
    outside: [ Sender ]
    Stand:
        handlers: [ tap: Tap = Tap ]
        routes: [ Sender, OneWay: [tap] ]
}

fn main() {}
