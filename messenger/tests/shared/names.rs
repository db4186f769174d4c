//! Names, files, and who may open them.

use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};

use messenger::bus::Start;
use messenger::shared::{SharedBus, SharedFault};

use crate::kit::{Other, TAG, become_nobody, fresh, say};

#[test]
fn who_opens_it_gets_what_others_send() {
    let name = fresh();
    let here = SharedBus::create(&name, 1 << 12).unwrap();
    let there = SharedBus::open(&name).unwrap();
    let mut subscriber = there.bus().subscribe(Start::Oldest).unwrap();
    here.bus().publisher().unwrap().send(TAG, b"hello").unwrap();
    let record = subscriber.try_next().unwrap().unwrap();
    assert_eq!(record.payload(), b"hello");
    assert_eq!(here.processes().len(), 1, "both are this process");
}

#[test]
fn there_is_one_of_a_name() {
    let name = fresh();
    let error = SharedBus::open(&name).unwrap_err();
    assert!(matches!(error.fault(), SharedFault::Absent), "{error}");
    assert_eq!(
        format!("{error:?}"),
        error.to_string(),
        "as `main` shows it"
    );
    let nowhere = SharedBus::options().directory("/dev/shm/nowhere");
    let error = nowhere.create(&name).unwrap_err().to_string();
    assert!(
        error.ends_with("; is its directory there? `SharedOptions::directory` names another one"),
        "{error}"
    );
    let bus = SharedBus::open_or_create(&name, 1 << 12).unwrap();
    let error = SharedBus::create(&name, 1 << 12).unwrap_err();
    let SharedFault::Exists { processes } = error.fault() else {
        panic!("{error}");
    };
    assert_eq!(processes[0].pid, std::process::id());
    let error = SharedBus::remove(&name).unwrap_err();
    assert!(
        matches!(error.fault(), SharedFault::InUse { .. }),
        "{error}"
    );
    let path = bus.path().to_owned();
    assert!(path.exists());
    drop(bus);
    assert!(!path.exists(), "it goes with its last user");
}

#[test]
fn one_that_is_kept_has_its_records_later() {
    let name = fresh();
    let options = SharedBus::options().keep(true);
    let bus = options.create(&name).unwrap();
    bus.bus().publisher().unwrap().send(TAG, b"kept").unwrap();
    drop(bus);
    let bus = SharedBus::open(&name).unwrap();
    let mut subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
    assert_eq!(subscriber.try_next().unwrap().unwrap().payload(), b"kept");
    drop((bus, subscriber));
    SharedBus::remove(&name).unwrap();
    let error = SharedBus::remove(&name).unwrap_err();
    assert!(matches!(error.fault(), SharedFault::Absent), "{error}");
}

#[test]
fn members_keep_it_when_the_handle_goes() {
    let name = fresh();
    let bus = SharedBus::create(&name, 1 << 12).unwrap();
    let path = bus.path().to_owned();
    let mut publisher = bus.bus().publisher().unwrap();
    drop(bus);
    publisher.send(TAG, b"still").unwrap();
    assert!(path.exists());
    drop(publisher);
    assert!(!path.exists());
}

#[test]
fn permissions_are_as_asked() {
    let name = fresh();
    let bus = SharedBus::create(&name, 1 << 12).unwrap();
    assert_eq!(bus.path().metadata().unwrap().mode() & 0o777, 0o600);
    let other = fresh();
    let bus = SharedBus::options().mode(0o664).create(&other).unwrap();
    assert_eq!(bus.path().metadata().unwrap().mode() & 0o777, 0o664);
}

