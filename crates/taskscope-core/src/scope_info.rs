//! Why a token was cancelled: the reason, where it came from, and since when.

use std::fmt;
use std::time::Duration;

use super::ScopeRef;
use crate::{Age, Plain};

/// Why a scope's token was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// Somebody asked for it.
    Explicit,
    /// The scope's deadline has passed.
    Deadline,
    /// The scope ended, and its policy is [`AtEnd::Cancel`](crate::AtEnd::Cancel) or [`AtEnd::Abort`](crate::AtEnd::Abort).
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

/// A cancellation as one scope sees it. From [`ScopeRef::cancellation`].
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
    pub scope: ScopeRef,
    /// How long ago it began. `None` if somebody cancelled the raw token, which leaves no time behind.
    pub ago: Option<Duration>,
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

/// What a scope keeps of its own cancellation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cause {
    pub(super) reason: CancelReason,
    /// Raw ticks.
    pub(super) at: u64,
    /// Whether `at` is the time of the cancellation and not just the first time that somebody noticed.
    pub(super) exact: bool,
}
