//! Who outlives whom.

use messenger::bus::{IdKind, Name, Start};

use crate::kit::{Kind, Setup, drain, observed, spawn, tag, take};

pub(crate) fn members_outlive_the_bus<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let mut observer = bus.observe(Start::Oldest).unwrap();
    let twin = bus.clone();
    drop(bus);
    publisher.send(tag(1), b"one").unwrap();
    assert_eq!(twin.stats().members, setup.own_members() + 3);
    drop(twin);
    publisher.send(tag(1), b"two").unwrap();
    assert_eq!(drain(&mut subscriber), [b"one", b"two"]);
    drop(subscriber);
    assert_eq!(observed(&mut observer).unwrap(), b"one");
    publisher.send(tag(1), b"three").unwrap();
    drop(publisher);
    assert_eq!(observed(&mut observer).unwrap(), b"two");
    assert_eq!(observed(&mut observer).unwrap(), b"three");
}

pub(crate) fn records_outlive_their_publisher<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(1024);
    publisher.send(tag(1), b"testament").unwrap();
    drop(publisher);
    let mut subscriber = bus.subscribe(Start::Oldest).unwrap();
    drop(bus);
    let record = subscriber.try_next().unwrap().unwrap();
    assert_eq!(record.payload(), b"testament");
    let (copy, also) = (record, record.to_owned());
    assert_eq!(copy.payload(), also.payload);
}

pub(crate) fn members_cross_threads<K: Kind>(setup: Setup) {
    let (bus, publisher, subscriber) = setup.trio::<K>(1024);
    let mut observer = bus.observe(Start::Oldest).unwrap();
    let (mut publisher, bus) = spawn(move || {
        let mut publisher = publisher;
        publisher.send(tag(1), b"there").unwrap();
        (publisher, bus)
    })
    .finish();
    publisher.send(tag(1), b"back").unwrap();
    let mut subscriber = spawn(move || {
        let mut subscriber = subscriber;
        assert_eq!(take(&mut subscriber).unwrap().payload, b"there");
        subscriber
    })
    .finish();
    assert_eq!(take(&mut subscriber).unwrap().payload, b"back");
    spawn(move || assert_eq!(observed(&mut observer).unwrap(), b"there")).finish();
    assert_eq!(
        bus.stats().members,
        setup.own_members() + 2,
        "the observer left on its thread"
    );
}

pub(crate) fn a_registration_ends_with_its_guard<K: Kind>(setup: Setup) {
    let (bus, _publisher) = setup.bus::<K>(1024);
    let name = |name, owner| Name {
        kind: IdKind::Message,
        id: 7,
        name,
        layout: 0,
        owner,
    };
    let first = bus.register(vec![name("Ball", "Game")]).unwrap();
    let conflict = bus.register(vec![name("Quote", "Market")]).unwrap_err();
    assert_eq!((conflict.old.name, conflict.new.name), ("Ball", "Quote"));
    let twin = bus.clone();
    drop(bus);
    drop(first);
    twin.register(vec![name("Quote", "Market")]).unwrap();
}
