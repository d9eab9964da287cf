//! A scope as readers see it: its name, its labels, whether it has ended,
//! why it was cancelled.
//!
//! The scope itself is `taskscope`'s, which also compiles this file for programs without the core.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::{Age, Plain};

/// Facts that a scope tells of itself.
pub trait ScopeFacts: Any + fmt::Debug + Send + Sync {
    /// The name it was opened with.
    fn name(&self) -> &Arc<str>;

    /// The labels, in the order in which they were first set.
    fn labels(&self) -> Vec<(Arc<str>, Arc<str>)>;

    /// The scope above.
    fn parent(&self) -> Option<Arc<dyn ScopeFacts>>;

    /// Whether `scope` is this one or below it.
    fn contains(&self, scope: &dyn ScopeFacts) -> bool;

    /// Whether this scope or one above has this name.
    fn is_within(&self, name: &str) -> bool;

    /// How long ago it was opened.
    fn age(&self) -> Duration;

    /// How long ago this scope, or one above it, ended.
    fn ended(&self) -> Option<Duration>;

    /// Whether this scope or one above has ended; without a look at the clock.
    fn has_ended(&self) -> bool;

    /// Why this scope, or the one above it that ended first, ended.
    fn end_reason(&self) -> Option<CancelReason>;

    /// Why, and how long ago, it was cancelled.
    fn cancelled(&self) -> Option<(CancelReason, Option<Duration>)>;

    /// For how long it has been cancelled, at the least.
    fn cancelled_for(&self) -> Option<Duration>;

    /// Why it was cancelled, where that began, and how long ago.
    fn cancellation(self: Arc<Self>) -> Option<Cancellation>;

    /// The earliest deadline of this scope and those above.
    fn deadline(&self) -> Option<Instant>;

    /// The time until that deadline, by the clock of the current runtime.
    fn remaining(&self) -> Option<Duration>;

    /// Live tasks that belong to this scope or to one below.
    fn tasks(&self) -> usize;

    /// The id of the record of the request that opened it.
    fn request(&self) -> Option<u64>;
}

/// A scope, as dumps and other readers show it. It does not keep the scope open.
///
/// It tells what is known of the scope; a `ScopeRef`, which `ScopeRef::try_from` makes of it, can
/// also act on it.
#[derive(Clone)]
pub struct ScopeInfo(Arc<dyn ScopeFacts>);

impl ScopeInfo {
    /// The scope that tells these facts.
    #[must_use]
    pub fn new(scope: Arc<dyn ScopeFacts>) -> ScopeInfo {
        ScopeInfo(scope)
    }

    /// The scope that tells the facts.
    #[must_use]
    pub fn facts(&self) -> &Arc<dyn ScopeFacts> {
        &self.0
    }

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
        self.0.parent().map(ScopeInfo)
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

    /// Why this scope, or the one above it that ended first, ended: [`CancelReason::ClientGone`] if
    /// the client of a request went away, [`CancelReason::Ended`] otherwise. `None`: all are open.
    /// Whether tasks were asked to stop then is what [`ScopeInfo::cancelled`] says.
    #[must_use]
    pub fn end_reason(&self) -> Option<CancelReason> {
        self.0.end_reason()
    }

    /// Why, and how long ago, the token was cancelled. The time is missing if somebody cancelled
    /// the raw token directly. [`ScopeInfo::cancellation`] tells more.
    #[must_use]
    pub fn cancelled(&self) -> Option<(CancelReason, Option<Duration>)> {
        self.0.cancelled()
    }

    /// Why the token was cancelled, where that began, and how long ago. `None`: it was not.
    #[must_use]
    pub fn cancellation(&self) -> Option<Cancellation> {
        self.0.clone().cancellation()
    }

    /// When the token will be cancelled, unless that happens before: the earliest deadline of this
    /// scope and those above.
    ///
    /// An instant of the clock of the runtime that it was set in, which tests can pause.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }

    /// The time until [`ScopeInfo::deadline`], by the clock of the current runtime; zero if it has
    /// passed. `None`: there is no deadline.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.0.remaining()
    }

    /// Live tasks that belong to this scope or to one below.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.0.tasks()
    }

    /// The id of the record of the request that opened this scope, as in `TaskDump::id`. `None` if
    /// the scope was not opened by `ScopeLayer`.
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

impl fmt::Debug for ScopeInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopeInfo").field(&self.0).finish()
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
        Arc::as_ptr(&self.0).cast::<()>().hash(state);
    }
}

/// Why a scope's token was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// Somebody asked for it.
    Explicit,
    /// The scope's deadline has passed.
    Deadline,
    /// The scope ended, and its policy is `AtEnd::Cancel` or
    /// `AtEnd::Abort`.
    Ended,
    /// The client went away before its answer was complete.
    ClientGone,
    /// A scope above was cancelled. [`Cancellation::root`] says why.
    Parent,
    /// The process is shutting down.
    Shutdown,
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            CancelReason::Explicit => "explicit",
            CancelReason::Deadline => "deadline",
            CancelReason::Ended => "scope ended",
            CancelReason::ClientGone => "client gone",
            CancelReason::Parent => "parent",
            CancelReason::Shutdown => "shutdown",
        })
    }
}

/// A cancellation as one scope sees it. From [`ScopeInfo::cancellation`].
///
/// # Examples
///
/// ```
/// use taskscope::{CancelReason, Scope};
///
/// let connection = Scope::new("connection");
/// let request = connection.child("request");
/// connection.cancel(CancelReason::ClientGone);
///
/// let seen = request.to_ref().cancellation().ok_or("not cancelled")?;
/// assert_eq!((seen.reason, seen.root), (CancelReason::Parent, CancelReason::ClientGone));
/// assert_eq!(seen.scope.name(), "connection");
/// # Ok::<(), &str>(())
/// ```
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

impl Cancellation {
    /// One scope's cancellation.
    #[must_use]
    pub fn new(
        reason: CancelReason,
        root: CancelReason,
        scope: ScopeInfo,
        ago: Option<Duration>,
    ) -> Cancellation {
        Cancellation {
            reason,
            root,
            scope,
            ago,
        }
    }
}

impl fmt::Display for Cancellation {
    /// `deadline, 1.5s ago`; from a scope above: `parent (deadline of connection), 1.5s ago`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason)?;
        if self.reason == CancelReason::Parent {
            write!(f, " ({} of {})", self.root, Plain(self.scope.name()))?;
        }
        match self.ago {
            Some(ago) => write!(f, ", {} ago", Age(ago)),
            None => Ok(()),
        }
    }
}
