//! Async handlers: a worker puts their messages into mailboxes, and tasks of a tokio runtime take them out.

mod alone;
mod mailbox;
mod place;
mod queue;
mod task;

pub use mailbox::{AsyncHandler, HandleAsync, MAILBOX, Mailbox};
pub use task::{AsyncOutbox, TaskPublisher};

pub(super) use alone::FirstTask;
pub(super) use place::Place;
