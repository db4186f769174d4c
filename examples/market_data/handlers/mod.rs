//! The nano-services. None of them names another: who hears whom stands in the table.

mod book;
mod desk;
mod feed;
mod kept_desk;
mod risk;
mod signal;

pub use book::Book;
pub use desk::{Count, Desk, Figures};
pub use feed::Feed;
pub use kept_desk::KeptDesk;
pub use risk::{Limits, Risk};
pub use signal::{CLIP, Signal};

use crate::market_data::messages::Open;
use messenger::{Handler, messenger_id_enum};

messenger_id_enum! {
    /// The ids of all who send.
    #[expect(missing_docs, reason = "each is the id of the handler of that name")]
    pub enum Hid {
        Main = 1,
        Feed = 2,
        Book = 3,
        Signal = 4,
        Risk = 5,
        Desk = 6,
    }
}

/// The program itself, which starts the day from outside.
#[derive(Handler)]
#[handler(id = Hid::Main, sends(Open))]
pub struct Main;
