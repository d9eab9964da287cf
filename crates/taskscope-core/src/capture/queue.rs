//! Tasks that are to be captured when a thread of their runtime finds the time.
//!
//! A dump puts them in. A thread that has captured one takes the next one out, marks it and wakes
//! it: from inside of the runtime that costs a push to the thread's own queue, from outside a lock
//! and a system call.
//!
//! Threads of runtimes never wait for the lock here: the dump makes good what they left undone.
//! Not here: which tasks, and how many at a time (`dump::ask`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use crate::record::{Hold, Record, Traits};

/// At most this many tasks that need nothing more are passed over at a time.
const PASSED_OVER: usize = 16;

struct Entry {
    /// Whose.
    queue: u64,
    runtime: u16,
    /// The next one last.
    records: Vec<&'static Record>,
}

static ENTRIES: Mutex<Vec<Entry>> = Mutex::new(Vec::new());
static NUMBERS: AtomicU64 = AtomicU64::new(0);

fn entries() -> MutexGuard<'static, Vec<Entry>> {
    // Nothing in the critical sections can panic half-way.
    ENTRIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The tasks of one runtime that one dump wants.
#[derive(Debug)]
pub struct CaptureQueue(u64);

impl CaptureQueue {
    /// An empty queue of tasks of the runtime with this index.
    pub fn new(runtime: u16) -> CaptureQueue {
        let queue = NUMBERS.fetch_add(1, Ordering::Relaxed);
        entries().push(Entry {
            queue,
            runtime,
            records: Vec::new(),
        });
        CaptureQueue(queue)
    }

    fn with<R>(&self, f: impl FnOnce(&mut Vec<&'static Record>) -> R) -> R {
        let mut entries = entries();
        let mine = entries.iter_mut().find(|entry| entry.queue == self.0);
        match mine {
            Some(entry) => f(&mut entry.records),
            // It is there until the queue is dropped.
            None => f(&mut Vec::new()),
        }
    }

    /// Puts a task in.
    pub fn push(&self, task: &Hold) {
        self.with(|records| records.push(task.get()));
    }

    /// The same for many, the first of which is to be the first one out.
    pub fn push_all<'a>(&self, more: impl DoubleEndedIterator<Item = &'a Hold>) {
        let mut more: Vec<_> = more.rev().map(Hold::get).collect();
        self.with(|records| {
            more.append(records);
            *records = more;
        });
    }

    /// Takes the next one out that is still in use.
    pub fn pop(&self) -> Option<Hold> {
        while let Some(record) = self.with(Vec::pop) {
            if let Some(hold) = record.try_hold() {
                return Some(hold);
            }
        }
        None
    }

    /// Whether no task is left.
    pub fn is_empty(&self) -> bool {
        self.with(|records| records.is_empty())
    }

    /// Forgets all tasks.
    pub fn clear(&self) {
        // Freed outside the lock.
        drop(self.with(std::mem::take));
    }
}

impl Drop for CaptureQueue {
    fn drop(&mut self) {
        let mut entries = entries();
        let mine = entries.iter().position(|entry| entry.queue == self.0);
        let mine = mine.map(|at| entries.swap_remove(at));
        drop(entries);
        drop(mine);
    }
}

/// This thread has just captured a task of that runtime: it marks the next one.
pub(super) fn next_of(runtime: u16) {
    for _ in 0..PASSED_OVER {
        let mut entries = match ENTRIES.try_lock() {
            Ok(entries) => entries,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let mut feeds = entries.iter_mut().filter(|entry| entry.runtime == runtime);
        let Some(record) = feeds.find_map(|entry| entry.records.pop()) else {
            return;
        };
        drop(entries);
        // The dump that put it in may have ended just now, and the record may be another task's: to
        // capture that one does no harm.
        let Some(hold) = record.try_hold() else {
            continue;
        };
        let captured = record.captured_ago(record.polls()) == Some(0);
        // Wakers of other executors run other people's code, which has no business here.
        if !captured && super::may(record) && !record.traits().has(Traits::DRIVEN) {
            super::request(&hold);
            return;
        }
        drop(hold);
    }
}
