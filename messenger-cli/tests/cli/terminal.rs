//! On a terminal: colours, progress, questions.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::kit::{Dir, program};
use crate::market::{five, quotes};

/// A terminal: its end for who sits there, and that for programs.
fn terminal() -> (File, OwnedFd) {
    // Of no other program that is started meanwhile.
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = open(
        name.as_c_str(),
        OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .unwrap();
    (master.into(), slave)
}

/// What is written to the terminal until the last program has left it.
fn seen(mut terminal: File) -> String {
    let (mut bytes, mut some) = (Vec::new(), [0; 4096]);
    // It ends with an error, as terminals do.
    while let Ok(len @ 1..) = terminal.read(&mut some) {
        bytes.extend_from_slice(&some[..len]);
    }
    // The first one may be the rest of a character.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What the program writes to a terminal.
fn on_terminal(args: &[&str], variables: &[(&str, &str)]) -> String {
    let (master, slave) = terminal();
    let mut command = program(args);
    // Where a variable says that this is a CI, colours are taken for wanted on any terminal.
    command.env_remove("CI");
    command.env("TERM", "xterm").envs(variables.iter().copied());
    command.stderr(Stdio::from(slave.try_clone().unwrap()));
    command.stdout(Stdio::from(slave));
    let mut child = command.spawn().unwrap();
    // It holds the other end.
    drop(command);
    let text = seen(master);
    child.wait().unwrap();
    text
}

/// The program, started on a terminal of so many columns and lines.
pub(crate) fn started(args: &[&str], (columns, rows): (u16, u16)) -> (File, Child) {
    let (master, slave) = terminal();
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&master, size).unwrap();
    let mut command = program(args);
    command.env("TERM", "xterm");
    command.stdin(Stdio::from(slave.try_clone().unwrap()));
    command.stderr(Stdio::from(slave.try_clone().unwrap()));
    command.stdout(Stdio::from(slave));
    let child = command.spawn().unwrap();
    (master, child)
}

/// What such a program still writes until it ends, and how it does.
pub(crate) fn ended(master: File, mut child: Child) -> (String, Option<i32>) {
    let text = seen(master);
    (text, child.wait().unwrap().code())
}

#[test]
fn colours_are_for_terminals_and_those_who_ask() {
    let dir = Dir::new("colours");
    five(&dir);
    let cat = ["cat", dir.str()];
    assert!(on_terminal(&cat, &[]).contains("\x1b[36mFeed  \x1b[0m \x1b[36mQuote"));
    for (args, variables) in [
        (&["--color", "never"][..], &[][..]),
        (&[], &[("NO_COLOR", "1")]),
        (&[], &[("TERM", "dumb")]),
    ] {
        let text = on_terminal(&[&cat[..], args].concat(), variables);
        assert!(text.contains("Feed   Quote"), "{text}");
        assert!(!text.contains('\x1b'), "{args:?} {variables:?}: {text:?}");
    }
    let piped = |args: &[&str]| crate::kit::out(0, &[&cat[..], args].concat());
    assert!(!piped(&[]).contains('\x1b'));
    assert!(piped(&["--color", "always"]).contains("\x1b[36mFeed"));
    // JSON never has them.
    assert!(!on_terminal(&["cat", "--json", dir.str()], &[]).contains('\x1b'));
}

#[test]
fn progress_is_shown_on_a_terminal_only() {
    let dir = Dir::new("progress");
    quotes(&dir, 2000);
    let text = on_terminal(&["verify", dir.str()], &[]);
    assert!(text.contains("verifying"), "{text:?}");
    let output = program(&["verify", dir.str()]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn who_sits_at_a_terminal_is_asked() {
    for (answer, gone) in [("y\n", true), ("n\n", false), ("\n", false)] {
        let dir = Dir::new("asked");
        quotes(&dir, 1000);
        let (mut master, slave) = terminal();
        let mut command = program(&["trim", dir.str(), "--before", "4096"]);
        command.stdin(Stdio::from(slave.try_clone().unwrap()));
        command.stderr(Stdio::from(slave));
        command.stdout(Stdio::piped());
        let child = command.spawn().unwrap();
        drop(command);
        master.write_all(answer.as_bytes()).unwrap();
        let text = seen(master);
        let output = child.wait_with_output().unwrap();
        assert!(text.contains("Give them up? [y/N]"), "{text:?}");
        assert_eq!(output.status.code(), Some(i32::from(!gone)), "{text:?}");
        assert_eq!(dir.segment(0).exists(), !gone);
    }
}

#[test]
fn who_is_asked_knows_what() {
    let dir = Dir::new("asked-json");
    quotes(&dir, 1000);
    let (mut master, child) = started(&["trim", dir.str(), "--before", "4096", "--json"], (80, 24));
    master.write_all(b"n\n").unwrap();
    let (text, code) = ended(master, child);
    let plan = text.find("to be given up: 1 segment, positions 0 to 4096");
    assert!(
        plan.is_some() && plan < text.find("Give them up?"),
        "{text:?}"
    );
    assert_eq!(code, Some(1));

    std::fs::remove_file(dir.segment(4096)).unwrap();
    let (mut master, child) = started(&["repair", dir.str(), "--json"], (80, 24));
    master.write_all(b"n\n").unwrap();
    let (text, code) = ended(master, child);
    let plan = text.find("to be done:");
    assert!(plan.is_some() && plan < text.find("Repair it?"), "{text:?}");
    assert_eq!(code, Some(1));
}
