//! Who owns a task: a tree of scopes, each with a name, labels and a cancellation token.
//!
//! [`Scope`] is the owner's guard: the scope ends when the last clone of it is dropped. Tasks and [`ScopeRef`]s only refer to a
//! scope and do not keep it open, else a leaked task would keep its own evidence from being seen.
//! Not here: which requests get a scope ([`crate::ScopeLayer`]), what a survivor is called ([`crate::Verdict`]).

mod finish;
mod inner;
mod run;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use self::finish::Survivors;
pub(crate) use self::inner::ScopeInner;
pub use self::inner::{AtEnd, CancelReason};
pub use self::run::Run;
use crate::{Builder, JoinHandle, current};

/// The owner of a unit of work: everything spawned inside belongs to it, and should be gone soon after it ends.
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
    /// Opens a scope without a parent.
    pub fn new(name: impl Into<Arc<str>>) -> Scope {
        Scope {
            inner: ScopeInner::open(name.into(), None),
        }
    }

    /// Opens a scope below this one: its token is cancelled with this one's.
    pub fn child(&self, name: impl Into<Arc<str>>) -> Scope {
        Scope {
            inner: ScopeInner::open(name.into(), Some(self.inner.clone())),
        }
    }

    /// The innermost scope that the running code works for: that of the [`Scope::run`] it is in, or of its task.
    pub fn current() -> Option<ScopeRef> {
        current::scope().map(|inner| ScopeRef { inner })
    }

    /// Adds a label, for example a request id. A key that was there gets the new value.
    pub fn label(self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Scope {
        self.inner.set_label(key.into(), value.into());
        self
    }

    /// Says what happens to tasks that are alive when the scope ends. The default is [`AtEnd::Report`].
    pub fn at_end(self, policy: AtEnd) -> Scope {
        self.inner.set_at_end(policy);
        self
    }

    /// The name it was opened with.
    #[must_use]
    pub fn name(&self) -> &str {
        self.inner.name()
    }

    /// The token that tasks of this scope should heed.
    ///
    /// # Limitations
    ///
    /// Cancelling the token directly stops tasks just as [`Scope::cancel`] does, but leaves no reason and no time behind.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.inner.token().clone()
    }

    /// Spawns a task that belongs to this scope. See [`spawn`](crate::spawn).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Builder::new().owned_by(self.inner.clone()).spawn(future)
    }

    /// Runs a future inside this scope: what it spawns belongs here. The future itself is no task and gets no record.
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

    #[cfg(feature = "axum")]
    pub(crate) fn inner(&self) -> Arc<ScopeInner> {
        self.inner.clone()
    }

    /// The scope is about to end because nobody wants its result any more.
    #[cfg(feature = "axum")]
    pub(crate) fn client_gone(&self) {
        self.inner.client_gone();
    }

    /// A reference that does not keep the scope open.
    #[must_use]
    pub fn to_ref(&self) -> ScopeRef {
        ScopeRef {
            inner: self.inner.clone(),
        }
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

    pub(crate) fn contains(&self, scope: Option<&Arc<ScopeInner>>) -> bool {
        self.inner.contains(scope)
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

    /// See [`Scope::token`].
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.inner.token().clone()
    }

    /// See [`Scope::spawn`].
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Builder::new().owned_by(self.inner.clone()).spawn(future)
    }

    /// See [`Scope::cancel`].
    pub fn cancel(&self, reason: CancelReason) {
        self.inner.cancel(reason);
    }

    /// How long ago this scope, or one above it, ended. `None`: all are open.
    #[must_use]
    pub fn ended(&self) -> Option<std::time::Duration> {
        self.inner.ended()
    }

    /// Why, and how long ago, the token was cancelled. The time is missing if somebody cancelled the token directly.
    #[must_use]
    pub fn cancelled(&self) -> Option<(CancelReason, Option<std::time::Duration>)> {
        self.inner.cancelled()
    }

    /// Live tasks that belong to this scope or to one below.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.inner.tasks()
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
