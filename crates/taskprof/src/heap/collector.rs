//! The thread that adds samples up while the facts of their tasks are still known.
//!
//! Samples wait in a queue that holds half a minute of a busy program; facts of a task that has ended are kept for a while
//! (`taskscope::attribution`). So once a second is often enough. Not here: the sums (`table.rs`).

use std::process;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use super::table;
use crate::our_thread;

const THREAD: &str = "taskprof-heap";
const EVERY: Duration = Duration::from_secs(1);

/// The process that adds up; 0: none does yet.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// Whether this is the child of a process that adds up: the lock of the sums may have been held when it was forked, and nobody
/// is there to give it back.
pub(super) fn is_forked() -> bool {
    let process = PROCESS.load(Ordering::Relaxed);
    process != 0 && process != process::id()
}

/// Starts the thread, if the program's allocator samples; only once.
pub(crate) fn start() {
    static ONCE: Once = Once::new();
    if !callstack::heap::is_installed() || is_forked() {
        return;
    }
    PROCESS.store(process::id(), Ordering::Relaxed);
    taskscope::heap::attribute();
    ONCE.call_once(|| {
        // Before the first walk that counts: without it only the main program's frames are known.
        callstack::heap::prepare();
        // If there is no thread to be had, samples are added up when somebody asks, and some have no labels.
        let _ = our_thread::start(THREAD, || {
            loop {
                drop(table::up_to_date());
                thread::sleep(EVERY);
            }
        });
    });
}
