//! The processes that the parent starts, and what is left of them: nothing.

use crate::market::Config;
use std::error::Error;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::{env, fs, io};

/// A process that runs some workers. Dropped, it is killed.
pub(crate) struct Member {
    workers: &'static [&'static str],
    child: Child,
    /// Its parent has killed it.
    pub(crate) killed: bool,
}

impl Member {
    /// Starts a process that runs `workers` on the bus of this name.
    pub(crate) fn start(
        bus: &str,
        config: &Config,
        workers: &'static [&'static str],
    ) -> io::Result<Self> {
        let child = Command::new(env::current_exe()?)
            // By which others know it on the bus.
            .arg0(workers.join("+"))
            .arg(bus)
            .args([&config.feed, &config.desk])
            .args(workers)
            // It stops when this end is closed, also because the parent has died.
            .stdin(Stdio::piped())
            .spawn()?;
        Ok(Self {
            workers,
            child,
            killed: false,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it with SIGKILL, wherever it is.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.killed = true;
        self.child.kill()
    }

    /// An error if it has ended, and nobody has told it to.
    pub(crate) fn check(&mut self) -> Result<(), Box<dyn Error>> {
        // (One that was killed is left for the bus to find, which could not ask how it ended after this.)
        if self.killed {
            return Ok(());
        }
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(self.ended(status)),
        }
    }

    /// Has it stop in good order, and waits for that.
    pub(crate) fn stop(mut self) -> Result<(), Box<dyn Error>> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        if status.success() || self.killed {
            return Ok(());
        }
        Err(self.ended(status))
    }

    fn ended(&self, status: ExitStatus) -> Box<dyn Error> {
        format!("the process that runs {}: {status}", self.workers.join("+")).into()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // Both fail if it has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory of this process's, which goes with its owner.
pub(crate) struct Home(PathBuf);

impl Home {
    pub(crate) fn new(name: &str) -> io::Result<Self> {
        let path = env::temp_dir().join(format!("messenger-{name}"));
        // What one has left that had this number before.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
