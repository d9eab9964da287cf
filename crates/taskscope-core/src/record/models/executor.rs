//! An executor's waker of which every clone is watched: loom sees a use that does not happen before
//! the drop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::sync::cell::UnsafeCell;

/// Counts of what happened to the wakers. Not loom's: nothing may depend on it.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) clones: AtomicUsize,
    pub(super) wakes: AtomicUsize,
    pub(super) drops: AtomicUsize,
    /// The next clone panics.
    pub(super) panics: AtomicBool,
}

struct Token {
    seen: Arc<Seen>,
    alive: UnsafeCell<bool>,
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, discard);

fn token(seen: Arc<Seen>) -> RawWaker {
    let token = Token {
        seen,
        alive: UnsafeCell::new(true),
    };
    // Leaked, so that a use after the drop is seen and not undefined.
    RawWaker::new(
        std::ptr::from_ref(Box::leak(Box::new(token))).cast(),
        &VTABLE,
    )
}

pub(super) fn waker(seen: &Arc<Seen>) -> Waker {
    // SAFETY: the vtable's functions expect a leaked token.
    unsafe { Waker::from_raw(token(Arc::clone(seen))) }
}

unsafe fn of(data: *const ()) -> &'static Token {
    // SAFETY: leaked by `token`.
    unsafe { &*data.cast::<Token>() }
}

fn look(token: &Token) {
    // SAFETY: checked by loom.
    assert!(
        token.alive.with(|alive| unsafe { *alive }),
        "used after its end"
    );
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: our own data.
    let old = unsafe { of(data) };
    look(old);
    if old.seen.panics.swap(false, Ordering::Relaxed) {
        // No hook, no output: as an executor's panic, but quiet.
        std::panic::resume_unwind(Box::new("clone"));
    }
    old.seen.clones.fetch_add(1, Ordering::Relaxed);
    token(Arc::clone(&old.seen))
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: our own data.
    let token = unsafe { of(data) };
    look(token);
    token.seen.wakes.fetch_add(1, Ordering::Relaxed);
}

unsafe fn wake(data: *const ()) {
    // SAFETY: our own data.
    unsafe {
        wake_by_ref(data);
        discard(data);
    }
}

unsafe fn discard(data: *const ()) {
    // SAFETY: our own data.
    let token = unsafe { of(data) };
    // SAFETY: checked by loom.
    let alive = token
        .alive
        .with_mut(|alive| unsafe { alive.replace(false) });
    assert!(alive, "dropped once");
    token.seen.drops.fetch_add(1, Ordering::Relaxed);
}
