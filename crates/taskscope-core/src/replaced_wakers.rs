//! Wakers of tasks whose executor changed its waker between two polls.
//!
//! Tokio never does that to a spawned task, so records have room for one waker only and the
//! exceptions live here, in one table that nobody touches until the first exception. A wake that
//! raced the change and still uses the first waker is harmless: a leaf that was registered before
//! the change is polled by the very poll that brought the new waker.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::record::Record;

static REPLACED: LazyLock<Mutex<HashMap<usize, Arc<Waker>>>> = LazyLock::new(Mutex::default);

fn table() -> MutexGuard<'static, HashMap<usize, Arc<Waker>>> {
    REPLACED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key(record: &'static Record) -> usize {
    std::ptr::from_ref(record).addr()
}

/// Makes `waker` the one that wakes this task from now on.
pub(crate) fn set(record: &'static Record, waker: Waker) {
    let old = table().insert(key(record), Arc::new(waker));
    // Outside the lock: an executor's waker may do anything when it is dropped.
    drop(old);
}

/// Wakes the task through its newest waker. False if it has none here.
pub(crate) fn wake(record: &'static Record) -> bool {
    // Cloning the waker itself could run code of the executor under the lock.
    let waker = table().get(&key(record)).cloned();
    let known = waker.is_some();
    if let Some(waker) = waker {
        waker.wake_by_ref();
    }
    known
}

/// Forgets the record. The caller drops the waker when it holds no lock.
pub(crate) fn remove(record: &'static Record) -> Option<Arc<Waker>> {
    table().remove(&key(record))
}
