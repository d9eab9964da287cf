//! Which scope this thread is working for.
//!
//! Not here: which task it is polling (`crate::record::current`).

use std::cell::RefCell;
use std::sync::Arc;

use crate::Owner;
use crate::record;

thread_local! {
    /// The scope of the innermost `Scope::run` that is being polled.
    static SCOPE: RefCell<Option<Arc<dyn Owner>>> = const { RefCell::new(None) };
}

/// The scope that a task spawned now belongs to.
#[inline]
pub fn scope() -> Option<Arc<dyn Owner>> {
    if record::scoped() {
        SCOPE
            .try_with(|scope| scope.try_borrow().ok()?.clone())
            .ok()
            .flatten()
    } else {
        record::with_current(|_, meta| meta.scope.clone())?
    }
}

/// Makes a scope current until the guard is dropped.
pub fn enter_scope(scope: Arc<dyn Owner>) -> ScopeGuard {
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
        scoped: record::set_scoped(true),
    }
}

/// Restores the scope that was current before [`enter_scope`].
#[derive(Debug)]
#[must_use = "the scope is current until the guard is dropped"]
pub struct ScopeGuard {
    previous: Option<Arc<dyn Owner>>,
    scoped: bool,
}

impl Drop for ScopeGuard {
    fn drop(&mut self) {
        record::set_scoped(self.scoped);
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
