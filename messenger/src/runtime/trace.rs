//! Events of a run, for `tracing`; nothing without that feature.

use super::failure::Failure;

macro_rules! event {
    ($level:ident, $($rest:tt)*) => {
        #[cfg(feature = "tracing")]
        tracing::$level!(target: "messenger", $($rest)*);
    };
}

pub(crate) fn started(app: &'static str, workers: usize) {
    event!(info, app, workers, "started");
    let _ = (app, workers);
}

pub(crate) fn stopping(cut_off: u64) {
    event!(info, cut_off, "stopping");
    let _ = cut_off;
}

pub(crate) fn worker_ended(worker: &'static str) {
    event!(info, worker, "worker ended");
    let _ = worker;
}

pub(crate) fn remade(worker: &'static str, handler: &'static str) {
    event!(warn, worker, handler, "handler made again after a panic");
    let _ = (worker, handler);
}

pub(crate) fn failed(failure: &Failure) {
    event!(
        error,
        worker = failure.worker,
        handler = failure.handler,
        call = failure.call.map(tracing::field::display),
        position = failure.record.map(|record| record.position),
        "{failure}"
    );
    let _ = failure;
}
