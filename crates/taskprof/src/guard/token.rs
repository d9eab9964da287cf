//! The secret that a request must show: which secrets are accepted, and how one is compared.
//!
//! The secret itself is not kept, only its SHA-256: what is compared is of one length whatever a
//! client sends, in constant time, and no `Debug`, no error and no core file of ours has the words.
//! Not here: what is answered to whom (`mod.rs`).

use std::fmt;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{MAX_TOKEN_LENGTH, MIN_TOKEN_LENGTH};
use crate::error::Error;

/// The SHA-256 of a token.
#[derive(Clone)]
pub(crate) struct Token([u8; 32]);

/// The kind of token that a request shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    Wrong,
    Right,
}

impl Token {
    /// Checks a token and keeps its hash.
    ///
    /// # Errors
    ///
    /// For a token that cannot be used; the sentence has no byte of it.
    pub(crate) fn new(token: &[u8]) -> Result<Self, Error> {
        let refused = |why: String| Err(Error::invalid_argument(why));
        if token.is_empty() {
            return refused(
                "the bearer token is empty; is the variable or the file set that it comes from?"
                    .to_owned(),
            );
        }
        if token.iter().any(u8::is_ascii_whitespace) {
            return refused(
                "the bearer token contains white space, perhaps the line end of the file that it comes from; trim it"
                    .to_owned(),
            );
        }
        // RFC 6750: what may stand behind `Bearer` in the header.
        let padding = token.iter().rev().take_while(|&&byte| byte == b'=').count();
        let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
        if !token[..token.len() - padding].iter().all(legal) {
            return refused(
                "the bearer token contains bytes that cannot stand in the Authorization header; it may consist of letters, \
                 digits and - . _ ~ + /, with = at its end"
                    .to_owned(),
            );
        }
        if token.len() - padding < MIN_TOKEN_LENGTH || token.len() > MAX_TOKEN_LENGTH {
            return refused(format!(
                "the bearer token must have from {MIN_TOKEN_LENGTH} to {MAX_TOKEN_LENGTH} bytes; 32 random ones from \
                 `openssl rand -hex 16` are right"
            ));
        }
        Ok(Token(Sha256::digest(token).into()))
    }

    /// Compares the token in these headers: `Bearer <token>`, or `Basic` with the token as the
    /// password of anybody.
    ///
    /// Nothing else is looked at. A token in the query string would end up in histories, in logs
    /// and in the `Referer` of links.
    pub(super) fn shown(&self, headers: &HeaderMap) -> Shown {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Shown::Nothing;
        };
        if values.next().is_some() {
            // Two readers could disagree on which of them counts.
            return Shown::Wrong;
        }
        let value = value.as_bytes();
        let scheme_end = value.iter().position(|&byte| byte == b' ');
        let (scheme, secret) = value.split_at(scheme_end.unwrap_or(value.len()));
        let secret = secret.trim_ascii();
        let is_right = if scheme.eq_ignore_ascii_case(b"bearer") {
            self.is(secret)
        } else if scheme.eq_ignore_ascii_case(b"basic") {
            STANDARD
                .decode(secret)
                .is_ok_and(|pair| password(&pair).is_some_and(|password| self.is(password)))
        } else {
            false
        };
        if is_right { Shown::Right } else { Shown::Wrong }
    }

    fn is(&self, secret: &[u8]) -> bool {
        let shown: [u8; 32] = Sha256::digest(secret).into();
        self.0.ct_eq(&shown).into()
    }
}

/// The password in `user:password`; a user's name has no colon.
fn password(pair: &[u8]) -> Option<&[u8]> {
    let colon = pair.iter().position(|&byte| byte == b':')?;
    pair.get(colon + 1..)
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}
