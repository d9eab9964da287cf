//! The end of a scope: what is done to its tasks, when they are aborted, and which are left to be
//! reported.
//!
//! Not here: the policies (`scope/end_policy.rs`), the reports (`scope/survivors.rs`), the wait for
//! tasks (`scope/finish.rs`).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::end_policy::AtEnd;
#[cfg(feature = "enable")]
use super::super::survivors::ended as report_later;
use super::super::timer::{self, Alarm, Call};
use super::{ScopeInner, ago};
use crate::backend::{CancelReason, clock, with_current};
#[cfg(feature = "tower")]
use crate::scope::Scope;

/// Nobody is told of survivors.
#[cfg(not(feature = "enable"))]
fn report_later(_: &std::sync::Weak<ScopeInner>, _: Duration) -> bool {
    true
}

impl ScopeInner {
    pub(crate) fn set_at_end(&self, policy: AtEnd) {
        self.at_end.set(policy);
    }

    pub(crate) fn guard_added(&self) {
        self.guards.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds a guard, unless the scope has ended.
    pub(crate) fn try_add_guard(&self) -> bool {
        let add = |guards: usize| (guards > 0).then_some(guards + 1);
        self.guards
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .is_ok()
    }

    pub(crate) fn guard_dropped(&self) {
        if self.guards.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.end();
        }
    }

    fn end(&self) {
        self.ended_at.store(clock::coarse(), Ordering::SeqCst);
        let policy = self.at_end.get();
        if policy != AtEnd::Report {
            self.cancel(self.own_end_reason());
        }
        if let AtEnd::Abort { grace } = policy {
            with_current(|own, _| self.tasks.exempt(own));
            self.abort_in(grace);
        }
        self.queue_survivors();
    }

    /// Has the tasks that are alive reported when they have had their time, unless somebody waits
    /// for them.
    pub(super) fn queue_survivors(&self) {
        if self.tasks() == 0 || self.is_finishing() || self.queued.swap(true, Ordering::SeqCst) {
            return;
        }
        let grace = match self.at_end.get() {
            AtEnd::Abort { grace } => grace,
            _ => Duration::ZERO,
        };
        if !report_later(&self.this, grace) {
            self.queued.store(false, Ordering::SeqCst);
        }
    }

    /// Whether the scope, which was queued, has survivors to be reported. From a `true` on it is
    /// queued again by its next task.
    #[cfg(feature = "enable")]
    pub(in crate::scope) fn take_survivors(&self) -> bool {
        self.queued.store(false, Ordering::SeqCst);
        self.tasks() > 0
    }

    /// Whether the scope, which is queued, need not be any more.
    #[cfg(feature = "enable")]
    pub(in crate::scope) fn may_leave_queue(&self) -> bool {
        if self.tasks() > 0 {
            return false;
        }
        self.queued.store(false, Ordering::SeqCst);
        // A task that started meanwhile relied on the queue, or queues the scope itself, or both.
        self.tasks() == 0
    }

    /// Aborts the tasks after the grace, if there are any.
    pub(super) fn abort_in(&self, grace: Duration) {
        if self.tasks() == 0 && !self.tasks.has_handles() {
            return;
        }
        if grace.is_zero() {
            self.abort_now();
        } else if let Some(at) = timer::now().checked_add(grace)
            && self.abort.get().is_none()
        {
            self.abort
                .set(at, Some(Alarm::set(at, self.this.clone(), Call::Abort)));
            if self.tasks.are_aborted() {
                // While it was set: nobody else will put the alarm away.
                self.abort.release();
            }
        }
    }

    pub(super) fn abort_now(&self) {
        self.tasks.abort_all();
        self.abort.release();
    }

    /// Drops a guard for want of a client. Under a policy that cancels, other guards do not keep
    /// the token from being cancelled.
    #[cfg(feature = "tower")]
    pub(in crate::scope) fn client_gone(&self, guard: Scope) {
        // Released by the end that follows.
        self.client_gone.store(true, Ordering::Relaxed);
        // First: whoever is woken by the token finds the scope ended.
        drop(guard);
        if self.at_end.get() != AtEnd::Report {
            self.cancel(CancelReason::ClientGone);
        }
    }

    /// The scope that ended first, of this one and those above, and when, in raw ticks.
    fn first_ended(&self) -> Option<(&ScopeInner, u64)> {
        self.chain()
            .map(|scope| (scope, scope.ended_at.load(Ordering::Acquire)))
            .filter(|&(_, at)| at != 0)
            .min_by_key(|&(_, at)| at)
    }

    pub(crate) fn ended(&self) -> Option<Duration> {
        self.first_ended().map(|(_, at)| ago(at))
    }

    pub(crate) fn end_reason(&self) -> Option<CancelReason> {
        let (scope, _) = self.first_ended()?;
        Some(scope.own_end_reason())
    }

    fn own_end_reason(&self) -> CancelReason {
        if self.client_gone.load(Ordering::Relaxed) {
            CancelReason::ClientGone
        } else {
            CancelReason::Ended
        }
    }

    fn is_finishing(&self) -> bool {
        self.finishing.load(Ordering::SeqCst) > 0
    }
}

/// A call of `finish` that waits. If it is cancelled, the survivors are reported as if nobody had
/// waited.
pub(in crate::scope) struct Finishing {
    scope: Arc<ScopeInner>,
    reported: bool,
}

impl Finishing {
    pub(in crate::scope) fn new(scope: Arc<ScopeInner>) -> Finishing {
        scope.finishing.fetch_add(1, Ordering::SeqCst);
        Finishing {
            scope,
            reported: false,
        }
    }

    /// There are no survivors that have not been reported.
    pub(in crate::scope) fn done(mut self) {
        self.reported = true;
    }
}

impl Drop for Finishing {
    fn drop(&mut self) {
        let last = self.scope.finishing.fetch_sub(1, Ordering::SeqCst) == 1;
        let ended = self.scope.ended_at.load(Ordering::SeqCst) != 0;
        if last && ended && !self.reported {
            self.scope.queue_survivors();
        }
    }
}
