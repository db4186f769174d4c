//! Everything that keeps a journal from being opened, as its user is told.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::Duration;

use messenger::journal::{Journal, JournalConfig, OpenError, OpenFault, Reader, Retention, verify};

use crate::child;
use crate::kit::{Dir, small, tag};

/// The error's text after the part that names the directory.
fn text(error: &OpenError) -> String {
    let begin = format!("the journal in {}: ", error.path().display());
    let text = error.to_string();
    assert_eq!(format!("{error:?}"), text, "as `main` shows it");
    text.strip_prefix(&begin).expect("named first").to_owned()
}

fn refused(dir: &Path) -> OpenError {
    Journal::open(dir, small()).unwrap_err()
}

fn written(dir: &Dir) {
    let journal = dir.open(small());
    let mut publisher = journal.bus().publisher().unwrap();
    for n in 0..100 {
        publisher.send(tag(n), &[n as u8; 100]).unwrap();
    }
}

#[test]
fn a_directory_of_something_else() {
    let dir = Dir::new("foreign");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("Cargo.toml"), "[package]").unwrap();
    let expected = "the directory holds other files, and no `schema` of a journal: name a journal's directory, or an empty one to create it in; \
                    `repair`, or `messenger repair DIR`, gives a journal that has lost its `schema` a new one";
    let errors = [
        refused(&dir),
        Journal::create(&dir, small()).unwrap_err(),
        Journal::open_existing(&dir, small()).unwrap_err(),
        Reader::open(&dir).unwrap_err(),
        verify(&dir, |_| {}).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error.fault(), OpenFault::NotAJournal));
        assert_eq!(text(&error), expected);
    }
    fs::write(dir.join("schema"), "create table accounts (id int);").unwrap();
    let error = refused(&dir);
    assert_eq!(
        text(&error),
        "the file `schema` does not begin as that of a journal does: the directory belongs to something else; name another one"
    );
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 2, "nothing was made");
}

#[test]
fn absent_or_there_already() {
    let dir = Dir::new("absent");
    for make in [false, true] {
        if make {
            fs::create_dir_all(&dir).unwrap();
        }
        let errors = [
            Journal::open_existing(&dir, small()).unwrap_err(),
            Reader::open(&dir).unwrap_err(),
            verify(&dir, |_| {}).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error.fault(), OpenFault::Absent), "{error}");
            assert_eq!(
                text(&error),
                "there is none: name its directory, or create it"
            );
        }
    }
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    // An empty directory, and one that nobody has made, are where a journal can be created.
    drop(Journal::create(&dir, small()).unwrap());
    let deep = dir.join("a/b/c");
    drop(Journal::open(&deep, small()).unwrap());
    let error = Journal::create(&dir, small()).unwrap_err();
    assert!(matches!(error.fault(), OpenFault::Exists));
    assert_eq!(
        text(&error),
        "there is one already: open it, or name another directory"
    );
    drop(Journal::open_existing(&dir, small()).unwrap());
}

#[test]
fn a_file_in_place_of_a_directory() {
    let dir = Dir::new("file");
    fs::create_dir_all(&dir).unwrap();
    let path = dir.join("file");
    fs::write(&path, "text").unwrap();
    let errors = [
        refused(&path),
        Journal::create(&path, small()).unwrap_err(),
        Reader::open(&path).unwrap_err(),
        verify(&path, |_| {}).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error.fault(), OpenFault::NotADirectory), "{error}");
        assert_eq!(
            text(&error),
            "the path is that of a file, and a journal is a directory: name its directory, or one to create it in"
        );
    }
    assert_eq!(fs::read(&path).unwrap(), b"text");
}

/// What one is told who wants to open what `who` has.
fn in_use(who: &str) -> String {
    // Elsewhere the system does not say who it is.
    let by = match cfg!(target_os = "linux") {
        true => format!("{who}, alone or as one of those that share it as their bus"),
        false => {
            "one process, here or elsewhere, or by those that share it as their bus".to_owned()
        }
    };
    format!(
        "it is open for writing already, by {by}: close it there first, open that bus by its name, or only read, by a `Reader`"
    )
}

#[test]
fn a_second_writer_in_this_process() {
    let dir = Dir::new("twice");
    let journal = dir.open(small());
    let errors = [
        refused(&dir),
        Journal::open_existing(&dir, small()).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error.fault(), OpenFault::InUse { .. }));
        assert_eq!(text(&error), in_use("this process itself"));
    }
    // Who still uses its bus, uses it.
    let mut publisher = journal.bus().publisher().unwrap();
    drop(journal);
    assert!(matches!(refused(&dir).fault(), OpenFault::InUse { .. }));
    publisher.send(tag(1), b"still there").unwrap();
    drop(publisher);
    let journal = dir.open(small());
    assert_eq!(verify(&dir, |_| {}).unwrap().records, 1);
    drop(journal);
}

