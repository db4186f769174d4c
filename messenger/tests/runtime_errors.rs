//! A message that does not encode: what is told to who publishes it, and to the handler that sends it.
#![cfg(feature = "bincode")]

use messenger::bus::{Bus, BusConfig};
use messenger::message::EncodeError;
use messenger::{
    FailureKind, Handle, Handler, Message, Outbox, PublishError, Result, SendError, SendFault,
    messenger,
};
use serde::ser::{Error, Serializer};
use serde::{Deserialize, Serialize};

/// Does not encode unless it is sweet.
#[derive(Message, Deserialize, Debug)]
#[message(id = 1, codec = bincode)]
pub(crate) struct Grape {
    sweet: bool,
}

impl Serialize for Grape {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.sweet {
            true => to.serialize_bool(true),
            false => Err(S::Error::custom("it is sour")),
        }
    }
}

/// The test.
#[derive(Debug, Handler)]
#[handler(id = 1, sends(Grape))]
pub(crate) struct Vine;

/// Passes on what has gone off.
#[derive(Debug, Handler)]
#[handler(id = 2, sends(Grape))]
pub(crate) struct Fox;

impl Handle<Grape> for Fox {
    fn handle(&mut self, _: &Grape, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&Grape { sweet: false })
    }
}

messenger! {
    pub(crate) Fable;
    outside: [ Vine ]
    Hill:
        handlers: [ fox: Fox = Fox ]
        routes: [ Vine, Grape: [fox] ]
    drop: [ Fox, Grape ]
}

#[test]
fn what_does_not_encode_is_told_to_who_sends_it() {
    let app = Fable::builder(Bus::new(BusConfig::bytes(4096)).unwrap())
        .run()
        .unwrap();
    let mut vine = app.publisher::<Vine>().unwrap();
    let error = vine.send(&Grape { sweet: false }).unwrap_err();
    assert!(matches!(
        error,
        PublishError::Encode(EncodeError::Codec { .. })
    ));
    let text = "bincode can't encode this value: it is sour";
    assert_eq!(error.to_string(), text);
    vine.send(&Grape { sweet: true }).unwrap();
    let report = app.stop().unwrap();
    let FailureKind::Returned(error) = &report.failures[0].kind else {
        panic!("{report:?}");
    };
    let error = error.downcast_ref::<SendError>().unwrap();
    assert!(matches!(error.fault, SendFault::Encode(_)));
    assert_eq!(
        report.failures[0].to_string(),
        format!(
            "worker `Hill`, handler `fox`, message `Grape` from `Vine` at position 0: handler `fox` of worker `Hill` could not send \
             `Grape`: {text}"
        )
    );
}
