//! Facts of a scope for those who only read, without the feature `enable`: the same, from the
//! scope itself.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::ScopeInner;
use crate::backend::CancelReason;

impl ScopeInner {
    /// The scope, for those who only read.
    pub(crate) fn info(self: Arc<ScopeInner>) -> ScopeInfo {
        ScopeInfo(self)
    }

    /// The scope that a reader was shown.
    pub(crate) fn of_info(info: &ScopeInfo) -> Option<Arc<ScopeInner>> {
        Some(info.0.clone())
    }

    /// Whether a reader was shown this very scope.
    pub(crate) fn is_shown_by(&self, info: &ScopeInfo) -> bool {
        std::ptr::eq(self, Arc::as_ptr(&info.0))
    }

    /// Why it was cancelled, where that began, and how long ago.
    pub(crate) fn cancellation(&self) -> Option<Cancellation> {
        let (reason, ago) = self.cancelled()?;
        let (root, cause) = self.cause()?;
        Some(Cancellation {
            reason,
            root: cause.reason,
            scope: root.this.upgrade()?.info(),
            ago,
        })
    }
}

/// A scope, to be read and not acted on. It does not keep the scope open.
#[derive(Debug, Clone)]
pub struct ScopeInfo(Arc<ScopeInner>);

impl ScopeInfo {
    /// The name it was opened with.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The labels, in the order in which they were first set.
    #[must_use]
    pub fn labels(&self) -> Vec<(Arc<str>, Arc<str>)> {
        self.0.labels()
    }

    /// The scope above.
    #[must_use]
    pub fn parent(&self) -> Option<ScopeInfo> {
        self.0.parent().cloned().map(ScopeInfo)
    }

    /// How long ago it was opened.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.0.age()
    }

    /// How long ago this scope, or one above it, ended. `None`: all are open.
    #[must_use]
    pub fn ended(&self) -> Option<Duration> {
        self.0.ended()
    }

    /// Why this scope, or the one above it that ended first, ended. `None`: all are open.
    #[must_use]
    pub fn end_reason(&self) -> Option<CancelReason> {
        self.0.end_reason()
    }

    /// Why, and how long ago, the token was cancelled. The time is missing if somebody cancelled
    /// the raw token directly.
    #[must_use]
    pub fn cancelled(&self) -> Option<(CancelReason, Option<Duration>)> {
        self.0.cancelled()
    }

    /// Why the token was cancelled, where that began, and how long ago. `None`: it was not.
    #[must_use]
    pub fn cancellation(&self) -> Option<Cancellation> {
        self.0.cancellation()
    }

    /// When the token will be cancelled, unless that happens before: the earliest deadline of this
    /// scope and those above.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }

    /// The time until [`ScopeInfo::deadline`], by the clock of the current runtime; zero if it has
    /// passed.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.0.remaining()
    }

    /// Live tasks that belong to this scope or to one below.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.0.tasks()
    }

    /// The id of the record of the request that opened this scope. Without the feature `enable`
    /// there is none.
    #[must_use]
    pub fn request(&self) -> Option<u64> {
        self.0.request()
    }
}

impl From<&ScopeInfo> for ScopeInfo {
    fn from(scope: &ScopeInfo) -> ScopeInfo {
        scope.clone()
    }
}

impl PartialEq for ScopeInfo {
    /// The same scope, not just the same name.
    fn eq(&self, other: &ScopeInfo) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ScopeInfo {}

impl Hash for ScopeInfo {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// A cancellation as one scope sees it. From
/// [`ScopeRef::cancellation`](crate::ScopeRef::cancellation).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Cancellation {
    /// Why this scope was cancelled: [`CancelReason::Parent`] if it was one above.
    pub reason: CancelReason,
    /// Why the scope was cancelled that the cancellation began at.
    pub root: CancelReason,
    /// The scope that the cancellation began at.
    pub scope: ScopeInfo,
    /// How long ago it began. `None` if somebody cancelled the raw token, which leaves no time
    /// behind.
    pub ago: Option<Duration>,
}

impl fmt::Display for Cancellation {
    /// `deadline, 1.5s ago`; from a scope above: `parent (deadline of connection), 1.5s ago`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        if self.reason == CancelReason::Parent {
            write!(f, " ({} of {})", self.root, self.scope.name())?;
        }
        match self.ago {
            Some(ago) => write!(f, ", {ago:.1?} ago"),
            None => Ok(()),
        }
    }
}
