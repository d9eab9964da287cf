//! The state that a scope's guards, references, tokens and tasks share: its place in the tree, its
//! cancellation, its deadline, its tasks.
//!
//! Not here: what happens when the last guard is gone (`inner/end.rs`); what those who only read
//! are told (`inner/info_enabled.rs`).

mod end;
#[cfg(not(feature = "enable"))]
mod info_disabled;
#[cfg(feature = "enable")]
mod info_enabled;

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::deadline::Deadline;
use super::end_policy::{AtEnd, Policy};
use super::tasks::Tasks;
use super::timer::{self, Alarm, Alarmed, Call};
use crate::backend::{CancelReason, Owner, Record, bounded_name, clock};
use crate::sync::lock;

pub(super) use self::end::Finishing;
#[cfg(not(feature = "enable"))]
pub use self::info_disabled::{Cancellation, ScopeInfo};
#[cfg(feature = "enable")]
pub use self::info_enabled::{Cancellation, ScopeInfo};

/// The first cancellation of a scope.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cause {
    reason: CancelReason,
    /// Raw ticks.
    at: u64,
    /// Whether `at` is the time of the cancellation and not just the first time that somebody
    /// noticed.
    exact: bool,
}

pub(crate) struct ScopeInner {
    /// This scope, for its queue of survivors and its alarms.
    this: Weak<ScopeInner>,
    name: Arc<str>,
    labels: Mutex<Vec<(Arc<str>, Arc<str>)>>,
    parent: Option<Arc<ScopeInner>>,
    /// Scopes above.
    depth: u32,
    token: CancellationToken,
    /// The first cancellation of this very scope.
    cause: OnceLock<Cause>,
    deadline: Deadline,
    guards: AtomicUsize,
    /// Raw ticks.
    opened_at: u64,
    /// Raw ticks; 0 while the scope is open.
    ended_at: AtomicU64,
    at_end: Policy,
    /// Its last guard went because the client did.
    client_gone: AtomicBool,
    /// When the tasks are aborted.
    abort: Deadline,
    /// The tasks of this scope and of those below.
    tasks: Tasks,
    /// Calls of `finish` that wait for the tasks.
    finishing: AtomicUsize,
    /// Whether its survivors are going to be reported anyway.
    queued: AtomicBool,
    /// The id of the record of the request that opened it; 0 if no request did.
    request: AtomicU64,
}

fn ago(at: u64) -> Duration {
    clock::between(at, clock::precise())
}

impl ScopeInner {
    pub(crate) fn open(name: Arc<str>, parent: Option<Arc<ScopeInner>>) -> Arc<ScopeInner> {
        let name = bounded_name(name);
        let token = parent
            .as_ref()
            .map_or_else(CancellationToken::new, |parent| parent.token.child_token());
        Arc::new_cyclic(|this| ScopeInner {
            this: this.clone(),
            name,
            labels: Mutex::new(Vec::new()),
            depth: parent
                .as_ref()
                .map_or(0, |parent| parent.depth.saturating_add(1)),
            parent,
            token,
            cause: OnceLock::new(),
            deadline: Deadline::default(),
            guards: AtomicUsize::new(1),
            opened_at: clock::coarse(),
            ended_at: AtomicU64::new(0),
            at_end: Policy::default(),
            client_gone: AtomicBool::new(false),
            abort: Deadline::default(),
            tasks: Tasks::default(),
            finishing: AtomicUsize::new(0),
            queued: AtomicBool::new(false),
            request: AtomicU64::new(0),
        })
    }

    /// This scope and those above it, innermost first.
    pub(crate) fn chain(&self) -> impl Iterator<Item = &ScopeInner> {
        std::iter::successors(Some(self), |scope| scope.parent.as_deref())
    }

    /// The scope that is this owner. `None`: it is not one of this crate.
    pub(crate) fn of_owner(owner: &dyn Owner) -> Option<&ScopeInner> {
        let owner: &dyn Any = owner;
        owner.downcast_ref()
    }

