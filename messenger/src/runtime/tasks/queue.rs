//! What waits in a mailbox: posted by the worker's thread, taken by the handler's task, and there beyond the end of that task.

use core::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

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

    /// Appends a message, and waits for a place before. `false`: there is no task that would take it; it stands there all the same.
    pub(super) fn post(&self, message: T) -> bool {
        // The task never waits for this thread, so it comes to take something, or ends.
        let mut inner = self
            .taken
            .wait_while(lock(&self.inner), |inner| {
                inner.waiting.len() >= self.capacity && inner.flow == Flow::Open
            })
            .unwrap_or_else(PoisonError::into_inner);
        inner.waiting.push_back(message);
        let (first, is_open) = (inner.waiting.len() == 1, inner.flow == Flow::Open);
        drop(inner);
        if first {
            self.posted.notify_one();
        }
        is_open
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
        let was_full = inner.waiting.len() >= self.capacity;
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
        assert!(queue.post(1) && queue.post(2));
        assert_eq!(next(&queue), Poll::Ready(Some(1)));
        queue.halt();
        assert!(queue.is_halted());
        assert_eq!(next(&queue), Poll::Ready(None));
        queue.end();
        assert!(!queue.post(3) && !queue.post(4), "nobody takes it");
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
        assert!(queue.post(1));
        let posting = |n| {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || queue.post(n))
        };
        let second = posting(2);
        std::thread::sleep(core::time::Duration::from_millis(20));
        assert_eq!(queue.count(), 1);
        assert_eq!(next(&queue), Poll::Ready(Some(1)));
        assert!(second.join().unwrap());
        let third = posting(3);
        std::thread::sleep(core::time::Duration::from_millis(20));
        queue.end();
        assert!(!third.join().unwrap());
        assert_eq!(queue.count(), 2);
    }
}
