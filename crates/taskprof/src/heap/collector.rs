//! The thread that adds heap samples up while their tasks are still known.
//!
//! Samples wait in a queue, and facts of a task that has ended are kept for a while
//! (`taskscope::attribution`). At the default rate once a second is often enough; at a smaller one
//! the queue fills sooner. Not here: the sums (`table.rs`).

use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use callstack::heap;

use super::table;

const THREAD: &str = "taskprof-heap";
/// The longest time between two additions.
const EVERY: Duration = Duration::from_secs(1);
/// The shortest time between two additions.
const AT_MOST_EVERY: Duration = Duration::from_millis(10);
/// A program that allocates so many bytes a second fills the queue in four times the time between
/// two additions.
const BUSY: u64 = 4 << 30;

static RUNNING: OnceLock<Option<Thread>> = OnceLock::new();

/// The id of the process whose thread runs; 0 before there is one.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// Whether this process was forked from one whose thread runs: the lock of the sums may be held for
/// ever.
pub(super) fn is_forked() -> bool {
    let process = PROCESS.load(Ordering::Relaxed);
    process != 0 && process != process::id()
}

/// Starts the thread, if the program's allocator samples; only once.
pub(crate) fn start() {
    if !heap::is_installed() || is_forked() {
        return;
    }
    PROCESS.store(process::id(), Ordering::Relaxed);
    taskscope::heap::attribute();
    RUNNING.get_or_init(|| {
        // Before the first walk that counts: without it only the main program's frames are known.
        heap::prepare();
        // Without the thread, samples are added up when a profile is requested, and some have no
        // labels.
        let started = crate::thread::spawn(THREAD, || {
            loop {
                drop(table::up_to_date());
                thread::park_timeout(pause(heap::rate()));
            }
        });
        started.ok().map(|handle| handle.thread().clone())
    });
}

/// Wakes the thread after the rate has changed.
pub(super) fn wake() {
    if let Some(Some(thread)) = RUNNING.get() {
        thread.unpark();
    }
}

/// How long the thread may sleep at this rate before the queue is full.
fn pause(rate: usize) -> Duration {
    if rate == 0 {
        return EVERY;
    }
    let quarter = rate as u64 * (heap::QUEUE as u64 / 4);
    Duration::from_millis(quarter.saturating_mul(1000) / BUSY).clamp(AT_MOST_EVERY, EVERY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_rate_is_added_up_more_often() {
        for (rate, millis) in [
            (0, 1000),
            (1 << 10, 10),
            (64 << 10, 125),
            (512 << 10, 1000),
            (1 << 30, 1000),
        ] {
            assert_eq!(pause(rate), Duration::from_millis(millis), "{rate}");
        }
    }
}
