//! Names for the threads that poll tasks, so that a record can say in four bytes where it is running.
//!
//! A thread gets an index when it polls its first task and gives it back when it ends.
//! Not here: stacks of threads.

use std::cell::Cell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A thread that has polled a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Thread {
    /// The name given by whoever started it, or `thread` if there is none.
    pub(crate) name: Arc<str>,
    /// The kernel's id of the thread, as `top -H` and `/proc` show it; 0 where there is no `/proc`.
    pub(crate) os_id: u32,
}

/// The index of a thread that is too far gone to have one.
const ENDING: u32 = u32::MAX;

static THREADS: Mutex<Vec<Option<Thread>>> = Mutex::new(Vec::new());

fn table() -> MutexGuard<'static, Vec<Option<Thread>>> {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the index back when the thread ends.
struct Registered(u32);

impl Drop for Registered {
    fn drop(&mut self) {
        INDEX.set(ENDING);
        if let Some(slot) = table().get_mut(self.0 as usize - 1) {
            *slot = None;
        }
    }
}

thread_local! {
    static INDEX: Cell<u32> = const { Cell::new(0) };
    static REGISTERED: Cell<Option<Registered>> = const { Cell::new(None) };
}

/// The index of this thread, never 0.
#[inline]
pub(crate) fn index() -> u32 {
    match INDEX.get() {
        0 => register(),
        index => index,
    }
}

#[cold]
fn register() -> u32 {
    let thread = Thread {
        name: std::thread::current().name().unwrap_or("thread").into(),
        os_id: os_id(),
    };
    let index = {
        let mut table = table();
        let free = table.iter().position(Option::is_none).unwrap_or_else(|| {
            table.push(None);
            table.len() - 1
        });
        table[free] = Some(thread);
        free as u32 + 1
    };
    // If this fails, the thread is ending; dropping the value frees the index again.
    let kept = REGISTERED
        .try_with(|slot| slot.set(Some(Registered(index))))
        .is_ok();
    INDEX.set(if kept { index } else { ENDING });
    INDEX.get()
}

/// `/proc/thread-self` is a link to `PID/task/TID`.
fn os_id() -> u32 {
    let link = std::fs::read_link("/proc/thread-self").ok();
    link.and_then(|path| path.file_name()?.to_str()?.parse().ok())
        .unwrap_or(0)
}

/// The thread with this index, unless it has ended.
pub(crate) fn get(index: u32) -> Option<Thread> {
    table().get((index as usize).checked_sub(1)?)?.clone()
}
