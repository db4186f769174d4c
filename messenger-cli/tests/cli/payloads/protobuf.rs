//! Payloads of the codec prost.

use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use prost_reflect::prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet,
};
use serde_json::{Value, json};

use crate::exchange::import;
use crate::kit::{Dir, err, lines, out};
use crate::market::five;

/// A descriptor with the message `Quote` in each of these packages.
pub(crate) fn descriptor(dir: &Dir, packages: &[&str]) -> String {
    let field = |name: &str, number, kind: Type| FieldDescriptorProto {
        name: Some(name.into()),
        number: Some(number),
        label: Some(Label::Optional as i32),
        r#type: Some(kind as i32),
        ..Default::default()
    };
    let file = |package: &&str| FileDescriptorProto {
        name: Some(format!("{package}.proto")),
        package: Some((*package).into()),
        syntax: Some("proto3".into()),
        message_type: vec![DescriptorProto {
            name: Some("Quote".into()),
            field: vec![
                field("symbol", 1, Type::String),
                field("last_price", 2, Type::Uint32),
            ],
            ..Default::default()
        }],
        ..Default::default()
    };
    let set = FileDescriptorSet {
        file: packages.iter().map(file).collect(),
    };
    let path = dir.with_extension("descriptor");
    std::fs::write(&path, set.encode_to_vec()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn protobuf_is_decoded_by_its_descriptor() {
    let dir = Dir::new("decoded");
    five(&dir);
    let one = descriptor(&dir, &["market"]);
    let records = lines(&out(0, &["cat", "--json", dir.str(), "--descriptor", &one]));
    assert_eq!(
        records[0]["decoded"],
        json!({"symbol": "ACME", "lastPrice": 100})
    );
    // Another codec is left alone.
    assert_eq!(records[1].get("decoded"), None);
    let text = out(0, &["cat", dir.str(), "--descriptor", &one]);
    assert!(
        text.contains(r#"{"symbol":"ACME","lastPrice":100}"#),
        "{text}"
    );

    // What is said to be of a type, and is not.
    let forced = [
        "cat",
        "--json",
        dir.str(),
        "--descriptor",
        &one,
        "--type",
        "Order=market.Quote",
    ];
    let records = lines(&out(0, &forced));
    let why = records[1]["undecoded"].as_str().unwrap();
    assert!(why.starts_with("no market.Quote: "), "{why}");
    assert_eq!(records[1]["payload"], "64000000");

    let two = descriptor(&dir, &["market.v1", "market.v2"]);
    let several = err(1, &["cat", dir.str(), "--descriptor", &two]);
    assert!(
        several.contains("--type Quote=TYPE, of market.v1.Quote, market.v2.Quote"),
        "{several}"
    );
    let chosen = [
        "cat",
        "--json",
        dir.str(),
        "--descriptor",
        &two,
        "--type",
        "Quote=market.v2.Quote",
    ];
    assert_eq!(lines(&out(0, &chosen))[0]["decoded"]["symbol"], "ACME");
    let unknown = err(
        1,
        &[
            "cat",
            dir.str(),
            "--descriptor",
            &two,
            "--type",
            "Quote=Qoute",
        ],
    );
    assert!(
        unknown.contains(
            "there is no Qoute; the files of --descriptor and --schema have market.v1.Quote"
        ),
        "{unknown}"
    );
    std::fs::write(&two, b"no descriptor").unwrap();
    let foreign = err(1, &["cat", dir.str(), "--descriptor", &two]);
    assert!(
        foreign.contains("is no FileDescriptorSet") && foreign.contains("protoc"),
        "{foreign}"
    );
    std::fs::remove_file(&two).unwrap();
}

#[test]
fn protobuf_is_made_of_what_it_says() {
    let dir = Dir::new("said-protobuf");
    five(&dir);
    let file = descriptor(&dir, &["market"]);
    let export = out(0, &["export", dir.str(), "--descriptor", &file]);
    let mut lines = lines(&export);
    lines.truncate(2);
    let payload = lines[1].as_object_mut().unwrap().remove("payload");
    let text = |lines: &[Value]| format!("{}\n{}\n", lines[0], lines[1]);
    let copy = Dir::new("said-protobuf-copy");
    let done = import(&copy, &["--descriptor", &file], text(&lines));
    assert_eq!(done.code, Some(0), "{done:?}");
    let again = out(0, &["cat", "--json", copy.str()]);
    assert_eq!(
        crate::kit::lines(&again)[0].get("payload"),
        payload.as_ref()
    );
    lines[1]["decoded"]["lastPrice"] = json!("much");
    let refused = import(&copy, &["--descriptor", &file], text(&lines));
    std::fs::remove_file(&file).unwrap();
    let why = "line 2 of stdin, after 0 records that were imported: no payload can be made of what is decoded: Quote: ";
    assert!(
        refused.code == Some(1) && refused.err.contains(why),
        "{refused:?}"
    );
}
