//! Locks that take no notice of poisoning.
//!
//! A panic while a lock is held poisons it. Everything behind a lock in this crate is replaced,
//! added or removed as a whole, so a panic in between leaves an entry too few or too many, and
//! nothing half-written. The profiler goes on with that, rather than make every later request
//! panic, too.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Locks, also after a panic of another holder.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a notification for at most this long, also after a panic of another holder.
pub(crate) fn wait_timeout<'a, T>(
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
    time: Duration,
) -> MutexGuard<'a, T> {
    let waited = condvar.wait_timeout(guard, time);
    waited.unwrap_or_else(PoisonError::into_inner).0
}
