//! Help, man pages, completions.

use crate::kit::{Dir, err, out, snapshot};

const COMMANDS: [&str; 16] = [
    "info",
    "tail",
    "cat",
    "stat",
    "verify",
    "repair",
    "trim",
    "export",
    "import",
    "graph",
    "cursors",
    "ls",
    "top",
    "clean",
    "completions",
    "man",
];

#[test]
fn help_says_it_all() {
    let mut all = out(0, &["--help"]);
    for command in COMMANDS {
        all += &format!("\n==== {command}\n");
        all += &out(0, &[command, "--help"]);
    }
    for what in ["list", "set", "remove"] {
        all += &format!("\n==== cursors {what}\n");
        all += &out(0, &["cursors", what, "--help"]);
    }
    // Some of the texts end lines in spaces, which tools would take away.
    let lines: Vec<_> = all.lines().map(str::trim_end).collect();
    snapshot("help.txt", &(lines.join("\n") + "\n"));
    // No command is missing here.
    let listed = out(0, &["--help"]);
    let listed = listed.lines().filter(|line| {
        line.starts_with("  ")
            && !line.starts_with("   ")
            && !line
                .trim_start()
                .starts_with(['-', '0', '1', '2', '3', '4'])
    });
    assert_eq!(listed.count(), COMMANDS.len() + 1, "and `help`");
}

#[test]
fn the_readme_has_all_commands() {
    let readme = include_str!("../../README.md");
    for command in COMMANDS {
        assert!(
            readme.contains(&format!("messenger {command}")),
            "{command}"
        );
    }
}

#[test]
fn nothing_asked_is_a_wrong_command_line() {
    assert!(err(2, &[]).contains("Usage: messenger"));
    assert_eq!(
        out(0, &["--version"]),
        format!("messenger {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn man_pages_are_made() {
    let page = out(0, &["man"]);
    assert!(page.contains(".TH messenger 1"), "{page}");
    assert!(page.contains("Exit status"), "{page}");
    let dir = Dir::new("man");
    out(0, &["man", "--dir", dir.str()]);
    let mut pages = COMMANDS
        .map(|command| format!("messenger-{command}.1"))
        .to_vec();
    pages.push("messenger.1".to_owned());
    for page in pages {
        let text = std::fs::read_to_string(dir.join(&page)).unwrap_or_default();
        assert!(text.contains(".SH SYNOPSIS"), "{page}: {text}");
    }
}

#[test]
fn completions_are_made_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = out(0, &["completions", shell]);
        for word in ["past-cursors", "descriptor", "verify"] {
            assert!(text.contains(word), "{shell}: no {word}");
        }
    }
    err(2, &["completions", "sh"]);
}