#[test]
fn what_is_no_bus_is_refused_and_left_alone() {
    let name = fresh();
    let path = std::path::Path::new("/dev/shm").join(format!("messenger.{name}"));
    std::fs::write(&path, vec![7; 8192]).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    for error in [
        SharedBus::open(&name).unwrap_err(),
        SharedBus::create(&name, 1 << 12).unwrap_err(),
        SharedBus::remove(&name).unwrap_err(),
    ] {
        assert!(matches!(error.fault(), SharedFault::NotABus), "{error}");
        assert_eq!(
            error.fault().to_string(),
            "what lies there is no bus: it does not begin as one does; remove it, or take another name or directory"
        );
    }
    std::fs::remove_file(&path).unwrap();
}

/// Though it leads to a bus that this user may open, and has made.
#[test]
fn a_link_is_not_followed() {
    let bus = SharedBus::options().keep(true).create(&fresh()).unwrap();
    let (name, path) = (bus.name().to_owned(), bus.path().to_owned());
    drop(bus);
    let before = std::fs::read(&path).unwrap();
    let linked = fresh();
    let link = path.with_file_name(format!("messenger.{linked}"));
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let directory = path.parent().unwrap();
    for error in [
        SharedBus::open(&linked).unwrap_err(),
        SharedBus::open_or_create(&linked, 1 << 12).unwrap_err(),
        SharedBus::create(&linked, 1 << 12).unwrap_err(),
        SharedBus::read(&linked, Start::Oldest).unwrap_err(),
        SharedBus::remove(&linked).unwrap_err(),
    ] {
        assert!(matches!(error.fault(), SharedFault::NotAFile), "{error}");
    }
    let look = SharedBus::look(directory, &linked).unwrap().look;
    let error = look.unwrap_err();
    assert!(matches!(error.fault(), SharedFault::NotAFile), "{error}");
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(std::fs::read(&path).unwrap(), before);
    std::fs::remove_file(link).unwrap();
    // By its own name it is one.
    drop(SharedBus::open(&name).unwrap());
    SharedBus::remove(&name).unwrap();
}

/// What a child does who becomes another user, and may write the file.
pub(crate) fn child_process(role: &str, name: &str) -> bool {
    if role != "opens-as-nobody" {
        return false;
    }
    become_nobody();
    let error = SharedBus::open(name).unwrap_err();
    say(error.fault());
    let error = SharedBus::options().create(name).unwrap_err();
    say(error.fault());
    let options = SharedBus::options().trust_others(true);
    let bus = options.open(name).unwrap();
    bus.bus().publisher().unwrap().send(TAG, b"mine").unwrap();
    say("sent");
    true
}

#[test]
fn one_of_another_user_is_opened_only_by_who_trusts_him() {
    if !rustix::process::geteuid().is_root() {
        // Past the test harness, which would keep it to itself.
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "SKIPPED: this user can't become another");
        return;
    }
    let name = fresh();
    let bus = SharedBus::options().mode(0o666).create(&name).unwrap();
    let mut subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
    let mut other = Other::start("opens-as-nobody", &name);
    for _ in ["opened", "replaced"] {
        let text = other.line();
        let foreign = "it belongs to the user 0 with the permissions 666";
        assert!(text.starts_with(foreign), "{text}");
    }
    assert_eq!(other.line(), "sent");
    assert_eq!(subscriber.try_next().unwrap().unwrap().payload(), b"mine");
}

#[test]
fn one_of_another_version_is_not_opened_and_may_be_replaced() {
    let name = fresh();
    let bus = SharedBus::options().keep(true).create(&name).unwrap();
    let path = bus.path().to_owned();
    drop(bus);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(&2_u64.to_ne_bytes(), 8).unwrap();
    drop(file);
    for error in [
        SharedBus::open(&name).unwrap_err(),
        SharedBus::open_or_create(&name, 1 << 12).unwrap_err(),
    ] {
        let fault = error.fault();
        let is_told = matches!(fault, SharedFault::Version { found: 2, known: 8 });
        assert!(is_told, "{error}");
        assert_eq!(
            fault.to_string(),
            "it is written in version 2, and this build knows 8: use the same version of the library in all processes"
        );
    }
    SharedBus::create(&name, 1 << 12).unwrap();
    assert!(!path.exists());
}
