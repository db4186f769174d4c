//! Payloads of serde's codecs, and which type a message has.

use serde_json::json;

use super::*;
use crate::kit::err;

#[test]
fn payloads_of_serde_are_shown_by_a_schema() {
    let dir = Dir::new("serde");
    let file = kinds(&dir);
    let records = lines(&out(0, &["cat", "--json", dir.str(), "--schema", &file]));
    let [report, remark, small] = [&records[9], &records[10], &records[11]];
    assert_eq!(report["message"]["codec"], "bincode");
    assert_eq!(remark["message"]["codec"], "postcard");
    assert_eq!(report["decoded"], remark["decoded"]);
    assert_eq!(
        report["decoded"],
        json!({
            "text": "Grüße 1\u{1b}",
            "numbers": {
                "small": [-1, 1],
                "array": [1, 300, 65535],
                "wide": "170141183460469231731687303715884105727",
                "float": "NaN",
                "double": 1.0 / 3.0 - 1e300,
                "truth": false,
            },
            "kinds": [
                "Plain",
                {"Boxed": {"Named": {"number": "-1180591620717411303423", "some": null}}},
                {"Pair": [1, "ß"]},
                {"Named": {"number": "-1180591620717411303423", "some": null}},
            ],
            "bytes": [1],
            "named": {"1": 1, "2": 2, "3": 3},
            "numbered": [
                [i64::MIN, "Plain"],
                [1, {"Named": {"number": "-1180591620717411303423", "some": null}}],
            ],
            "nothing": null,
            "perhaps": [null, {"Some": null}, 1],
            "unit": null,
        })
    );
    assert_eq!(records[3]["decoded"]["nothing"], json!({"Some": null}));
    // It has another name, and its type's in the registry.
    assert_eq!(
        (&small["message"]["name"], &small["decoded"]),
        (&json!("Tiny"), &json!(1))
    );
}

