//! Whether a thread would wait for tasks that none but itself runs.

use core::future::{Future, pending};
use core::pin::pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Waker};
use std::sync::Arc;
use std::task::Wake;

use tokio::runtime::Handle;

use crate::runtime::app::App;

/// The first async handler of a run, and the runtime that its task is to run on.
pub(crate) struct FirstTask {
    pub(crate) worker: &'static str,
    pub(crate) handler: &'static str,
    runtime: Handle,
}

impl FirstTask {
    /// That of a run of these workers. `None`: they have no async handler, or no runtime.
    pub(crate) fn of<A: App>(workers: &[usize], runtime: Option<&Handle>) -> Option<Self> {
        let mut handlers = workers.iter().flat_map(|&worker| {
            let worker = A::INFO.workers[worker];
            worker.handlers.iter().map(move |it| (worker.name, it))
        });
        let (worker, handler) = handlers.find(|(_, handler)| handler.is_async)?;
        Some(Self {
            worker,
            handler: handler.name,
            runtime: runtime?.clone(),
        })
    }

    /// Whether it would be waited for in vain by this thread, which is the only one that runs its task.
    pub(crate) fn is_run_here_alone(&self) -> bool {
        self.runtime.metrics().num_workers() == 1 && self.is_of_this_thread() && runs_tasks()
    }

    /// Whether its runtime, in which this thread is, lets no task go on any more. Then it ends when it is dropped, and that may be for this thread to do.
    pub(crate) fn is_shut_down_here(&self) -> bool {
        if !self.is_of_this_thread() {
            return false;
        }
        // One that comes then is dropped at once. Asked before it is aborted: that another thread may do meanwhile.
        let another = self.runtime.spawn(pending::<()>());
        let is_dropped = another.is_finished();
        another.abort();
        is_dropped
    }

    fn is_of_this_thread(&self) -> bool {
        Handle::try_current().is_ok_and(|it| it.id() == self.runtime.id())
    }
}

/// Whether this thread runs tasks of the runtime that it is in. (A thread of `spawn_blocking` is in it, too.)
fn runs_tasks() -> bool {
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    // Who yields is woken when others have had their turn; at once where there are no turns.
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(&waker));
    !woken.0.load(Ordering::Relaxed)
}

#[cfg(all(test, not(miri), not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_is_shut_down_when_it_is() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap();
        let task = FirstTask {
            worker: "",
            handler: "",
            runtime: runtime.handle().clone(),
        };
        // Its other threads take what comes, and may be fast.
        runtime.block_on(async {
            for n in 0..200_000 {
                assert!(!task.is_shut_down_here(), "{n}");
            }
        });
        assert!(!task.is_shut_down_here(), "not a thread of it");
        let _within = task.runtime.enter();
        drop(runtime);
        assert!(task.is_shut_down_here());
    }
}