#[test]
fn a_second_writer_in_another_process() {
    if let Some(dir) = child::is("second-writer") {
        let journal = Journal::open(dir, small()).unwrap();
        journal
            .bus()
            .publisher()
            .unwrap()
            .send(tag(1), b"by another")
            .unwrap();
        println!("open");
        // Until the test says so, or is no more.
        let _ = std::io::stdin().read_line(&mut String::new());
        return;
    }
    let dir = Dir::new("second-writer");
    let test = "faults::a_second_writer_in_another_process";
    let mut other = child::command(test, "second-writer", &dir).spawn().unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("open")));
    let error = refused(&dir);
    assert!(matches!(error.fault(), OpenFault::InUse { .. }), "{error}");
    assert_eq!(text(&error), in_use(&format!("process {}", other.id())));
    let mut reader = Reader::open(&dir).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().payload, b"by another");
    let mut stdin = other.stdin.take().unwrap();
    stdin.write_all(b"\n").unwrap();
    assert!(other.wait().unwrap().success());
    drop(dir.open(small()));
}

/// Writes a checksum over what stands before it.
fn seal_schema(text: &str) -> String {
    format!("{text}crc\t{:08x}\n", crc32c::crc32c(text.as_bytes()))
}

#[test]
fn a_journal_of_a_newer_version() {
    let dir = Dir::new("newer");
    written(&dir);
    let schema = dir.join("schema");
    let old = fs::read_to_string(&schema).unwrap();
    let body = &old[..old.len() - "crc\t00000000\n".len()];
    assert_eq!(seal_schema(body), old);
    let newer = body.replacen("messenger journal\t1", "messenger journal\t7", 1);
    fs::write(&schema, seal_schema(&newer)).unwrap();
    let errors = [
        refused(&dir),
        Reader::open(&dir).unwrap_err(),
        verify(&dir, |_| {}).unwrap_err(),
        messenger::journal::repair(&dir, |_| {}).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error.fault(), OpenFault::Manifest(_)));
        assert_eq!(
            text(&error),
            "the journal is of version 7, and this program knows versions up to 1: use a newer one"
        );
    }
    fs::write(&schema, &old).unwrap();

    // A segment alone, as a program of a newer version may have made it.
    let segment = dir.join(format!("{:020}.segment", 4096));
    let whole = fs::read(&segment).unwrap();
    let mut newer = whole.clone();
    newer[8] = 3;
    let crc = crc32c::crc32c(&newer[..64]);
    newer[64..68].copy_from_slice(&crc.to_le_bytes());
    fs::write(&segment, &newer).unwrap();
    let expected = "segment 4096: the segment is of version 3, and this program knows versions up to 1: use a newer one";
    let errors = [
        refused(&dir),
        verify(&dir, |_| {}).unwrap_err(),
        messenger::journal::repair(&dir, |_| {}).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(
            error.fault(),
            OpenFault::Header { base: 4096, .. }
        ));
        assert_eq!(text(&error), expected);
    }
    assert!(fs::read(&segment).unwrap() == newer, "left as it was");
    fs::write(&segment, whole).unwrap();
    drop(dir.open(small()));
}

#[test]
fn numbers_that_cannot_be() {
    let dir = Dir::new("numbers");
    let config = JournalConfig::new();
    let cases = [
        (
            config.segment_bytes(5000),
            "the length of a segment was to be 5000: ask for a power of two from 4096 to 1073741824",
        ),
        (
            config.segment_bytes(2048),
            "the length of a segment was to be 2048: ask for a power of two from 4096 to 1073741824",
        ),
        (
            config.segment_bytes(1 << 31),
            "the length of a segment was to be 2147483648: ask for a power of two from 4096 to 1073741824",
        ),
        (
            config.members(1),
            "the number of members was to be 1: ask for 2 to 65534",
        ),
        (
            config.members(65_535),
            "the number of members was to be 65535: ask for 2 to 65534",
        ),
        (
            config.ahead(0),
            "the number of segments ahead was to be 0: ask for 1 to 16",
        ),
        (
            config.ahead(17),
            "the number of segments ahead was to be 17: ask for 1 to 16",
        ),
        (
            config.bound(100),
            "the bound was to be 100: ask for at least 256 bytes",
        ),
        (
            config
                .retain(Retention::all().until_older_than(Duration::from_secs(1)))
                .time_resolution(Duration::ZERO),
            "the resolution of the time, by which `Retention::until_older_than` goes, was to be 0: ask for more than zero",
        ),
    ];
    for (config, expected) in cases {
        let error = Journal::open(&dir, config).unwrap_err();
        assert!(matches!(error.fault(), OpenFault::Config { .. }));
        assert_eq!(text(&error), expected);
        // In memory segments may be shorter.
        if !expected.contains("segment was") {
            let error = Journal::in_memory(config).unwrap_err();
            let expected = format!("the journal in memory: {expected}");
            assert_eq!(error.to_string(), expected);
        }
    }
    assert!(!dir.exists());
}

