//! The code of `docs/guide.md` that stands in no example.

use messenger::bus::{Bus, BusConfig};
use messenger::{Handler, Message, messenger};
use serde::{Deserialize, Serialize};

#[derive(Message, Serialize, Deserialize)]
#[message(id = 1, codec = bincode)]
struct Alarm {
    cents: u64,
}

#[derive(Handler)]
#[handler(id = 1, sends(Alarm))]
struct Main;

#[derive(Handler)]
#[handler(id = 2)]
struct Idle;

messenger! {
    Till;
    outside: [ Main ]
    Desk:
        handlers: [ idle: Idle = Idle ]
        routes: []
    drop: [ Main, Alarm ]
}

use messenger::Running;
use std::error::Error;

/// What a request for the next alarm is answered with.
async fn next_alarm(till: &Running<Till>) -> Result<u64, Box<dyn Error + Send + Sync>> {
    let mut alarms = till.subscribe::<(Alarm,)>()?;
    let alarm = alarms.receive_async().await?;
    Ok(alarm.ok_or("the till was stopped")?.cents)
}

/// Two requests on one thread of a server.
#[tokio::test(flavor = "current_thread")]
async fn a_server_awaits_messages() {
    let till = Till::builder(Bus::new(BusConfig::bytes(4096)).unwrap());
    let till = till.run_async().await.unwrap();
    let mut main = till.publisher::<Main>().unwrap();
    let send = async { main.try_send(&Alarm { cents: 890_000 }).unwrap() };
    let (first, second, _) = tokio::join!(next_alarm(&till), next_alarm(&till), send);
    assert_eq!((first.unwrap(), second.unwrap()), (890_000, 890_000));
    till.stopper().stop();
    assert!(next_alarm(&till).await.is_err());
    till.join_async().await.unwrap();
}
