//! Threads that work for leakcheck itself, which no check reports.

use std::collections::HashMap;
use std::fs;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Handle, Id};

/// How long a look waits for calls that are just starting. They may wait for a place in a full pool, where there is no thread to be mistaken.
const STARTING: Duration = Duration::from_millis(50);

static BOOK: Mutex<Option<Book>> = Mutex::new(None);
static CHANGED: Condvar = Condvar::new();

#[derive(Default)]
struct Book {
    /// By the kernel's number; the runtime if it is of a blocking pool.
    threads: HashMap<u32, Option<Id>>,
    /// Calls that have been made and have no thread yet.
    announced: usize,
}

fn book() -> MutexGuard<'static, Option<Book>> {
    BOOK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with<R>(change: impl FnOnce(&mut Book) -> R) -> R {
    let result = change(book().get_or_insert_default());
    CHANGED.notify_all();
    result
}

/// The kernel's number of this thread; `None` where there is no `/proc`.
pub(super) fn this_thread() -> Option<u32> {
    let link = fs::read_link("/proc/thread-self").ok()?;
    link.file_name()?.to_str()?.parse().ok()
}

pub(super) fn is_own(os_id: u32) -> bool {
    book()
        .as_ref()
        .is_some_and(|book| book.threads.contains_key(&os_id))
}

/// Waits until the announced calls have said which threads they run on, but not for long.
pub(super) fn await_announced() {
    let waiting = |book: &mut Option<Book>| book.as_ref().is_some_and(|book| book.announced > 0);
    drop(CHANGED.wait_timeout_while(book(), STARTING, waiting));
}

/// Own calls that run on the blocking pool of this runtime.
#[cfg(tokio_unstable)]
pub(super) fn calls_on(runtime: &Handle) -> usize {
    let of = Some(runtime.id());
    book().as_ref().map_or(0, |book| {
        book.threads.values().filter(|id| **id == of).count()
    })
}

/// While it exists, the thread that made it works for leakcheck.
#[derive(Debug)]
pub(crate) struct Own(Option<u32>);

impl Own {
    pub(crate) fn here() -> Own {
        Own::enter(None)
    }

    fn enter(runtime: Option<Id>) -> Own {
        let thread = this_thread();
        if let Some(os_id) = thread {
            with(|book| book.threads.insert(os_id, runtime));
        }
        Own(thread)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(os_id) = self.0 {
            with(|book| book.threads.remove(&os_id));
        }
    }
}

/// A call on the blocking pool that is about to be made.
#[derive(Debug)]
pub(crate) struct Announced(Id);

impl Announced {
    pub(crate) fn new(runtime: &Handle) -> Announced {
        with(|book| book.announced += 1);
        Announced(runtime.id())
    }

    /// To be called by the call.
    pub(crate) fn here(self) -> Own {
        // In this order: who sees that nothing is announced sees the thread.
        Own::enter(Some(self.0))
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        with(|book| book.announced -= 1);
    }
}