#[test]
fn what_was_damaged_says_what_to_do() {
    let dir = Dir::new("damaged");
    written(&dir);
    let schema = dir.join("schema");
    let old = fs::read(&schema).unwrap();
    fs::write(&schema, &old[..old.len() - 1]).unwrap();
    let error = text(&refused(&dir));
    assert!(
        error.starts_with("the journal's file `schema` is damaged: it ends with "),
        "{error}"
    );
    let end = "; restore it from a copy, or have the journal repaired (`repair`, or `messenger repair DIR`), which makes it anew without the names";
    assert!(error.ends_with(end), "{error}");
    fs::write(&schema, old).unwrap();

    let segment = dir.join(format!("{:020}.segment", 4096));
    let whole = fs::read(&segment).unwrap();
    fs::write(&segment, &whole[..5000]).unwrap();
    let error = refused(&dir);
    assert!(matches!(error.fault(), OpenFault::Cut { len: 5000, .. }));
    assert_eq!(
        text(&error),
        "segment 4096 has 5000 bytes in place of 8192, and records in it were synced: bring the file back, or have the journal repaired (`repair`, or `messenger repair DIR`), \
         which gives up what it lacks and all after it"
    );
    fs::remove_file(&segment).unwrap();
    let error = refused(&dir);
    assert!(matches!(error.fault(), OpenFault::Missing { .. }));
    let error = text(&error);
    assert!(
        error.starts_with(
            "the segment with position 4096 is missing, and the journal was synced up to "
        ),
        "{error}"
    );
    let end = ": bring the file back, or have the journal repaired (`repair`, or `messenger repair DIR`), which gives up what can't be had without it";
    assert!(error.ends_with(end), "{error}");
    // A refusal changes nothing: with the file back all is well.
    fs::write(&segment, whole).unwrap();
    drop(dir.open(small()));
    assert_eq!(verify(&dir, |_| {}).unwrap().records, 100);
}

/// Whether this process may do what the permissions of files forbid.
#[cfg(target_os = "linux")]
#[test]
fn without_permission() {
    use std::os::unix::fs::PermissionsExt;
    if let Some(dir) = child::is("no-permission") {
        let shut = dir.join("shut");
        let open = dir.join("open");
        for error in [refused(&shut), Reader::open(&shut).unwrap_err()] {
            let text = text(&error);
            let expected = format!(
                "{}/schema can't be read: Permission denied (os error 13)",
                shut.display()
            );
            assert_eq!(text, expected);
        }
        let error = refused(&open);
        assert!(matches!(error.fault(), OpenFault::System { .. }));
        assert_eq!(
            text(&error),
            "could not open the lock: Permission denied (os error 13)"
        );
        let error = refused(&dir.join("new"));
        assert_eq!(
            text(&error),
            "could not create the directory: Permission denied (os error 13)"
        );
        // Who may only read, reads.
        let mut reader = Reader::open(&open).unwrap();
        assert!(reader.next().unwrap().is_some());
        assert_eq!(verify(&open, |_| {}).unwrap().records, 100);
        return;
    }
    let dir = Dir::new("no-permission");
    fs::create_dir_all(&dir).unwrap();
    for name in ["shut", "open"] {
        let at = Dir::new("no-permission-made");
        written(&at);
        fs::rename(&at, dir.join(name)).unwrap();
    }
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    mode(&dir, 0o755).unwrap();
    mode(&dir.join("shut"), 0o700).unwrap();
    mode(&dir.join("open"), 0o755).unwrap();
    for entry in fs::read_dir(dir.join("open")).unwrap() {
        mode(&entry.unwrap().path(), 0o644).unwrap();
    }
    let test = "faults::without_permission";
    let by = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    match child::command_under(&by, test, "no-permission", &dir).output() {
        Ok(output) => {
            let err = String::from_utf8_lossy(&output.stderr);
            if err.contains("setpriv: ") {
                return child::skipped(&format!("another user can't run this here: {err}"));
            }
            let out = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{out}\n{err}");
            assert!(out.contains("1 passed"), "{out}");
        }
        Err(error) => child::skipped(&format!("no `setpriv` here: {error}")),
    }
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_disk_that_can_only_be_read() {
    if let Some(dir) = child::is("read-only") {
        let place = dir.join("j");
        drop({
            let journal = Journal::open(&place, small()).unwrap();
            let mut publisher = journal.bus().publisher().unwrap();
            publisher.send(tag(1), b"kept").unwrap();
            publisher
        });
        let status = std::process::Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(&dir)
            .status()
            .unwrap();
        assert!(status.success());
        let error = refused(&place);
        assert_eq!(
            text(&error),
            "could not open the lock: Read-only file system (os error 30)"
        );
        let error = refused(&dir.join("new"));
        assert_eq!(
            text(&error),
            "could not create the directory: Read-only file system (os error 30)"
        );
        let mut reader = Reader::open(&place).unwrap();
        assert_eq!(reader.next().unwrap().unwrap().payload, b"kept");
        assert_eq!(verify(&place, |_| {}).unwrap().records, 1);
        let plan = messenger::journal::plan_repair(&place, |_| {}).unwrap();
        assert!(plan.is_nothing());
        return;
    }
    crate::disk::on_small_disk("faults::on_a_disk_that_can_only_be_read", "read-only");
}
