//! Whose the files of the journal are, who may open them, and that no link leads anywhere.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use messenger::shared::SharedError;

use super::*;
use crate::kit::{NOBODY, become_nobody};

const STRANGER: u32 = 12345;

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        // Past the test harness, which would keep it to itself.
        use std::io::Write;
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: this user can't give files away"
        );
    }
    root
}

/// Everything in `dir`, itself too, but what a keeper is about to name.
fn all_in(dir: &Path) -> Vec<PathBuf> {
    let mut all = vec![dir.to_owned()];
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.extension() {
            Some(extension) if extension == "new" => {}
            _ if path.is_dir() => all.extend(all_in(&path)),
            _ => all.push(path),
        }
    }
    all
}

/// Uses all of a journal's files.
fn uses(bus: &SharedBus) {
    let mut publisher = bus.bus().publisher().unwrap();
    for sequence in 0..100 {
        publisher.send(TAG, &payload(1, sequence)).unwrap();
    }
    drop(bus.journal().unwrap().cursor("desk").unwrap());
    bus.admit(&Schema::default()).unwrap();
}

/// A journal that was used, and closed.
fn used(name: &str) -> Dir {
    let dir = Dir::new(name);
    uses(&dir.options().create(name).unwrap());
    dir
}

fn text_of(opened: Result<SharedBus, SharedError>) -> String {
    opened.unwrap_err().to_string()
}

#[test]
fn its_files_have_the_permissions_of_the_bus() {
    let name = fresh();
    let dir = Dir::new(&name);
    let own = rustix::process::getegid().as_raw();
    let group = if rustix::process::geteuid().is_root() {
        NOBODY
    } else {
        own
    };
    // One who had the journal alone before made its files as his process makes files.
    let alone = Journal::open(&dir.0, config()).unwrap();
    drop(alone.cursor("alone").unwrap());
    alone.close().unwrap();
    for (mode, of_dirs, group, options) in [
        (0o600, 0o700, own, dir.options()),
        (0o660, 0o770, group, dir.options().mode(0o660).group(group)),
        (0o604, 0o705, own, dir.options().mode(0o604).group(own)),
    ] {
        let bus = options.create(&name).unwrap();
        uses(&bus);
        let all = all_in(&dir.0);
        assert!(all.len() > 8, "{all:?}");
        for path in all.iter().filter(|path| **path != dir.0) {
            let meta = path.metadata().unwrap();
            let expected = if meta.is_dir() { of_dirs } else { mode };
            let found = (meta.mode() & 0o777, meta.gid());
            assert_eq!(found, (expected, group), "{}", path.display());
        }
    }
}

#[test]
fn a_directory_that_it_makes_lets_in_whom_the_bus_lets_in() {
    for (mode, expected) in [(0o600, 0o700), (0o660, 0o770), (0o644, 0o755)] {
        let name = fresh();
        let dir = Dir::new(&name);
        let _bus = dir.options().mode(mode).create(&name).unwrap();
        assert_eq!(dir.0.metadata().unwrap().mode() & 0o777, expected);
    }
    // One that is there stays as it is.
    let name = fresh();
    let dir = Dir::new(&name);
    std::fs::create_dir(&dir.0).unwrap();
    std::fs::set_permissions(&dir.0, PermissionsExt::from_mode(0o711)).unwrap();
    let _bus = dir.options().create(&name).unwrap();
    assert_eq!(dir.0.metadata().unwrap().mode() & 0o777, 0o711);
}

#[test]
fn a_link_where_a_file_is_made_is_not_followed() {
    let victim = Dir::path(&fresh());
    let plant = |path: PathBuf| {
        std::fs::write(&victim, "a text").unwrap();
        symlink(&victim, path).unwrap();
    };
    let is_whole = || {
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "a text");
        std::fs::remove_file(&victim).unwrap();
    };
    for new in [".schema.new", "00000000000000000000.segment.new"] {
        let name = fresh();
        let dir = Dir::new(&name);
        std::fs::create_dir(&dir.0).unwrap();
        plant(dir.0.join(new));
        uses(&dir.options().create(&name).unwrap());
        is_whole();
    }
    for new in ["control.new", "cursors/.late.new"] {
        let name = fresh();
        let dir = used(&name);
        plant(dir.0.join(new));
        let bus = dir.options().create(&name).unwrap();
        drop(bus.journal().unwrap().cursor("late").unwrap());
        is_whole();
        assert!(dir.0.join("control").symlink_metadata().unwrap().is_file());
        drop(bus);
        plant(dir.0.join(new));
        let alone = Journal::open(&dir.0, config()).unwrap();
        drop(alone.cursor("late").unwrap());
        is_whole();
    }
}