#[test]
fn a_schema_that_is_none_is_an_error() {
    let dir = Dir::new("no-schema");
    let file = kinds(&dir);
    let with = |text: &str| {
        std::fs::write(&file, text).unwrap();
        err(1, &["cat", dir.str(), "--schema", &file])
    };
    assert!(with("{").contains("formats.json is no registry of formats: "));
    let missing = with(r#"{"Report": {"NEWTYPESTRUCT": {"TYPENAME": "Kind"}}}"#);
    assert!(
        missing.contains("says that Kind is in Report, and not what Kind is"),
        "{missing}"
    );

    // A type that has no end.
    std::fs::write(
        &file,
        r#"{"Small": {"NEWTYPESTRUCT": {"TYPENAME": "Small"}}}"#,
    )
    .unwrap();
    let records = lines(&out(0, &["cat", "--json", dir.str(), "--schema", &file]));
    let why = records[5]["undecoded"].as_str().unwrap();
    assert!(
        why.starts_with("no Small: ") && why.contains("deep"),
        "{why}"
    );
    let mut text = out(0, &["export", dir.str()])
        .lines()
        .next()
        .unwrap()
        .to_owned();
    text += "\n{\"source\":{\"id\":1},\"message\":{\"id\":6},\"decoded\":1}\n";
    let refused = import(&Dir::new("endless"), &["--schema", &file], text);
    assert!(refused.err.contains("it nests too deep"), "{refused:?}");

    let typed = |pair: &str| {
        std::fs::write(&file, r#"{"Other": {"NEWTYPESTRUCT": "U32"}}"#).unwrap();
        let args = [
            "cat",
            "--json",
            dir.str(),
            "--schema",
            &file,
            "--type",
            pair,
        ];
        crate::kit::run(&args)
    };
    assert_eq!(lines(&typed("Tiny=Other").out)[11]["decoded"], 1);
    let alone = err(1, &["cat", dir.str(), "--type", "Tiny=Other"]);
    assert!(
        alone.contains("say --descriptor or --schema, too"),
        "{alone}"
    );
    let unknown = typed("Tiny=Another");
    assert!(
        unknown
            .err
            .contains("there is no Another; the files of --descriptor and --schema have Other"),
        "{unknown:?}"
    );
}

#[test]
fn a_type_that_both_files_have_is_that_of_the_codec() {
    let dir = Dir::new("both-files");
    let (journal, mut publisher) = open(&dir);
    send(&mut publisher, &Small(7));
    drop(publisher);
    journal.close().unwrap();
    let file = dir.join("formats.json");
    let (file, quotes) = (
        file.to_str().unwrap(),
        super::protobuf::descriptor(&dir, &[""]),
    );
    let typed = |formats, pair| {
        std::fs::write(file, formats).unwrap();
        let by = ["--schema", file, "--descriptor", &quotes, "--type", pair];
        let ran = crate::kit::run(&[&["cat", "--json", dir.str()], &by[..]].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        (lines(&ran.out).remove(0), ran.err)
    };
    let (number, none) = (
        r#"{"Quote": {"NEWTYPESTRUCT": "U32"}}"#,
        r#"{"Other": {"NEWTYPESTRUCT": "U32"}}"#,
    );
    assert_eq!(typed(number, "Tiny=Quote").0["decoded"], 7);
    // Only the descriptor has it.
    let why = typed(none, "Tiny=Quote").0["undecoded"].clone();
    assert!(why.as_str().unwrap().starts_with("no Quote: "), "{why}");
    // Nobody's type is told.
    let (record, note) = typed(number, "Tinny=Quote");
    assert_eq!(record.get("decoded"), None);
    assert!(
        note.contains("note: --type Tinny=Quote: there is no message Tinny, but Tick, Depth"),
        "{note}"
    );
    let by = ["--schema", file, "--type", "Tinny=Quote"];
    let text = out(0, &["export", dir.str()]);
    for ran in [
        crate::kit::run(&[&["export", dir.str()], &by[..]].concat()),
        import(&Dir::new("both-files-copy"), &by, text),
    ] {
        let noted = ran.err.contains("note: --type Tinny=Quote: ");
        assert!(ran.code == Some(0) && noted, "{ran:?}");
    }
    std::fs::remove_file(&quotes).unwrap();
}

#[test]
fn what_is_told_for_nothing_is_noted() {
    let dir = Dir::new("useless");
    let file = kinds(&dir);
    let noted = |args: &[&str]| {
        let ran = crate::kit::run(&[&["cat", dir.str()], args].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.err
    };
    let by = ["--schema", &file];
    assert_eq!(noted(&by), "");
    let known = noted(&[&by[..], &["--type", "Tick=Report"]].concat());
    assert_eq!(
        known,
        "note: --type Tick=Report is not looked at: what messages of the codec zero_copy are made of the journal, or the bus, knows\n"
    );
    let twice = [&by[..], &["--type", "Tiny=Small", "--type", "Tiny=Report"]].concat();
    let twice = err(1, &[&["cat", dir.str()], &twice[..]].concat());
    assert!(
        twice.contains("--type Tiny=Report: Tiny is said to be Small, too"),
        "{twice}"
    );

    // Files of another program.
    let other = dir.join("other.json");
    let other = other.to_str().unwrap();
    std::fs::write(other, r#"{"Other": {"NEWTYPESTRUCT": "U32"}}"#).unwrap();
    let none =
        "no message there has a type of it. --type MESSAGE=TYPE says which one has; it has Other\n";
    assert_eq!(
        noted(&["--schema", other]),
        format!("note: --schema: {none}")
    );
    assert_eq!(noted(&["--schema", other, "--type", "Tiny=Other"]), "");
    let quotes = super::protobuf::descriptor(&dir, &["market"]);
    let none = none.replace("Other", "market.Quote");
    assert_eq!(
        noted(&["--descriptor", &quotes]),
        format!("note: --descriptor: {none}")
    );
    std::fs::remove_file(&quotes).unwrap();
    // Of prost only a descriptor tells.
    let market = Dir::new("useless-market");
    crate::market::five(&market);
    let args = [
        "cat",
        market.str(),
        "--schema",
        other,
        "--type",
        "Quote=Other",
    ];
    let ran = crate::kit::run(&args);
    assert!(
        ran.err.contains("note: --type Quote=Other is not looked at: of the codec prost only --descriptor says what messages are made of"),
        "{ran:?}"
    );
}
