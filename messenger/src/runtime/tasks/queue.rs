//! What waits in a mailbox: posted by the worker's thread, taken by the handler's task, and there beyond the end of that task.

use core::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use super::task::lock;

/// The messages in a mailbox. It is there as long as the worker; the tasks that take from it come and go.
pub(super) struct Queue<T> {
    capacity: usize,
    inner: Mutex<Inner<T>>,
    /// For the task, which waits for a message.
    posted: Notify,
    /// For the worker's thread, which waits for a place.
    taken: Condvar,
}

struct Inner<T> {
    waiting: VecDeque<T>,
    flow: Flow,
}

/// What a queue has for the next message, after one was appended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// A place.
    Place,
    /// None, until the task takes one out.
    Full,
    /// No task that would take it.
    NoTask,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// A task takes what comes.
    Open,
    /// Nothing more comes: the task ends when it has taken what is there.
    Closed,
    /// The task takes nothing more.
    Halted,
    /// There is no task.
    Idle,
}

impl<T> Queue<T> {
    /// A queue for `capacity` messages, without a task.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            inner: Mutex::new(Inner {
                waiting: VecDeque::new(),
                flow: Flow::Idle,
            }),
            posted: Notify::new(),
            taken: Condvar::new(),
        }
    }

    /// A task is about to take from it, and will [`end`](Self::end).
    pub(super) fn begin(&self) {
        self.turn_to(Flow::Open);
    }

    /// The task has ended.
    pub(super) fn end(&self) {
        self.turn_to(Flow::Idle);
    }

    fn turn_to(&self, flow: Flow) {
        lock(&self.inner).flow = flow;
        self.posted.notify_one();
        self.taken.notify_one();
    }

    /// Appends a message, and never waits: whoever posts it keeps back what comes next if there is no place for that.
    pub(super) fn post(&self, message: T) -> Next {
        let mut inner = lock(&self.inner);
        inner.waiting.push_back(message);
        let first = inner.waiting.len() == 1;
        let next = match inner.flow {
            Flow::Open if self.is_full(&inner) => Next::Full,
            Flow::Open => Next::Place,
            _ => Next::NoTask,
        };
        drop(inner);
        if first {
            self.posted.notify_one();
        }
        next
    }

    fn is_full(&self, inner: &Inner<T>) -> bool {
        inner.waiting.len() >= self.capacity
    }

    /// The next message, for the only task. `None`: the task is to end.
    pub(super) async fn next(&self) -> Option<T> {
        // A task for which there is always something lets others have their turn.
        tokio::task::consume_budget().await;
        loop {
            match self.take() {
                Ok(taken) => return taken,
                Err(Empty) => self.posted.notified().await,
            }
        }
    }

    fn take(&self) -> Result<Option<T>, Empty> {
        let mut inner = lock(&self.inner);
        if inner.flow == Flow::Halted {
            return Ok(None);
        }
        let was_full = self.is_full(&inner);
        let Some(message) = inner.waiting.pop_front() else {
            return match inner.flow {
                Flow::Closed => Ok(None),
                _ => Err(Empty),
            };
        };
        drop(inner);
        if was_full {
            self.taken.notify_one();
        }
        Ok(Some(message))
    }

    /// Whether the task was told to take nothing more.
    pub(super) fn is_halted(&self) -> bool {
        lock(&self.inner).flow == Flow::Halted
    }
}

/// Nothing waits.
struct Empty;

/// A queue as the worker sees it, whatever is in it.
pub(super) trait Waiting: Send + Sync {
    /// Nothing more comes: the task ends when it has taken what is there.
    fn close(&self);

    /// The task ends when it is done with what it has in hand.
    fn halt(&self);

    /// Waits until there is a place, or no task that would make one. `false`: there was neither by then.
    fn has_place_by(&self, deadline: Instant) -> bool;

    /// How many messages wait.
    fn count(&self) -> usize;

    /// The queue itself, for who knows what is in it.
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<T: Send + 'static> Waiting for Queue<T> {
    fn close(&self) {
        self.turn_to(Flow::Closed);
    }

    fn halt(&self) {
        self.turn_to(Flow::Halted);
    }

    fn has_place_by(&self, deadline: Instant) -> bool {
        let wait = deadline.saturating_duration_since(Instant::now());
        let waited = self
            .taken
            .wait_timeout_while(lock(&self.inner), wait, |inner| {
                self.is_full(inner) && inner.flow == Flow::Open
            });
        let (inner, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(inner);
        !waited.timed_out()
    }

    fn count(&self) -> usize {
        lock(&self.inner).waiting.len()
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::future::Future;
    use core::pin::pin;
    use core::task::{Context, Poll, Waker};

    fn next<T>(queue: &Queue<T>) -> Poll<Option<T>> {
        pin!(queue.next()).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn what_one_task_leaves_is_for_the_next() {
        let queue = Queue::new(2);
        queue.begin();
        assert_eq!((queue.post(1), queue.post(2)), (Next::Place, Next::Full));
        assert_eq!(next(&queue), Poll::Ready(Some(1)));
        queue.halt();
        assert!(queue.is_halted());
        assert_eq!(next(&queue), Poll::Ready(None));
        queue.end();
        assert_eq!((queue.post(3), queue.post(4)), (Next::NoTask, Next::NoTask));
        assert_eq!(queue.count(), 3);
        queue.begin();
        queue.close();
        for n in 2..=4 {
            assert_eq!(next(&queue), Poll::Ready(Some(n)));
        }
        assert_eq!(next(&queue), Poll::Ready(None));
    }

    #[test]
    fn a_place_is_waited_for_until_there_is_one_or_no_task() {
        let queue = Arc::new(Queue::new(1));
        queue.begin();
        assert_eq!(next(&queue), Poll::Pending);
        let soon = |ms| Instant::now() + core::time::Duration::from_millis(ms);
        assert!(queue.has_place_by(soon(0)));
        let waits = || {
            assert_eq!(queue.post(1), Next::Full);
            assert!(!queue.has_place_by(soon(20)));
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || queue.has_place_by(soon(120_000)))
        };
        let waiting = waits();
        assert_eq!(next(&queue), Poll::Ready(Some(1)));
        assert!(waiting.join().unwrap());
        let waiting = waits();
        queue.end();
        assert!(waiting.join().unwrap());
        assert_eq!(queue.count(), 1);
    }
}
