//! What a stop waits for where handlers are async.

use messenger::{AsyncHandler, AsyncOutbox, HandleAsync};

use super::*;

#[path = "../../support/runtime.rs"]
mod runtime;

/// Answers in a task, as often as it is told.
#[derive(Handler)]
#[handler(id = 4, sends(Double))]
struct Patient(u64);

impl AsyncHandler for Patient {}

impl HandleAsync<Single> for Patient {
    async fn handle(&mut self, m: Single, out: &mut AsyncOutbox<Self>) -> Result {
        for _ in 0..self.0 {
            out.build(|double: &mut Double| double.twice = 2 * m.n)?;
        }
        Ok(())
    }
}

messenger! {
    Tasks(answers: u64);
    outside: [ Boss ]
    Only:
        handlers: [ patient: async Patient = Patient(*answers) ]
        routes: [ Boss, Single: [patient] ]
    drop: [ Patient, Double ]
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_stop_waits_for_room_for_the_answers_of_async_handlers() {
    let runtime = runtime::Runtime::new();
    let bus = SharedBus::create(&fresh(), 1 << 12).unwrap();
    let app = Tasks::builder(&bus, 100)
        .patience(LONG)
        .tokio(runtime.handle.clone())
        .run()
        .unwrap();
    let mut slow = app.subscribe_gating::<(Double,)>(Start::Newest).unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    boss.send(&Single { n: 1 }).unwrap();
    until("a full ring", || app.counters()[0].spilled > 0);
    let stopping = thread::spawn(move || app.stop().unwrap());
    thread::sleep(Duration::from_millis(100));
    for n in 0..100 {
        let answer = slow.next_timeout(LONG).unwrap();
        assert!(answer.is_some(), "{n} answers");
    }
    let report = ended(stopping);
    assert_eq!(report.workers[0].unsent, 0, "{report}");
    assert!(slow.try_next().unwrap().is_none(), "each once");
}
