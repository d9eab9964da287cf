//! The thread `taskscope-count`, for jobs that take long: counts of all tasks, long waits, reports
//! of survivors.
//!
//! With a million tasks a count takes some hundred milliseconds, so nothing that must be prompt is
//! done here: the watch thread of the core has the clock and the stacks of blocked threads, the
//! alarm thread of `taskscope` the deadlines of scopes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

/// The name of the thread, as `top -H` shows it.
const NAME: &str = "taskscope-count";

/// A job: does the work if it is due, and returns the time until its next call; `None`: not before
/// [`wake`].
///
/// It may be called early, when another job is due.
pub type LongJob = fn() -> Option<Duration>;

/// `None` if the system would not give us a thread.
static THREAD: OnceLock<Option<Thread>> = OnceLock::new();
static JOBS: Mutex<Vec<LongJob>> = Mutex::new(Vec::new());

fn jobs() -> MutexGuard<'static, Vec<LongJob>> {
    JOBS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds a job. It is never removed.
pub fn add(job: LongJob) {
    jobs().push(job);
}

/// Has all jobs called soon. Returns false if the system has no thread for them.
pub fn wake() -> bool {
    let thread = THREAD.get_or_init(|| {
        let started = thread::Builder::new().name(NAME.into()).spawn(run);
        started.ok().map(|handle| handle.thread().clone())
    });
    if let Some(thread) = thread {
        thread.unpark();
    }
    thread.is_some()
}

fn run() {
    loop {
        let jobs = jobs().clone();
        let next = jobs.into_iter().filter_map(call).min();
        match next {
            Some(time) => thread::park_timeout(time),
            None => thread::park(),
        }
    }
}

/// Calls a job. One that panics has a bug; the others go on, and it is called again with them.
fn call(job: LongJob) -> Option<Duration> {
    const AGAIN: Duration = Duration::from_secs(1);
    catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|panic| {
        // Its destructor could panic again.
        std::mem::forget(panic);
        Some(AGAIN)
    })
}
