//! Owners of tasks: a tree of scopes, each with a name, labels and a cancellation token.
//!
//! [`Scope`] is the owner's guard: the scope ends when the last clone of it is dropped. Tasks and
//! [`ScopeRef`]s only refer to a scope and do not keep it open, else a leaked task would keep its
//! own evidence from being seen. Not here: which requests get a scope ([`crate::ScopeLayer`]), what
//! a survivor is called ([`crate::Verdict`]), the token ([`crate::Token`]).

mod alarm_thread;
mod deadline;
mod end_policy;
mod finish;
mod in_current_scope;
mod inner;
#[cfg(feature = "enable")]
mod paused_clock;
mod reference;
mod run;
mod spawn;
#[cfg(feature = "enable")]
mod survivors;
mod tasks;
mod timer;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub use self::end_policy::AtEnd;
pub use self::finish::Survivors;
pub use self::in_current_scope::{InCurrentScope, in_current_scope};
pub(crate) use self::inner::ScopeInner;
pub use self::inner::{Cancellation, ScopeInfo};
pub use self::reference::{ForeignScope, ScopeRef};
pub use self::run::Run;
#[cfg(feature = "enable")]
pub use self::survivors::{MAX_PENDING_REPORTS, SURVIVOR_REPORT_DELAY};
use crate::backend::CancelReason;
use crate::current;

#[cfg(feature = "enable")]
/// For `stats`: deadlines that are set, ended scopes that wait for their report, and those for
/// which there was no room.
pub(crate) fn counts() -> (usize, usize, u64) {
    let (waiting, unreported) = survivors::counts();
    (timer::count(), waiting, unreported)
}

/// The owner of a unit of work: everything spawned inside belongs to it, and should be gone soon
/// after it ends.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// use std::time::Duration;
/// use taskscope::{CancelReason, Scope};
///
/// let scope = Scope::new("import").label("file", "orders.csv");
/// let token = scope.token();
/// scope.spawn(async move { token.cancelled().await });
///
/// scope.cancel(CancelReason::Explicit);
/// assert!(scope.finish(Duration::from_secs(1)).await.is_ok());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "the scope ends when its last guard is dropped"]
pub struct Scope {
    inner: Arc<ScopeInner>,
}

impl Scope {
    /// From a guard that has been counted.
    fn counted(inner: Arc<ScopeInner>) -> Scope {
        Scope { inner }
    }

    /// Opens a scope without a parent. Its name is cut to [`MAX_NAME`](crate::text::MAX_NAME)
    /// characters.
    pub fn new(name: impl Into<Arc<str>>) -> Scope {
        Scope::counted(ScopeInner::open(name.into(), None))
    }

    /// Opens a scope below this one: its token is cancelled with this one's.
    pub fn child(&self, name: impl Into<Arc<str>>) -> Scope {
        self.to_ref().child(name)
    }

    /// The innermost scope that the running code works for: that of the [`Scope::run`] it is in, or
    /// of its task.
    pub fn current() -> Option<ScopeRef> {
        current::scope().map(ScopeRef::from_inner)
    }

    /// Adds a label, for example a request id. A key that was there gets the new value. Both are
    /// cut to [`MAX_NAME`](crate::text::MAX_NAME) characters.
    pub fn label(self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Scope {
        self.inner.set_label(key.into(), value.into());
        self
    }

    /// Says what happens to tasks that are alive when the scope ends. The default is
    /// [`AtEnd::Report`].
    pub fn at_end(self, policy: AtEnd) -> Scope {
        self.inner.set_at_end(policy);
        self
    }

    /// Cancels the scope after this time, with [`CancelReason::Deadline`]. See [`Scope::deadline`].
    pub fn timeout(self, after: Duration) -> Scope {
        match timer::now().checked_add(after) {
            Some(at) => self.deadline(at),
            None => self,
        }
    }

    /// Cancels the scope at this time, with [`CancelReason::Deadline`], and with it all scopes
    /// below.
    ///
    /// A deadline can only get shorter: a later one than the scope, or one above it, has already is
    /// ignored. One that has passed cancels at once. It holds as long as anything knows the scope:
    /// a guard, a reference, a token, a live task.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
    /// use std::time::Duration;
    /// use taskscope::{CancelReason, Scope};
    ///
    /// let request = Scope::new("request").timeout(Duration::from_secs(5));
    /// let query = request.child("query").timeout(Duration::from_secs(60));
    /// assert_eq!(query.to_ref().remaining(), Some(Duration::from_secs(5)));
    ///
    /// query.token().cancelled().await;
    /// let cancelled = query.to_ref().cancellation().ok_or("not cancelled")?;
    /// assert_eq!((cancelled.reason, cancelled.root), (CancelReason::Parent, CancelReason::Deadline));
    /// # Ok::<(), &str>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Overhead
    ///
    /// An entry in a queue, and for the earliest deadline of a runtime one timer. No task and no
    /// thread for each.
    ///
    /// # Limitations
    ///
    /// Inside a runtime the deadline counts by that runtime's clock, which tests can pause. While
    /// all its workers are blocked, a thread of this crate fires deadlines, up to a tenth of a
    /// second late. That thread also serves deadlines that are set outside of a runtime, or in one
    /// without timers. Tokio tells only by a panic that a runtime has no timers; it is caught, but
    /// the panic hook prints it, once for each such runtime. After the end of its runtime a
    /// deadline counts by the real clock.
    pub fn deadline(self, at: Instant) -> Scope {
        self.inner.set_deadline(at);
        self
    }

    /// The name it was opened with.
    #[must_use]
    pub fn name(&self) -> &str {
        self.inner.name()
    }

    /// Runs a future inside this scope: what it spawns belongs here. The future itself is no task
    /// and gets no record.
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as the future.
    pub fn run<F: Future>(&self, future: F) -> Run<F> {
        Run::new(self.inner.clone(), future)
    }

    /// Cancels the token, and those of all scopes below. The first reason is kept.
    pub fn cancel(&self, reason: CancelReason) {
        self.inner.cancel(reason);
    }

    pub(crate) fn inner(&self) -> Arc<ScopeInner> {
        self.inner.clone()
    }

    /// Ends this guard because nobody wants the result any more.
    #[cfg(feature = "tower")]
    pub(crate) fn client_gone(self) {
        self.inner.clone().client_gone(self);
    }

    /// A reference that does not keep the scope open.
    #[must_use]
    pub fn to_ref(&self) -> ScopeRef {
        ScopeRef::from_inner(self.inner.clone())
    }
}

impl Clone for Scope {
    /// Another guard: the scope ends when all of them are gone.
    fn clone(&self) -> Scope {
        self.inner.guard_added();
        Scope {
            inner: self.inner.clone(),
        }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        self.inner.guard_dropped();
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scope").field(&self.inner).finish()
    }
}