    /// The same, with a reference of its own.
    pub(crate) fn shared_of_owner(owner: Arc<dyn Owner>) -> Option<Arc<ScopeInner>> {
        let owner: Arc<dyn Any + Send + Sync> = owner;
        owner.downcast().ok()
    }

    /// Whether `scope` is this one or below it.
    pub(crate) fn is_above(&self, scope: &ScopeInner) -> bool {
        let Some(steps) = scope.depth.checked_sub(self.depth) else {
            return false;
        };
        let at_my_depth = scope.chain().nth(steps as usize);
        at_my_depth.is_some_and(|scope| std::ptr::eq(scope, self))
    }

    /// Whether a task of this scope that looks at a token of `other` looks at a token of its own,
    /// and if so, whether it learns that this scope is cancelled. `cancelled`: what it saw.
    ///
    /// Tokens of scopes above and below count, too. Not one that cannot tell: a scope above goes on
    /// when this one is cancelled.
    pub(crate) fn looked_at(&self, other: &ScopeInner, cancelled: bool) -> Option<bool> {
        let same_line = other.is_above(self) || self.is_above(other);
        match (cancelled, same_line && self.token.is_cancelled()) {
            (false, true) => None,
            (cancelled, own) => same_line.then_some(cancelled && own),
        }
    }

    /// Says which request opened this scope, by the id of its record.
    #[cfg(feature = "tower")]
    pub(crate) fn opened_by_request(&self, id: u64) {
        self.request.store(id, Ordering::Relaxed);
    }

    /// The id of the record of the request that opened this scope.
    pub(crate) fn request(&self) -> Option<u64> {
        let id = self.request.load(Ordering::Relaxed);
        (id != 0).then_some(id)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn age(&self) -> Duration {
        ago(self.opened_at)
    }

    pub(crate) fn parent(&self) -> Option<&Arc<ScopeInner>> {
        self.parent.as_ref()
    }

    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }

    pub(crate) fn labels(&self) -> Vec<(Arc<str>, Arc<str>)> {
        lock(&self.labels).clone()
    }

    pub(crate) fn set_label(&self, key: Arc<str>, value: Arc<str>) {
        let (key, value) = (bounded_name(key), bounded_name(value));
        let mut labels = lock(&self.labels);
        match labels.iter_mut().find(|(existing, _)| *existing == key) {
            Some((_, existing)) => *existing = value,
            None => labels.push((key, value)),
        }
    }

    // ---- cancellation ----

    pub(crate) fn cancel(&self, reason: CancelReason) {
        if !self.token.is_cancelled() {
            self.cause.get_or_init(|| Cause {
                reason,
                at: clock::coarse(),
                exact: true,
            });
        }
        self.token.cancel();
        self.deadline.release();
    }

    /// The cause of the cancellation: the scope that it began at, which is this one or above, and
    /// what that keeps of it.
    pub(super) fn cause(&self) -> Option<(&ScopeInner, Cause)> {
        let is_cancelled = self.token.is_cancelled();
        if !is_cancelled && self.cause.get().is_none() {
            return None;
        }
        let told = self
            .chain()
            .find_map(|scope| Some((scope, *scope.cause.get()?)));
        told.or_else(|| {
            // Somebody cancelled a raw token. From now on there is a time at least.
            let first = self
                .chain()
                .take_while(|scope| scope.token.is_cancelled())
                .last()?;
            let cause = first.cause.get_or_init(|| Cause {
                reason: CancelReason::Explicit,
                at: clock::coarse(),
                exact: false,
            });
            Some((first, *cause))
        })
    }

    /// Why this scope is cancelled, and how long ago that was if it is known.
    pub(crate) fn cancelled(&self) -> Option<(CancelReason, Option<Duration>)> {
        let (scope, cause) = self.cause()?;
        let reason = if std::ptr::eq(scope, self) {
            cause.reason
        } else {
            CancelReason::Parent
        };
        Some((reason, cause.exact.then(|| ago(cause.at))))
    }

    // ---- deadline ----

