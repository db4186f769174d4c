//! Payloads that `import` makes of what they say.

use serde_json::Value;

use super::*;

#[test]
fn payloads_are_made_of_what_they_say() {
    let dir = Dir::new("said");
    let file = kinds(&dir);
    let export = out(0, &["export", dir.str(), "--schema", &file]);
    // As `jq 'del(.payload)'` has it.
    let said = |export: &str| {
        let (header, records) = export.split_once('\n').unwrap();
        let records = lines(records).into_iter().map(|mut record| {
            record.as_object_mut().unwrap().remove("payload").unwrap();
            assert!(record["decoded"] != Value::Null, "{record}");
            record.to_string() + "\n"
        });
        format!("{header}\n{}", records.collect::<String>())
    };
    let copy = Dir::new("said-copy");
    let done = import(&copy, &["--schema", &file], said(&export));
    assert_eq!(done.code, Some(0), "{done:?}");
    let again = out(0, &["export", copy.str(), "--schema", &file]);
    assert_eq!(content(&again), content(&export));

    // One is changed, to what it can't be.
    let said = said(&export);
    for (from, to, why) in [
        (
            r#"["Buy","Sell"]"#,
            r#"["Buy","Hold"]"#,
            "Tick: sides: \"Hold\" is none of Buy, Sell",
        ),
        (
            r#""letter":"ß""#,
            r#""letter":"ss""#,
            "Tick: letter: \"ss\" is no text of one character",
        ),
        (
            r#""firm":true"#,
            r#""firm":1"#,
            "Tick: firm: 1 is neither true nor false",
        ),
        (
            r#""pad":[0,0,0]"#,
            r#""pad":[0,0]"#,
            "Tick: pad: an array of 2, where there are 3",
        ),
        (
            r#""pad":[0,0,0]"#,
            r#""pad":[0,0,256]"#,
            "Tick: pad: 256 is no unsigned number of 8 bits",
        ),
        (r#","pad":[0,0,0]"#, "", "Tick: no field \"pad\""),
        (
            r#","pad":"#,
            r#","bad":0,"pad":"#,
            "Tick: there is no field \"bad\", but wide, price",
        ),
    ] {
        let refused = import(
            &Dir::new("said-wrong"),
            &["--schema", &file],
            said.replacen(from, to, 1),
        );
        let text = format!(
            "line 2 of stdin, after 0 records that were imported: no payload can be made of what is decoded: {why}"
        );
        assert!(
            refused.code == Some(1) && refused.err.contains(&text),
            "{refused:?}"
        );
    }
    for (from, to, why) in [
        (
            r#"["Plain","#,
            r#"["Plane","#,
            "Report: kinds: 0: \"Plane\" is none of Plain, Boxed, Pair, Named",
        ),
        (
            r#""array":[0,"#,
            r#""array":["#,
            "Report: numbers: array: an array of 2, where there are 3",
        ),
        (
            r#""unit":null"#,
            r#""unit":0"#,
            "Report: unit: 0 is not null",
        ),
        (
            r#"{"Pair":[0,"#,
            r#"{"Pair":["#,
            "Report: kinds: 2: Pair: an array of 1, where there are 2",
        ),
        (
            r#"["Plain","#,
            r#"[{"Plain":0},"#,
            "Report: kinds: 0: Plain: there is nothing in it",
        ),
    ] {
        let refused = import(
            &Dir::new("said-wrong"),
            &["--schema", &file],
            said.replacen(from, to, 1),
        );
        let text = format!(
            "line 5 of stdin, after 3 records that were imported: no payload can be made of what is decoded: {why}"
        );
        assert!(
            refused.code == Some(1) && refused.err.contains(&text),
            "{refused:?}"
        );
    }
    let refused = import(&Dir::new("said-unknown"), &[], &said);
    let text = "line 5 of stdin, after 3 records that were imported: no payload can be made of what is decoded: \
                Report: what it is made of is not known: say it by --descriptor or --schema";
    assert!(
        refused.code == Some(1) && refused.err.contains(text),
        "{refused:?}"
    );
    let empty = said.replacen("\"decoded\"", "\"encoded\"", 1);
    let refused = import(&Dir::new("said-nothing"), &[], empty);
    assert!(
        refused.err.contains("line 2 of stdin") && refused.err.contains("neither a payload"),
        "{refused:?}"
    );
}

#[test]
fn what_decodes_to_null_is_made_of_it() {
    let dir = Dir::new("said-null");
    drop(open(&dir));
    let file = dir.join("formats.json");
    let formats = r#"{"Small": {"NEWTYPESTRUCT": {"OPTION": "U32"}}}"#;
    std::fs::write(&file, formats).unwrap();
    let mut text = out(4, &["export", dir.str()]);
    text += "{\"source\":{\"id\":1},\"message\":{\"id\":6},\"decoded\":null}\n";
    let copy = Dir::new("said-null-copy");
    let done = import(&copy, &["--schema", file.to_str().unwrap()], text);
    assert_eq!(done.code, Some(0), "{done:?}");
    let records = lines(&out(0, &["cat", "--json", copy.str()]));
    assert_eq!(records[0]["payload"], "00");
}
