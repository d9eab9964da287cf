//! Spawning into a scope, and the token that tells its tasks to stop.

use std::future::Future;

use super::{Scope, ScopeRef};
use crate::join::JoinHandle;
use crate::spawn::Builder;
use crate::token::Token;

impl Scope {
    /// Spawns a task that belongs to this scope. See [`spawn`](crate::spawn).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Builder::new().owned_by(self.inner()).spawn(future)
    }

    /// The token that tasks of this scope should heed.
    #[must_use]
    pub fn token(&self) -> Token {
        Token::of(self.inner())
    }
}

impl ScopeRef {
    /// Spawns a task that belongs to this scope. See [`Scope::spawn`].
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Builder::new().owned_by(self.inner().clone()).spawn(future)
    }

    /// The token that tasks of this scope should heed. See [`Scope::token`].
    #[must_use]
    pub fn token(&self) -> Token {
        Token::of(self.inner().clone())
    }
}
