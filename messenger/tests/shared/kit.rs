//! What the tests share: names that nobody else has, and children that are other processes.

#[path = "../support/fresh.rs"]
mod fresh;
#[path = "../support/still.rs"]
mod still;
#[path = "../support/until.rs"]
mod until;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use messenger::bus::{MessageId, SourceId, Tag};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub(crate) use until::until;

/// By which a child is told what to do: `role name`.
const ROLE: &str = "MESSENGER_SHARED_ROLE";

/// A user who has nothing, and his group.
pub(crate) const NOBODY: u32 = 65534;

pub(crate) const TAG: Tag = Tag::new(SourceId::new(1), MessageId::new(2));

/// The name of a bus that no other test has.
pub(crate) fn fresh() -> String {
    fresh::fresh("test")
}

/// Longer than any child is silent that is to say something.
const LONG: Duration = Duration::from_secs(600);

/// A child process, which is killed when this goes.
pub(crate) struct Other {
    pub(crate) child: Child,
    lines: BufReader<ChildStdout>,
}

impl Other {
    /// Starts a child that does `role`, one of those in `death.rs`, with the bus `name`.
    pub(crate) fn start(role: &str, name: &str) -> Self {
        Self::start_with(role, name, None)
    }

    /// The same, with another variable in its environment.
    pub(crate) fn start_with(role: &str, name: &str, variable: Option<(&str, &str)>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["death::child_process", "--exact", "--nocapture", "--quiet"]);
        command.envs(variable);
        Self::run(command, role, name)
    }

    /// Starts what `command` is, as a child that does `role` with the bus `name`.
    pub(crate) fn run(mut command: Command, role: &str, name: &str) -> Self {
        let mut child = command
            .env(ROLE, format!("{role} {name}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next line that the child says with [`say`].
    pub(crate) fn line(&mut self) -> String {
        loop {
            if self.lines.buffer().is_empty() {
                let mut out = [PollFd::new(self.lines.get_ref(), PollFlags::IN)];
                let wait = Timespec::try_from(LONG).unwrap();
                assert_eq!(poll(&mut out, Some(&wait)), Ok(1), "the child says nothing");
            }
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).unwrap();
            assert!(read > 0, "the child ended and said nothing");
            // What the test harness says stands before it.
            if let Some((_, said)) = line.split_once("> ") {
                return said.trim_end().to_owned();
            }
        }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has died of coming to `point`.
    #[cfg(all(feature = "fault", feature = "zero_copy"))]
    pub(crate) fn is_killed(&mut self, point: &str) {
        use std::os::unix::process::ExitStatusExt;

        let mut ended = None;
        until(&format!("one who dies at {point}"), || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        assert_eq!(ended.unwrap().signal(), Some(9), "{point}");
    }

    /// Stops it; back when it stands still.
    #[track_caller]
    pub(crate) fn halt(&self) {
        self.signal("-STOP");
        self.stands_still();
    }

    /// Waits until it has been stopped.
    #[track_caller]
    pub(crate) fn stands_still(&self) {
        until("a process that stands still", || self.is_still());
    }

    pub(crate) fn is_still(&self) -> bool {
        still::is_still(self.child.id())
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This process's user becomes nobody.
pub(crate) fn become_nobody() {
    use rustix::fs::{Gid, Uid};

    rustix::thread::set_thread_groups(&[]).unwrap();
    rustix::thread::set_thread_gid(Gid::from_raw(NOBODY)).unwrap();
    rustix::thread::set_thread_uid(Uid::from_raw(NOBODY)).unwrap();
}

/// Says something to the parent.
pub(crate) fn say(what: impl std::fmt::Display) {
    println!("\n> {what}");
}

/// What this process is to do, if it is a child.
pub(crate) fn role() -> Option<(String, String)> {
    let told = std::env::var(ROLE).ok()?;
    let (role, name) = told.split_once(' ').unwrap();
    Some((role.to_owned(), name.to_owned()))
}

/// Waits until the parent says something, or is dead.
pub(crate) fn wait_for_a_byte() {
    let _ = std::io::stdin().read_exact(&mut [0]);
}

/// Sleeps until it is killed.
pub(crate) fn forever() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(60));
    }
}
