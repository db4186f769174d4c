//! Fault points: places where a test has its process killed. Nothing is left of them without the feature `fault`.

/// Kills the process here, if this is the point, and the time, that the test has chosen.
macro_rules! fault {
    ($name:literal) => {
        #[cfg(all(feature = "fault", not(loom)))]
        crate::fault::hit($name);
    };
}

/// The point `name` is reached. The variable `MESSENGER_FAULT` names a point and says at which time, counted from 1,
/// the process is killed there: `finished:17`; or is stopped there, until it is sent on: `finished:17:stop`. Or several, with commas between.
#[cfg(all(feature = "fault", not(loom)))]
pub(crate) fn hit(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    struct Chosen {
        name: String,
        time: u64,
        stops: bool,
        hits: AtomicU64,
    }
    static CHOSEN: OnceLock<Vec<Chosen>> = OnceLock::new();

    let chosen = CHOSEN.get_or_init(|| {
        let all = std::env::var("MESSENGER_FAULT").unwrap_or_default();
        let one = |text: &str| {
            let mut parts = text.split(':');
            Some(Chosen {
                name: parts.next()?.to_owned(),
                time: parts.next()?.parse().ok()?,
                stops: parts.next() == Some("stop"),
                hits: AtomicU64::new(0),
            })
        };
        all.split(',').filter_map(one).collect()
    });
    for it in chosen.iter().filter(|it| it.name == name) {
        if it.hits.fetch_add(1, Relaxed) + 1 == it.time {
            if it.stops { stop() } else { die() }
        }
    }
}

/// Stops the process, all its threads, until it is sent on.
#[cfg(all(feature = "fault", not(loom)))]
fn stop() {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        use rustix::process::{Signal, getpid, kill_process};
        // If it fails, the test that waits for it does.
        let _ = kill_process(getpid(), Signal::STOP);
        // Another thread may be the one that is signalled, and stop this one a moment later.
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

/// Ends the process as a kill does: nothing is run any more.
#[cfg(all(feature = "fault", not(loom)))]
fn die() -> ! {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        use rustix::process::{Signal, getpid, kill_process};
        // If it fails, the abort below does.
        let _ = kill_process(getpid(), Signal::KILL);
    }
    std::process::abort()
}

/// Told of each flush before it is asked for: the path of the file, or of the directory whose names are flushed. What the file
/// holds then, and what has not failed after it, survives a power loss. If it gives an error, that is the flush's.
#[cfg(all(feature = "fault", not(loom)))]
pub type Flushing = Box<dyn Fn(&std::path::Path) -> std::io::Result<()> + Send + Sync>;

#[cfg(all(feature = "fault", not(loom)))]
static FLUSHING: std::sync::RwLock<Option<Flushing>> = std::sync::RwLock::new(None);

/// Has `hook` told of each flush, in place of the one before.
#[cfg(all(feature = "fault", not(loom)))]
pub fn on_flush(hook: Flushing) {
    *FLUSHING
        .write()
        .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(hook);
}

#[cfg(all(feature = "fault", feature = "journal", not(loom)))]
pub(crate) fn flushing(path: &std::path::Path) -> std::io::Result<()> {
    let hook = FLUSHING
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    hook.as_ref().map_or(Ok(()), |hook| hook(path))
}
