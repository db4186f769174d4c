//! Zero-copy payloads.

use serde_json::{Value, json};

use super::*;
use crate::kit::json as ran;

#[test]
fn zero_copy_payloads_are_shown_by_their_fields() {
    let dir = Dir::new("plain");
    kinds(&dir);
    let records = lines(&out(0, &["cat", "--json", dir.str()]));
    assert_eq!(
        records[0]["decoded"],
        json!({
            "wide": "340282366920938463463374607431768211455",
            "price": u64::MAX,
            "count": i64::MIN,
            "ratio": 0.0,
            "share": 0.1,
            "letter": "ß",
            "pairs": [[[-1, 0], [-32768, 32767]]],
            "sides": ["Buy", "Sell"],
            "firm": true,
            "flags": [true, false],
            "none": null,
            "pad": [0, 0, 0],
        })
    );
    assert_eq!(records[6]["decoded"]["share"], "NaN");
    assert_eq!(records[12]["decoded"]["share"], "NaN:ffc00001");
    assert_eq!(
        records[13]["decoded"],
        json!({"head": 2, "tail": [[0, -1], [1, -1]]})
    );
    assert_eq!(records[2]["decoded"], json!({"tail": [[0, 7], [8, 9]]}));
    // For serde's codecs nobody has said it.
    assert_eq!(records[3].get("decoded"), None);
    assert_eq!(records[3].get("undecoded"), None);

    let text = out(0, &["tail", "-n", "5", dir.str()]);
    assert!(text.contains(r#"{"tail":[[23,7],[8,9]]}"#), "{text}");
    let info = ran(0, &["info", "--json", dir.str()]);
    let shapes = info["schema"]["shapes"].as_array().unwrap();
    let of = |layout: &Value| {
        shapes
            .iter()
            .find(|shape| shape["layout"] == *layout)
            .unwrap()
    };
    let shape = of(&info["schema"]["messages"][0]["layout"]);
    assert_eq!(
        shape["fields"][0],
        json!({"name": "wide", "offset": 0, "size": 16, "type": "u128"})
    );
    let side = shape["fields"][8]["type"].as_str().unwrap();
    let side = of(&json!(side[2..18]));
    assert_eq!(side["variants"][0], json!({"name": "Buy", "number": "-1"}));
}

#[test]
fn what_has_no_such_payload_is_hex_and_says_why() {
    let dir = Dir::new("unlike");
    let (journal, mut publisher) = open(&dir);
    let mut bytes = tick(0).to_vec().unwrap();
    let firm = std::mem::offset_of!(Tick, firm);
    bytes[firm] = 2;
    publisher.send(tag(Tick::ID), &bytes).unwrap();
    bytes[firm] = 1;
    bytes[firm - 1] = 3;
    publisher.send(tag(Tick::ID), &bytes).unwrap();
    publisher.send(tag(Tick::ID), b"short").unwrap();
    publisher.send(tag(Depth::ID), b"nine byte").unwrap();
    drop(publisher);
    journal.close().unwrap();
    let records = lines(&out(0, &["export", dir.str()]));
    let why: Vec<_> = records[1..]
        .iter()
        .map(|record| record["undecoded"].as_str().unwrap())
        .collect();
    assert_eq!(
        why,
        [
            "no Tick: firm: 2 is no bool",
            "no Tick: sides: 3 is no variant",
            "no Tick: 5 bytes, and it has 64",
            "no Depth: 9 bytes are no head of 8 and items of 4",
        ]
    );
    // They are imported as they are.
    let copy = Dir::new("unlike-copy");
    let text = out(0, &["export", dir.str()]);
    assert_eq!(import(&copy, &[], &text).code, Some(0));
    assert_eq!(content(&out(0, &["export", copy.str()])), content(&text));
    let text = out(0, &["cat", dir.str()]);
    assert!(
        text.contains("73686f7274") && text.contains("no Tick: 5 bytes"),
        "{text}"
    );
}

#[test]
fn a_journal_without_shapes_shows_hex() {
    let dir = Dir::new("shapeless");
    kinds(&dir);
    std::fs::remove_file(dir.join("shapes")).unwrap();
    let records = lines(&out(0, &["cat", "--json", dir.str()]));
    assert_eq!(records[0].get("decoded"), None);
    assert_eq!(records[0].get("undecoded"), None);
    // The program brings them again.
    drop(open(&dir));
    let records = lines(&out(0, &["cat", "--json", dir.str()]));
    assert_eq!(records[0]["decoded"]["letter"], "ß");
}

#[cfg(target_os = "linux")]
#[test]
fn a_bus_knows_what_its_messages_are_made_of() {
    let shm = crate::bus_kit::Shm::new();
    let bus = messenger::shared::SharedBus::options().directory(shm.str());
    let bus = bus.create("ticks").unwrap();
    bus.admit(&Schema::from(Kinds::INFO)).unwrap();
    send(&mut bus.bus().publisher().unwrap(), &tick(0));
    let records = lines(&shm.out(0, &["tail", "--json", "ticks"]));
    assert_eq!(records[0]["decoded"]["sides"], json!(["Buy", "Sell"]));
}
