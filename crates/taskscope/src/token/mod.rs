//! The cancellation token of a scope: tokio-util's, which also knows which task looked at it.
//!
//! Whether a task that does not stop has ignored its cancellation or is slow to obey it are
//! different bugs. So every look at a token is noted with the task that this thread is polling
//! (`crate::current::token_polled`). Not here: reasons and deadlines of a cancellation; they are
//! the scope's.

mod guard;
mod wait;

use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use self::guard::{DropGuard, DropGuardRef};
pub use self::wait::{Cancelled, CancelledOwned, RunUntilCancelled, RunUntilCancelledOwned};
use crate::backend::CancelReason;
use crate::current;
use crate::scope::{ScopeInner, ScopeRef};

/// Tells tasks to stop: tokio-util's [`CancellationToken`], which also notes which task looked at
/// it.
///
/// It has everything that the wrapped type has, with the same meaning. What it adds: a task that is
/// polled while it calls [`is_cancelled`](Token::is_cancelled), or polls one of the futures here,
/// has *looked at its token*, if the token is one of its scope, of a scope above or of one below.
/// Reports then call it `cancel slow` and not `cancel ignored`.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// use std::time::Duration;
/// use taskscope::{CancelReason, Scope};
///
/// let scope = Scope::new("import");
/// let token = scope.token();
/// let rows = scope.spawn(async move {
///     let mut rows = 0;
///     while token.run_until_cancelled(tokio::time::sleep(Duration::from_millis(1))).await.is_some() {
///         rows += 1;
///     }
///     rows
/// });
/// tokio::time::sleep(Duration::from_millis(20)).await;
/// scope.cancel(CancelReason::Shutdown);
/// assert!(rows.await? > 0);
/// # Ok::<(), tokio::task::JoinError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Limitations
///
/// Looks at the raw token ([`Token::as_inner`], [`Token::into_inner`]) are not seen.
#[derive(Clone, Default)]
pub struct Token {
    raw: CancellationToken,
    scope: Option<Arc<ScopeInner>>,
    /// Made by `child_token`: its cancellation is not the scope's.
    child: bool,
}

impl Token {
    /// A token of its own, which belongs to no scope: for code that is also used outside of one.
    #[must_use]
    pub fn new() -> Token {
        Token::default()
    }

    pub(crate) fn of(scope: Arc<ScopeInner>) -> Token {
        Token {
            raw: scope.token().clone(),
            scope: Some(scope),
            child: false,
        }
    }

    /// A token that is cancelled with this one and can be cancelled without it.
    #[must_use]
    pub fn child_token(&self) -> Token {
        Token {
            raw: self.raw.child_token(),
            scope: self.scope.clone(),
            child: true,
        }
    }

    /// Cancels this token and its children. That of a scope cancels the scope, as
    /// [`Scope::cancel`](crate::Scope::cancel) does with [`CancelReason::Explicit`].
    pub fn cancel(&self) {
        match &self.scope {
            Some(scope) if !self.child => scope.cancel(CancelReason::Explicit),
            _ => self.raw.cancel(),
        }
    }

    /// Whether the token is cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        let cancelled = self.raw.is_cancelled();
        self.looked(cancelled);
        cancelled
    }

    /// Waits until the token is cancelled; returns at once if it is.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub fn cancelled(&self) -> Cancelled<'_> {
        Cancelled::new(self)
    }

    /// [`Token::cancelled`] with a token of its own.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub fn cancelled_owned(self) -> CancelledOwned {
        CancelledOwned::new(self)
    }

    /// Runs a future until it is ready or the token is cancelled; in the latter case it is dropped,
    /// and the result is `None`.
    ///
    /// A token that is cancelled already does not let the future start. Later, a future that is
    /// ready wins over the cancellation.
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as the future.
    pub fn run_until_cancelled<F: Future>(&self, future: F) -> RunUntilCancelled<'_, F> {
        RunUntilCancelled::new(self.cancelled(), future)
    }

    /// [`Token::run_until_cancelled`] with a token of its own.
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as the future.
    pub fn run_until_cancelled_owned<F: Future>(self, future: F) -> RunUntilCancelledOwned<F> {
        RunUntilCancelledOwned::new(self.cancelled_owned(), future)
    }

    /// A guard that cancels the token when it is dropped, unless it is disarmed.
    pub fn drop_guard(self) -> DropGuard {
        DropGuard::new(self)
    }

    /// [`Token::drop_guard`] with a borrowed token.
    pub fn drop_guard_ref(&self) -> DropGuardRef<'_> {
        DropGuardRef::new(self)
    }

    /// The scope that it belongs to.
    #[must_use]
    pub fn scope(&self) -> Option<ScopeRef> {
        self.scope.clone().map(ScopeRef::from_inner)
    }

    /// Tokio-util's token, for code that needs that type.
    ///
    /// # Limitations
    ///
    /// Nobody sees who looks at the raw token: a task that only looks at that one is called
    /// `cancel ignored`. Cancelling it cancels the scope without leaving a time behind.
    #[must_use]
    pub fn as_inner(&self) -> &CancellationToken {
        &self.raw
    }

    /// Tokio-util's token. See [`Token::as_inner`].
    #[must_use]
    pub fn into_inner(self) -> CancellationToken {
        self.raw
    }

    /// Notes that the current task has looked.
    fn looked(&self, cancelled: bool) {
        if let Some(scope) = &self.scope {
            current::token_polled(scope, cancelled);
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A look at a report is no look at the token.
        f.debug_struct("Token")
            .field("scope", &self.scope.as_ref().map(|scope| scope.name()))
            .field("cancelled", &self.raw.is_cancelled())
            .finish_non_exhaustive()
    }
}

impl PartialEq for Token {
    /// Whether they are clones of one another, as tokio-util compares them.
    fn eq(&self, other: &Token) -> bool {
        self.raw == other.raw
    }
}

impl Eq for Token {}

impl Hash for Token {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.raw.hash(state);
    }
}
