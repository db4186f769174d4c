//! The table, and the process that runs its worker.

use std::error::Error;
use std::io;
use std::thread;

use messenger::shared::SharedBus;
use messenger::{Handle, Handler, Message, Outbox, Result, messenger, messenger_id_enum};
use serde::{Deserialize, Serialize};

messenger_id_enum! {
    pub(crate) enum Mid { Question = 1, Answer = 2 }
}

messenger_id_enum! {
    pub(crate) enum Hid { Asker = 1, Squarer = 2 }
}

#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::Question, codec = bincode)]
pub(crate) struct Question {
    pub(crate) number: u64,
}

#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::Answer, codec = bincode)]
pub(crate) struct Answer {
    pub(crate) square: u64,
}

/// The event loop, which is run by no worker.
#[derive(Handler)]
#[handler(id = Hid::Asker, sends(Question))]
pub(crate) struct Asker;

#[derive(Handler)]
#[handler(id = Hid::Squarer, sends(Answer))]
pub(crate) struct Squarer;

impl Handle<Question> for Squarer {
    fn handle(&mut self, question: &Question, out: &mut Outbox<'_, Self>) -> Result {
        let square = question.number * question.number;
        out.send(&Answer { square })
    }
}

messenger! {
    pub(crate) Squares;

    Squaring:
        handlers: [ squarer: Squarer = Squarer ]
        routes: [ Asker, Question: [squarer] ]

    outside: [ Asker ]
    drop: [ Squarer, Answer ]
}

/// The child: answers until its parent closes its input, or dies.
pub(crate) fn answer(bus: &str) -> std::result::Result<(), Box<dyn Error>> {
    let shared = SharedBus::open(bus)?;
    let squares = Squares::builder(&shared).run()?;
    // Now it hears questions.
    println!("ready");
    let stopper = squares.stopper();
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        stopper.stop();
    });
    squares.join()?;
    Ok(())
}
