//! An async handler without tokio: one error, and none where the table is used.
use messenger::bus::Bus;
use messenger::{Handler, messenger};

#[derive(Handler)]
#[handler(id = 1)]
pub struct Client;

messenger! {
    Web;
    Net:
        handlers: [ client: async Client = Client ]
        routes: []
}

fn run(bus: Bus) {
    let _ = Web::builder(bus).only([Web::NET]).run();
}

fn main() {}
