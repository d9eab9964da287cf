//! The clock of a runtime, readable from any thread; after the runtime's end, the real one.

use std::sync::{Mutex, MutexGuard};

use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::sync::lock;

pub(super) struct Clock(Mutex<Option<Handle>>);

impl Clock {
    pub(super) fn of(runtime: Option<&Handle>) -> Clock {
        Clock(Mutex::new(runtime.cloned()))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Handle>> {
        lock(&self.0)
    }

    pub(super) fn runtime(&self) -> Option<Handle> {
        self.lock().clone()
    }

    pub(super) fn now(&self) -> Instant {
        match self.runtime() {
            Some(runtime) => in_runtime(&runtime, Instant::now).unwrap_or_else(real),
            None => real(),
        }
    }

    /// Whether this is the real clock: not tokio's own that was paused at some time.
    pub(super) fn is_real(&self) -> bool {
        match self.runtime() {
            Some(runtime) => in_runtime(&runtime, is_real).unwrap_or(true),
            None => true,
        }
    }

    /// The runtime has ended: nobody can move its clock any more.
    pub(super) fn runtime_ended(&self) {
        let runtime = self.lock().take();
        drop(runtime);
    }
}

/// Whether the clock of the current runtime is the real one. One that was paused at some time shows an instant that is not now.
pub(in crate::scope) fn is_real() -> bool {
    let before = std::time::Instant::now();
    let now = Instant::now().into_std();
    before <= now && now <= std::time::Instant::now()
}

/// This moment by the clock of the current runtime, if there is one. Never panics, as tokio's own function does on a thread that is
/// too far gone.
pub(in crate::scope) fn now() -> Instant {
    match Handle::try_current() {
        Err(error) if error.is_thread_local_destroyed() => real(),
        _ => Instant::now(),
    }
}

fn real() -> Instant {
    Instant::from_std(std::time::Instant::now())
}

/// Calls `f` in the context of a runtime. `None` on a thread that is too far gone to have one.
pub(super) fn in_runtime<R>(runtime: &Handle, f: impl FnOnce() -> R) -> Option<R> {
    match Handle::try_current() {
        Ok(current) if current.id() == runtime.id() => Some(f()),
        Err(error) if error.is_thread_local_destroyed() => None,
        _ => {
            let _inside = runtime.enter();
            Some(f())
        }
    }
}
