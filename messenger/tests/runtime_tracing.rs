//! What a run tells `tracing`.
#![cfg(all(feature = "tracing", feature = "bincode"))]

mod support;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use messenger::{
    Handle, Handler, HandlerError, Lifecycle, Message, Outbox, Result, Timer, messenger,
};
use serde::{Deserialize, Serialize};
use support::{bus, until};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// A number.
#[derive(Message, Serialize, Deserialize, Debug)]
#[message(id = 1, codec = bincode)]
pub(crate) struct Job(u64);

/// The test.
#[derive(Debug, Handler)]
#[handler(id = 1, sends(Job))]
pub(crate) struct Boss;

/// Refuses.
#[derive(Debug, Handler)]
#[handler(id = 2, lifecycle)]
pub(crate) struct Clerk;

impl Lifecycle for Clerk {
    fn on_timer(&mut self, _: Timer, _: &mut Outbox<'_, Self>) -> Result {
        Err(HandlerError::new("too late"))
    }
}

impl Handle<Job> for Clerk {
    fn handle(&mut self, _: &Job, out: &mut Outbox<'_, Self>) -> Result {
        out.timer(Duration::ZERO);
        Err(HandlerError::new("closed"))
    }
}

messenger! {
    pub(crate) Office;
    outside: [ Boss ]
    Desk:
        handlers: [ clerk: Clerk = Clerk ]
        routes: [ Boss, Job: [clerk] ]
}

/// Keeps events as lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "messenger"
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn a_run_tells_its_life() {
    let lines = Lines::default();
    tracing::subscriber::set_global_default(lines.clone()).unwrap();
    let app = Office::builder(bus(4096)).run().unwrap();
    app.publisher::<Boss>().unwrap().send(&Job(1)).unwrap();
    until(|| lines.0.lock().unwrap().len() == 3);
    app.stop().unwrap();
    assert_eq!(
        *lines.0.lock().unwrap(),
        [
            r#"INFO message=started app="Office" workers=1"#,
            "ERROR message=worker `Desk`, handler `clerk`, message `Job` from `Boss` at position 0: closed \
             worker=\"Desk\" handler=\"clerk\" call=`handle` position=0",
            "ERROR message=worker `Desk`, handler `clerk`, in `on_timer`: too late \
             worker=\"Desk\" handler=\"clerk\" call=`on_timer`",
            "INFO message=stopping cut_off=32",
            r#"INFO message=worker ended worker="Desk""#,
        ]
    );
}
