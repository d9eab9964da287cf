//! Which task, and which scope, this thread is working for.
//!
//! Two thread-locals without destructors and one with: the record of the task that is being polled can be read at any moment, also
//! from a signal handler or an allocator.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock;
use crate::record::{Hold, Record};
use crate::scope::ScopeInner;

thread_local! {
    static TASK: Cell<Option<&'static Record>> = const { Cell::new(None) };
    /// Whether `SCOPE` is newer than the scope of `TASK`.
    static SCOPED: Cell<bool> = const { Cell::new(false) };
    /// The scope of the innermost `Scope::run` that is being polled.
    static SCOPE: RefCell<Option<Arc<ScopeInner>>> = const { RefCell::new(None) };
}

/// The record of the task that this thread is polling.
#[inline]
pub(crate) fn task() -> Option<&'static Record> {
    TASK.get()
}

/// The scope that a task spawned now belongs to.
pub(crate) fn scope() -> Option<Arc<ScopeInner>> {
    if SCOPED.get() {
        SCOPE
            .try_with(|scope| scope.try_borrow().ok()?.clone())
            .ok()
            .flatten()
    } else {
        task()?.try_hold()?.meta().scope.clone()
    }
}

/// What [`enter_task`] replaced.
pub(crate) struct Outer {
    task: Option<&'static Record>,
    scoped: bool,
}

/// Makes `record` the current task, and its scope the current one.
#[inline]
pub(crate) fn enter_task(record: &'static Record) -> Outer {
    Outer {
        task: TASK.replace(Some(record)),
        scoped: SCOPED.replace(false),
    }
}

/// Restores what was current before.
#[inline]
pub(crate) fn leave_task(outer: &Outer) {
    TASK.set(outer.task);
    SCOPED.set(outer.scoped);
}

/// Makes a scope current until the guard is dropped.
pub(crate) fn enter_scope(scope: Arc<ScopeInner>) -> ScopeGuard {
    let previous = SCOPE
        .try_with(|slot| {
            slot.try_borrow_mut()
                .ok()
                .and_then(|mut slot| slot.replace(scope))
        })
        .ok()
        .flatten();
    ScopeGuard {
        previous,
        scoped: SCOPED.replace(true),
    }
}

/// Restores the scope that was current before [`enter_scope`].
pub(crate) struct ScopeGuard {
    previous: Option<Arc<ScopeInner>>,
    scoped: bool,
}

impl Drop for ScopeGuard {
    fn drop(&mut self) {
        SCOPED.set(self.scoped);
        let previous = self.previous.take();
        let left = SCOPE.try_with(|slot| {
            slot.try_borrow_mut()
                .ok()
                .and_then(|mut slot| std::mem::replace(&mut *slot, previous))
        });
        // Outside the borrow: this may be the last reference to the scope.
        drop(left);
    }
}

/// A task that has looked at its token: raw ticks of the first and the last time, and whether it saw that its scope is cancelled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenPolled {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) saw_cancelled: bool,
}

/// By record and time of birth. A stand-in for fields of the record.
static POLLED: Mutex<BTreeMap<(usize, u64), TokenPolled>> = Mutex::new(BTreeMap::new());

/// The task that this thread is polling has looked at a token of `scope`, and has seen it `cancelled` or not.
pub(crate) fn token_polled(scope: &ScopeInner, cancelled: bool) {
    let Some(hold) = task().and_then(|task| task.try_hold()) else {
        return;
    };
    let own = hold.meta().scope.as_ref();
    let Some(saw) = own.and_then(|own| own.looked_at(scope, cancelled)) else {
        return;
    };
    let now = clock::ticks();
    let key = (
        std::ptr::from_ref(hold.record()).addr(),
        hold.meta().spawned_at,
    );
    let mut polled = POLLED.lock().unwrap_or_else(PoisonError::into_inner);
    let it = polled.entry(key).or_insert(TokenPolled {
        first: now,
        last: now,
        saw_cancelled: saw,
    });
    it.last = now;
    it.saw_cancelled |= saw;
}

/// Whether the task of a record has looked at its token.
pub(crate) fn polled(hold: &Hold) -> Option<TokenPolled> {
    let key = (
        std::ptr::from_ref(hold.record()).addr(),
        hold.meta().spawned_at,
    );
    let polled = POLLED.lock().unwrap_or_else(PoisonError::into_inner);
    polled.get(&key).copied()
}
