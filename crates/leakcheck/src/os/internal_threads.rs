//! The threads that work for leakcheck or the crates it stands on, which no check reports.
//!
//! Two ways of knowing one: by its kernel id, while it works for leakcheck ([`InternalThread`]),
//! and by its name, if one of our crates has started it ([`has_internal_name`]).
//!
//! Not here: which other threads a check leaves out (`mod.rs`, `pool.rs`).

use std::collections::HashMap;
use std::fs;
use std::sync::MutexGuard;
use std::time::Duration;

use tokio::runtime::{Handle, Id};

use crate::sync::{Condvar, Mutex};

/// How names of threads begin that our crates start and that stay for the next call or capture.
///
/// The kernel keeps 15 bytes of a name, so no prefix is longer than that. `taskprof-http` is not
/// among them: a server that was left running is a leak like any other.
const PREFIXES: [&str; 3] = ["taskscope", "taskprof-", "callstack-"];

/// The threads of taskprof that are a leak if they are left.
const REPORTED: [&str; 1] = ["taskprof-http"];

/// How long a count waits for calls that are just starting. They may be queued in a full pool,
/// where no thread of theirs can be mistaken for a leak.
const STARTING: Duration = Duration::from_millis(50);

static REGISTRY: Mutex<Option<Registry>> = Mutex::new(None);
static CHANGED: Condvar = Condvar::new();

#[derive(Default)]
struct Registry {
    /// The threads by kernel id; with the runtime, if the thread belongs to a blocking pool.
    threads: HashMap<u32, Option<Id>>,
    /// How many calls have been made and have no thread yet.
    announced: usize,
}

fn registry() -> MutexGuard<'static, Option<Registry>> {
    REGISTRY.lock()
}

fn update<R>(change: impl FnOnce(&mut Registry) -> R) -> R {
    let result = change(registry().get_or_insert_default());
    CHANGED.notify_all();
    result
}

/// Whether one of our crates has started a thread of this name.
pub(super) fn has_internal_name(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !REPORTED.contains(&name)
}

/// The kernel's id of this thread; `None` where there is no `/proc`.
pub(super) fn this_thread() -> Option<u32> {
    let link = fs::read_link("/proc/thread-self").ok()?;
    link.file_name()?.to_str()?.parse().ok()
}

/// Whether this thread works for leakcheck now.
pub(super) fn contains(os_id: u32) -> bool {
    registry()
        .as_ref()
        .is_some_and(|registry| registry.threads.contains_key(&os_id))
}

/// Waits until the announced calls have said which threads they run on, at most [`STARTING`].
pub(super) fn await_announced() {
    let is_waiting = |registry: &mut Option<Registry>| {
        registry
            .as_ref()
            .is_some_and(|registry| registry.announced > 0)
    };
    drop(CHANGED.wait_timeout_while(registry(), STARTING, is_waiting));
}

/// How many calls of leakcheck run on the blocking pool of this runtime.
#[cfg(tokio_unstable)]
pub(super) fn calls_on(runtime: &Handle) -> usize {
    let id = Some(runtime.id());
    registry().as_ref().map_or(0, |registry| {
        let runtimes = registry.threads.values();
        runtimes.filter(|runtime| **runtime == id).count()
    })
}

/// A guard: while it exists, the thread that made it works for leakcheck.
#[derive(Debug)]
pub(crate) struct InternalThread(Option<u32>);

impl InternalThread {
    /// Registers the calling thread.
    pub(crate) fn enter() -> InternalThread {
        InternalThread::register(None)
    }

    fn register(runtime: Option<Id>) -> InternalThread {
        let thread = this_thread();
        if let Some(os_id) = thread {
            update(|registry| registry.threads.insert(os_id, runtime));
        }
        InternalThread(thread)
    }
}

impl Drop for InternalThread {
    fn drop(&mut self) {
        if let Some(os_id) = self.0 {
            update(|registry| registry.threads.remove(&os_id));
        }
    }
}

/// A call of leakcheck that is about to be made on a blocking pool.
#[derive(Debug)]
pub(crate) struct AnnouncedCall(Id);

impl AnnouncedCall {
    pub(crate) fn new(runtime: &Handle) -> AnnouncedCall {
        update(|registry| registry.announced += 1);
        AnnouncedCall(runtime.id())
    }

    /// Registers the thread that the call runs on. Called by the call itself.
    pub(crate) fn enter(self) -> InternalThread {
        // The thread is registered before the announcement is dropped, so a count that sees no
        // announcement sees the thread.
        InternalThread::register(Some(self.0))
    }
}

impl Drop for AnnouncedCall {
    fn drop(&mut self) {
        update(|registry| registry.announced -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_our_crates_are_known_by_name_but_for_the_server() {
        for name in [
            "taskscope",
            "taskscope-watch",
            "taskscope-alarm",
            "taskprof-cpu",
            "callstack-names",
        ] {
            assert!(has_internal_name(name), "{name}");
        }
        for name in [
            "taskprof-http",
            "taskprof",
            "tokio-runtime-w",
            "my-taskscope",
        ] {
            assert!(!has_internal_name(name), "{name}");
        }
        assert!(PREFIXES.iter().all(|prefix| prefix.len() <= 15));
    }
}