    /// The earliest deadline of this scope and those above.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.chain().filter_map(|scope| scope.deadline.get()).min()
    }

    pub(crate) fn set_deadline(&self, at: Instant) {
        if self.deadline().is_some_and(|earlier| earlier <= at) {
            return;
        }
        if at <= timer::now() {
            self.deadline.set(at, None);
            self.cancel(CancelReason::Deadline);
            return;
        }
        let alarm =
            (!self.token.is_cancelled()).then(|| Alarm::set(at, self.this.clone(), Call::Deadline));
        self.deadline.set(at, alarm);
        if self.token.is_cancelled() {
            // Before or while it was set: nobody else will put the alarm away.
            self.deadline.release();
        }
    }

    /// The time until the deadline, by the clock of the current runtime.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let deadline = self.deadline()?;
        Some(deadline.saturating_duration_since(timer::now()))
    }

    // ---- tasks ----

    pub(crate) fn task_started(&self) {
        for scope in self.chain() {
            scope.tasks.started();
            // Sequentially consistent with `end`: either that sees the task or we see the end.
            if scope.ended_at.load(Ordering::SeqCst) != 0 {
                scope.queue_survivors();
            }
        }
    }

    /// Counts a task out that is marked as finished.
    pub(crate) fn task_ended(&self, record: &Record) {
        for scope in self.chain() {
            scope.tasks.ended(record);
        }
    }

    /// Whether a scope here or above wants the means to abort a task.
    pub(crate) fn aborts(&self) -> bool {
        self.chain()
            .any(|scope| matches!(scope.at_end.get(), AtEnd::Abort { .. }))
    }

    /// Takes note of the means to abort a task, which has been started, where a scope may want it.
    pub(crate) fn adopt(&self, record: &Record, handle: &dyn Fn() -> AbortHandle) {
        for scope in self.chain() {
            if let AtEnd::Abort { grace } = scope.at_end.get() {
                scope.tasks.adopt(record, handle());
                // A scope that ended without tasks has no alarm set.
                if scope.ended_at.load(Ordering::SeqCst) != 0 {
                    scope.abort_in(grace);
                }
            }
        }
    }

    #[cfg(test)]
    pub(super) fn tasks_known(&self) -> &Tasks {
        &self.tasks
    }

    pub(crate) fn tasks(&self) -> usize {
        self.tasks.live()
    }

    /// Waits until at most `left` tasks are alive here and below.
    pub(crate) async fn until_at_most(&self, left: usize) {
        self.tasks.until_at_most(left).await;
    }

    #[cfg(feature = "enable")]
    pub(in crate::scope) fn first_report(&self, number: u64) -> bool {
        self.tasks.first_report(number)
    }
}

impl Alarmed for ScopeInner {
    fn alarm(&self, call: Call) {
        match call {
            Call::Deadline => self.cancel(CancelReason::Deadline),
            Call::Abort => self.abort_now(),
        }
    }
}

impl Owner for ScopeInner {
    fn task_started(&self) {
        ScopeInner::task_started(self);
    }

    fn task_ended(&self, task: &Record) {
        ScopeInner::task_ended(self, task);
    }

    fn aborts(&self) -> bool {
        ScopeInner::aborts(self)
    }

    fn adopt(&self, task: &Record, handle: &dyn Fn() -> AbortHandle) {
        ScopeInner::adopt(self, task, handle);
    }
}

impl Drop for ScopeInner {
    /// A chain of scopes is taken apart in a loop: dropped one inside the other, a deep one would
    /// overflow the stack.
    fn drop(&mut self) {
        let mut above = self.parent.take();
        while let Some(mut scope) = above.and_then(Arc::into_inner) {
            above = scope.parent.take();
        }
    }
}

impl fmt::Debug for ScopeInner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeInner")
            .field("name", &self.name)
            .field("tasks", &self.tasks())
            .field("ended", &self.ended().is_some())
            .field("cancelled", &self.token.is_cancelled())
            .finish_non_exhaustive()
    }
}
