//! What a scope's guards, references and tasks share.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock;

/// Why a scope's token was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// Somebody asked for it.
    Explicit,
    /// The scope ended and its policy is [`AtEnd::Cancel`].
    Ended,
    /// The client went away before its answer was complete.
    ClientGone,
    /// A scope above was cancelled.
    Parent,
    /// The process is shutting down.
    Shutdown,
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CancelReason::Explicit => "explicit",
            CancelReason::Ended => "scope ended",
            CancelReason::ClientGone => "client gone",
            CancelReason::Parent => "parent",
            CancelReason::Shutdown => "shutdown",
        })
    }
}

/// What happens to the tasks that are alive when their scope ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AtEnd {
    /// Nothing: reports call them `outlived`.
    #[default]
    Report,
    /// The token is cancelled.
    Cancel,
}

pub(crate) struct ScopeInner {
    name: Arc<str>,
    labels: Mutex<Vec<(Arc<str>, Arc<str>)>>,
    parent: Option<Arc<ScopeInner>>,
    token: CancellationToken,
    guards: AtomicUsize,
    /// Live tasks here and below.
    tasks: AtomicUsize,
    /// Told when `tasks` goes down.
    task_ended: Notify,
    /// Raw ticks; 0 while the scope is open.
    ended_at: AtomicU64,
    cancel_at_end: AtomicBool,
    /// The first reason, and raw ticks.
    cancelled: OnceLock<(CancelReason, u64)>,
}

impl ScopeInner {
    pub(crate) fn open(name: Arc<str>, parent: Option<Arc<ScopeInner>>) -> Arc<ScopeInner> {
        let token = parent
            .as_ref()
            .map_or_else(CancellationToken::new, |parent| parent.token.child_token());
        Arc::new(ScopeInner {
            name,
            labels: Mutex::new(Vec::new()),
            parent,
            token,
            guards: AtomicUsize::new(1),
            tasks: AtomicUsize::new(0),
            task_ended: Notify::new(),
            ended_at: AtomicU64::new(0),
            cancel_at_end: AtomicBool::new(false),
            cancelled: OnceLock::new(),
        })
    }

    /// This scope and those above it, innermost first.
    fn chain(&self) -> impl Iterator<Item = &ScopeInner> {
        std::iter::successors(Some(self), |scope| scope.parent.as_deref())
    }

    /// Whether `scope` is this one or below it.
    pub(crate) fn contains(&self, scope: Option<&Arc<ScopeInner>>) -> bool {
        scope.is_some_and(|scope| scope.chain().any(|above| std::ptr::eq(above, self)))
    }

    /// Whether one of the two is above the other, or they are the same.
    pub(crate) fn is_kin(self: &Arc<Self>, other: &Arc<ScopeInner>) -> bool {
        self.contains(Some(other)) || other.contains(Some(self))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn parent(&self) -> Option<&Arc<ScopeInner>> {
        self.parent.as_ref()
    }

    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }

    fn lock_labels(&self) -> MutexGuard<'_, Vec<(Arc<str>, Arc<str>)>> {
        self.labels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn labels(&self) -> Vec<(Arc<str>, Arc<str>)> {
        self.lock_labels().clone()
    }

    pub(crate) fn set_label(&self, key: Arc<str>, value: Arc<str>) {
        let mut labels = self.lock_labels();
        match labels.iter_mut().find(|(existing, _)| *existing == key) {
            Some((_, existing)) => *existing = value,
            None => labels.push((key, value)),
        }
    }

    pub(crate) fn set_at_end(&self, policy: AtEnd) {
        self.cancel_at_end
            .store(policy == AtEnd::Cancel, Ordering::Relaxed);
    }

    pub(crate) fn guard_added(&self) {
        self.guards.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn guard_dropped(&self) {
        if self.guards.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.ended_at.store(clock::coarse(), Ordering::Release);
            if self.cancel_at_end.load(Ordering::Relaxed) {
                self.cancel(CancelReason::Ended);
            }
        }
    }

    #[cfg(feature = "axum")]
    pub(crate) fn client_gone(&self) {
        if self.cancel_at_end.load(Ordering::Relaxed) {
            self.cancel(CancelReason::ClientGone);
        }
    }

    pub(crate) fn ended(&self) -> Option<Duration> {
        let first = self
            .chain()
            .map(|scope| scope.ended_at.load(Ordering::Acquire))
            .filter(|&at| at != 0)
            .min()?;
        Some(clock::between(first, clock::precise()))
    }

    pub(crate) fn cancel(&self, reason: CancelReason) {
        if !self.token.is_cancelled() {
            self.cancelled.get_or_init(|| (reason, clock::coarse()));
        }
        self.token.cancel();
    }

    pub(crate) fn cancelled(&self) -> Option<(CancelReason, Option<Duration>)> {
        let ago = |at: u64| clock::between(at, clock::precise());
        if let Some(&(reason, at)) = self.cancelled.get() {
            return Some((reason, Some(ago(at))));
        }
        let above = self
            .chain()
            .skip(1)
            .find(|scope| scope.token.is_cancelled());
        if let Some(above) = above {
            return Some((
                CancelReason::Parent,
                above.cancelled.get().map(|&(_, at)| ago(at)),
            ));
        }
        self.token
            .is_cancelled()
            .then_some((CancelReason::Explicit, None))
    }

    pub(crate) fn task_started(&self) {
        for scope in self.chain() {
            scope.tasks.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn task_ended(&self) {
        for scope in self.chain() {
            scope.tasks.fetch_sub(1, Ordering::Release);
            scope.task_ended.notify_waiters();
        }
    }

    pub(crate) fn tasks(&self) -> usize {
        self.tasks.load(Ordering::Acquire)
    }

    /// Waits until at most `left` tasks are alive here and below.
    pub(crate) async fn until_at_most(&self, left: usize) {
        loop {
            let ended = self.task_ended.notified();
            if self.tasks() <= left {
                return;
            }
            ended.await;
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
