//! Guards that cancel a token when they are dropped.

use super::Token;

/// Cancels a token when it is dropped, unless it was disarmed. From [`Token::drop_guard`].
#[derive(Debug)]
#[must_use = "dropping the guard cancels the token"]
pub struct DropGuard {
    /// `None` once disarmed.
    token: Option<Token>,
}

impl DropGuard {
    pub(super) fn new(token: Token) -> DropGuard {
        DropGuard { token: Some(token) }
    }

    /// The token that it would cancel.
    #[must_use]
    pub fn token(&self) -> &Token {
        self.token.as_ref().unwrap_or_else(|| disarmed())
    }

    /// Gives the token back without cancelling it. Other guards of it are not affected.
    #[must_use = "the token of a guard that was disarmed"]
    pub fn disarm(mut self) -> Token {
        self.token.take().unwrap_or_else(|| disarmed())
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            token.cancel();
        }
    }
}

/// Cancels a borrowed token when it is dropped, unless it was disarmed. From
/// [`Token::drop_guard_ref`].
#[derive(Debug)]
#[must_use = "dropping the guard cancels the token"]
pub struct DropGuardRef<'a> {
    /// `None` once disarmed.
    token: Option<&'a Token>,
}

impl<'a> DropGuardRef<'a> {
    pub(super) fn new(token: &'a Token) -> DropGuardRef<'a> {
        DropGuardRef { token: Some(token) }
    }

    /// The token that it would cancel.
    #[must_use]
    pub fn token(&self) -> &Token {
        self.token.unwrap_or_else(|| disarmed())
    }

    /// Gives the token back without cancelling it. Other guards of it are not affected.
    pub fn disarm(mut self) -> &'a Token {
        self.token.take().unwrap_or_else(|| disarmed())
    }
}

impl Drop for DropGuardRef<'_> {
    fn drop(&mut self) {
        if let Some(token) = self.token {
            token.cancel();
        }
    }
}

/// `disarm` takes the guard by value, so nobody has one without a token.
fn disarmed() -> ! {
    unreachable!("a guard that was disarmed is gone")
}
