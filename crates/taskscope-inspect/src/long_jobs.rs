//! The thread for everything that takes long: counts of all tasks, looks at long waits, reports of survivors.
//!
//! With a million tasks a count takes some hundred milliseconds, so nothing that must come in time is done here: the clock and the
//! stacks of blocked threads have the watch thread of the core, deadlines of scopes have the alarm thread of `taskscope`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::{census, growth, sampling};

/// The name of the thread, as `top -H` shows it.
const NAME: &str = "taskscope-count";

/// Does what is due, and says in how long it has to be called again; `None`: not before somebody calls [`wake`].
///
/// It may be called early, when another job is due.
pub type LongJob = fn() -> Option<Duration>;

/// `None` if the system would not give us a thread.
static THREAD: OnceLock<Option<Thread>> = OnceLock::new();
static JOBS: Mutex<Vec<LongJob>> = Mutex::new(Vec::new());

fn jobs() -> MutexGuard<'static, Vec<LongJob>> {
    JOBS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds a job, for ever.
pub fn add(job: LongJob) {
    jobs().push(job);
}

/// Has all jobs look soon whether they are due. False: the system has no thread for them.
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

/// For the watch thread: wakes this one if it is time to count. Cheap.
pub(crate) fn look() {
    if growth::is_due() || census::is_due() {
        wake();
    }
}

/// While nobody polls no spawn site grows; but a series of counts by verdict goes on.
pub(crate) fn look_while_quiet() {
    if census::is_due() {
        wake();
    }
}

fn run() {
    loop {
        let added = jobs().clone();
        let own: [LongJob; 3] = [sampling::look, growth::look, census::look];
        let next = own.into_iter().chain(added).filter_map(call).min();
        match next {
            Some(time) => thread::park_timeout(time),
            None => thread::park(),
        }
    }
}

/// A job that panics is a bug, and no reason to stop the others. It is called again with them.
fn call(job: LongJob) -> Option<Duration> {
    const AGAIN: Duration = Duration::from_secs(1);
    catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|panic| {
        // Its destructor could panic again.
        std::mem::forget(panic);
        Some(AGAIN)
    })
}