#[test]
fn a_link_in_place_of_a_file_is_not_followed() {
    for file in ["control", "lock", "schema", "00000000000000000000.segment"] {
        let name = fresh();
        let dir = used(&name);
        let elsewhere = Dir::path(&fresh());
        std::fs::rename(dir.0.join(file), &elsewhere).unwrap();
        let before = std::fs::read(&elsewhere).unwrap();
        symlink(&elsewhere, dir.0.join(file)).unwrap();
        let text = text_of(dir.options().create(&name));
        assert!(text.contains("links are not followed"), "{file}: {text}");
        let text = Journal::open(&dir.0, config()).unwrap_err().to_string();
        assert!(text.contains("links are not followed"), "{file}: {text}");
        assert_eq!(std::fs::read(&elsewhere).unwrap(), before, "{file}");
        std::fs::remove_file(elsewhere).unwrap();
    }
    let name = fresh();
    let dir = used(&name);
    let elsewhere = Dir::path(&fresh());
    std::fs::rename(dir.0.join("cursors/desk"), &elsewhere).unwrap();
    symlink(&elsewhere, dir.0.join("cursors/desk")).unwrap();
    let bus = dir.options().create(&name).unwrap();
    let error = bus.journal().unwrap().cursor("desk").unwrap_err();
    let text = error.to_string();
    assert!(text.contains("links are not followed"), "{text}");
    drop(bus);
    std::fs::remove_file(elsewhere).unwrap();
    let elsewhere = Dir::new(&fresh());
    std::fs::rename(dir.0.join("cursors"), &elsewhere.0).unwrap();
    symlink(&elsewhere.0, dir.0.join("cursors")).unwrap();
    let text = text_of(dir.options().create(&name));
    assert!(text.contains("links are not followed"), "{text}");
}

#[test]
fn its_directory_is_no_link() {
    let name = fresh();
    let dir = used(&name);
    let link = Dir::new(&fresh());
    symlink(&dir.0, &link.0).unwrap();
    for path in [link.0.clone(), link.0.join("")] {
        let options = SharedBus::options().journal(path, config());
        let text = text_of(options.create(&name));
        assert!(text.contains("links are not followed"), "{text}");
    }
    // Of what leads to it that is the user's affair, as with the bus's file.
    let above = Dir::new(&fresh());
    symlink(dir.0.parent().unwrap(), &above.0).unwrap();
    let through = above.0.join(dir.0.file_name().unwrap());
    let options = SharedBus::options().journal(through, config());
    let bus = options.create(&name).unwrap();
    assert_eq!(bus.journal().unwrap().path(), Some(&*dir.0));
    drop(bus);
    std::fs::remove_file(&above.0).unwrap();
    std::fs::remove_file(&link.0).unwrap();
}

#[test]
fn what_belongs_to_another_user_is_opened_only_by_who_trusts_him() {
    if !is_root() {
        return;
    }
    for file in ["", "control", "00000000000000000000.segment", "lock"] {
        let name = fresh();
        let dir = used(&name);
        // The bus's file is this user's.
        drop(dir.options().keep(true).create(&name).unwrap());
        chown(dir.0.join(file), Some(STRANGER), None).unwrap();
        let expected = format!("belongs to the user {STRANGER}");
        for text in [
            text_of(SharedBus::open(&name)),
            text_of(dir.options().create(&fresh())),
        ] {
            assert!(text.contains(&expected), "{file}: {text}");
            assert!(text.contains("`SharedOptions::trust_others`"), "{text}");
        }
        let options = SharedBus::options().trust_others(true);
        uses(&options.open(&name).unwrap());
        SharedBus::remove(&name).unwrap();
    }
    // Also one that is joined, or only read.
    let name = fresh();
    let dir = Dir::new(&name);
    let bus = dir.options().create(&name).unwrap();
    uses(&bus);
    let mut other = Other::start("journal-joins", &name);
    assert_eq!(other.line(), "joined");
    assert!(other.child.wait().unwrap().success());
    chown(dir.0.join("control"), Some(STRANGER), None).unwrap();
    let mut other = Other::start("journal-joins", &name);
    for _ in ["opened", "read"] {
        let text = other.line();
        let expected = format!("belongs to the user {STRANGER}");
        assert!(text.contains(&expected), "{text}");
    }
}

/// What a child does who comes to the bus, or is refused.
pub(super) fn joins(name: &str) {
    match SharedBus::open(name) {
        Ok(_) => say("joined"),
        Err(error) => {
            say(error);
            say(SharedBus::read(name, Start::Oldest).unwrap_err());
        }
    }
}

/// What a child does who is another user, and may write to the bus.
pub(super) fn fills_as_nobody(name: &str) {
    become_nobody();
    say(text_of(SharedBus::open(name)));
    let bus = SharedBus::options().trust_others(true).open(name).unwrap();
    uses(&bus);
    say("filled");
    forever();
}

#[test]
fn who_is_let_in_is_trusted() {
    if !is_root() {
        return;
    }
    for (mode, group) in [(0o666, 0), (0o660, NOBODY)] {
        let name = fresh();
        let dir = Dir::new(&name);
        let options = dir.options().mode(mode).group(group).keep(true);
        let bus = options.create(&name).unwrap();
        let mut other = Other::start("journal-fills-as-nobody", &name);
        let text = other.line();
        assert!(text.contains("belongs to the user 0"), "{text}");
        assert_eq!(other.line(), "filled");
        other.kill();
        let all = || all_in(&dir.0);
        let of_nobody = |path: &PathBuf| {
            let meta = path.metadata().unwrap();
            meta.is_file() && meta.uid() == NOBODY
        };
        assert!(all().iter().any(of_nobody), "it made segments");
        for path in all().into_iter().filter(of_nobody) {
            assert_eq!(path.metadata().unwrap().mode() & 0o777, mode);
        }
        assert_eq!(super::all(&bus).len(), 100);
        drop(bus);
        let bus = SharedBus::open(&name).unwrap();
        assert_eq!(super::all(&bus).len(), 100);
        drop(bus);
        SharedBus::remove(&name).unwrap();
    }
}
