//! A tokio runtime for tests of async handlers.

use tokio::sync::oneshot;

/// A runtime on a thread of its own, until it is dropped.
pub(crate) struct Runtime {
    pub(crate) handle: tokio::runtime::Handle,
    end: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Runtime {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let _ = runtime.block_on(ended);
        });
        Self {
            handle,
            end: Some(end),
            thread: Some(thread),
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        drop(self.end.take());
        self.thread.take().unwrap().join().unwrap();
    }
}
