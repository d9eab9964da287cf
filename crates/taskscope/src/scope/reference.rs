//! A reference to a scope that does not keep it open: what tasks, dumps and whoever only wants to
//! know have.

use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Scope;
use super::inner::{Cancellation, ScopeInfo, ScopeInner};
use super::run::Run;
use crate::backend::CancelReason;

/// A reference to a scope. It does not keep the scope open.
#[derive(Clone)]
pub struct ScopeRef {
    inner: Arc<ScopeInner>,
}

impl ScopeRef {
    pub(crate) fn from_inner(inner: Arc<ScopeInner>) -> ScopeRef {
        ScopeRef { inner }
    }

    pub(crate) fn inner(&self) -> &Arc<ScopeInner> {
        &self.inner
    }

    /// The name it was opened with.
    #[must_use]
    pub fn name(&self) -> &str {
        self.inner.name()
    }

    /// The labels, in the order in which they were first set.
    #[must_use]
    pub fn labels(&self) -> Vec<(Arc<str>, Arc<str>)> {
        self.inner.labels()
    }

    /// The scope above.
    #[must_use]
    pub fn parent(&self) -> Option<ScopeRef> {
        self.inner.parent().cloned().map(ScopeRef::from_inner)
    }

    /// The id of the record of the request that opened this scope, as in
    /// [`TaskDump::id`](crate::TaskDump::id). `None` if the scope was not opened by `ScopeLayer`.
    #[must_use]
    pub fn request(&self) -> Option<u64> {
        self.inner.request()
    }

    /// Opens a scope below this one. See [`Scope::child`]. Below a scope that has ended, it counts
    /// as ended, too.
    pub fn child(&self, name: impl Into<Arc<str>>) -> Scope {
        Scope::counted(ScopeInner::open(name.into(), Some(self.inner.clone())))
    }

    /// See [`Scope::run`].
    pub fn run<F: Future>(&self, future: F) -> Run<F> {
        Run::new(self.inner.clone(), future)
    }

    /// A guard that keeps the scope open. `None`: it has ended.
    #[must_use]
    pub fn guard(&self) -> Option<Scope> {
        let added = self.inner.try_add_guard();
        added.then(|| Scope::counted(self.inner.clone()))
    }

    /// See [`Scope::cancel`].
    pub fn cancel(&self, reason: CancelReason) {
        self.inner.cancel(reason);
    }

    /// How long ago it was opened.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.inner.age()
    }

    /// How long ago this scope, or one above it, ended. `None`: all are open.
    #[must_use]
    pub fn ended(&self) -> Option<Duration> {
        self.inner.ended()
    }

    /// Why this scope, or the one above it that ended first, ended: [`CancelReason::ClientGone`] if
    /// the client of a request went away, [`CancelReason::Ended`] otherwise. `None`: all are open.
    /// Whether tasks were asked to stop then is what [`ScopeRef::cancelled`] says.
    #[must_use]
    pub fn end_reason(&self) -> Option<CancelReason> {
        self.inner.end_reason()
    }

    /// Why, and how long ago, the token was cancelled. The time is missing if somebody cancelled
    /// the raw token directly. [`ScopeRef::cancellation`] tells more.
    #[must_use]
    pub fn cancelled(&self) -> Option<(CancelReason, Option<Duration>)> {
        self.inner.cancelled()
    }

    /// Why the token was cancelled, where that began, and how long ago. `None`: it was not.
    #[must_use]
    pub fn cancellation(&self) -> Option<Cancellation> {
        self.inner.cancellation()
    }

    /// When the token will be cancelled, unless that happens before: the earliest deadline of this
    /// scope and those above.
    ///
    /// An instant of the clock of the runtime that it was set in, which tests can pause.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.inner.deadline()
    }

    /// The time until [`ScopeRef::deadline`], by the clock of the current runtime; zero if it has
    /// passed. `None`: there is no deadline.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.inner.remaining()
    }

    /// Live tasks that belong to this scope or to one below.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.inner.tasks()
    }
}

impl From<&ScopeRef> for ScopeRef {
    fn from(scope: &ScopeRef) -> ScopeRef {
        scope.clone()
    }
}

impl From<ScopeRef> for ScopeInfo {
    fn from(scope: ScopeRef) -> ScopeInfo {
        scope.inner.info()
    }
}

impl From<&ScopeRef> for ScopeInfo {
    fn from(scope: &ScopeRef) -> ScopeInfo {
        scope.inner.clone().info()
    }
}

impl From<&Scope> for ScopeInfo {
    fn from(scope: &Scope) -> ScopeInfo {
        scope.to_ref().into()
    }
}

impl TryFrom<&ScopeInfo> for ScopeRef {
    type Error = ForeignScope;

    /// The scope that a dump has shown, to act on it.
    fn try_from(scope: &ScopeInfo) -> Result<ScopeRef, ForeignScope> {
        let inner = ScopeInner::of_info(scope);
        inner.map(ScopeRef::from_inner).ok_or(ForeignScope)
    }
}

impl PartialEq<ScopeInfo> for ScopeRef {
    fn eq(&self, other: &ScopeInfo) -> bool {
        self.inner.is_shown_by(other)
    }
}

impl PartialEq<ScopeRef> for ScopeInfo {
    fn eq(&self, other: &ScopeRef) -> bool {
        *other == *self
    }
}

/// The scope is one of another implementation than this crate's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForeignScope;

impl fmt::Display for ForeignScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a scope of this version of taskscope")
    }
}

impl std::error::Error for ForeignScope {}

impl From<&Scope> for ScopeRef {
    /// The same as [`Scope::to_ref`].
    fn from(scope: &Scope) -> ScopeRef {
        scope.to_ref()
    }
}

impl fmt::Debug for ScopeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopeRef").field(&self.inner).finish()
    }
}

impl PartialEq for ScopeRef {
    /// The same scope, not just the same name.
    fn eq(&self, other: &ScopeRef) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl Eq for ScopeRef {}

impl Hash for ScopeRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.inner).hash(state);
    }
}
