//! Facts that few tasks have: a name, labels, a long poll, a capture that lacks something, uses of
//! a cancellation token.
//!
//! A record gets its side table when it first needs one, in a place beside the record
//! ([`super::arena`]), and keeps it for the tasks that come after: so even named tasks allocate
//! nothing but their names. Its memory is given back together with that of the record.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use callstack::Stack;

use crate::Name;

/// Parts that the last capture lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Missing {
    /// Wakers taken in that poll whose stacks did not fit in the buffer.
    pub dropped: u32,
    /// Branches whose walk did not reach the task's root: too deep, or code without unwind tables.
    pub cut: u32,
}

/// A poll that took too long. Raw ticks.
#[derive(Debug, Clone)]
pub struct LongPoll {
    /// The number of the poll.
    pub polls: u64,
    /// When its stack was taken.
    pub seen_at: u64,
    /// For how long it had been going on when it was last seen.
    pub lasted: u64,
    /// For how long when its stack was asked for.
    pub tried_after: u64,
    /// The thread's stack then, or why it is not known.
    pub stack: Result<Arc<Stack>, Arc<str>>,
}

/// A label: key and value.
pub type Label = (Arc<str>, Arc<str>);

#[derive(Debug, Default)]
pub struct ExtensionData {
    pub name: Option<Name>,
    pub labels: Vec<Label>,
    pub missing: Missing,
    /// Boxed, because it is rare.
    pub long_poll: Option<Box<LongPoll>>,
}

/// The extensions of a record.
#[derive(Debug, Default)]
pub struct Extensions {
    data: Mutex<ExtensionData>,
    /// Raw ticks when the task first looked at a token of its scope; 0 if it has not.
    token_first: AtomicU64,
    /// Raw ticks when it last did.
    token_last: AtomicU64,
    /// It has seen that its scope is cancelled.
    saw_cancelled: AtomicBool,
}

/// A task's looks at the token of its scope. Raw ticks.
#[derive(Debug, Clone, Copy)]
pub struct TokenLooks {
    /// The first one.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// Whether it has seen that its scope is cancelled.
    pub saw_cancelled: bool,
}

impl Extensions {
    /// Nothing of the user's is dropped or called under this lock.
    pub fn data(&self) -> MutexGuard<'_, ExtensionData> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The task has looked at a token, and seen that its scope is cancelled or not. Only the thread
    /// that polls it calls this.
    pub fn token_polled(&self, now: u64, saw_cancelled: bool) {
        if self.token_first.load(Ordering::Relaxed) == 0 {
            self.token_first.store(now, Ordering::Relaxed);
        }
        self.token_last.store(now, Ordering::Relaxed);
        if saw_cancelled {
            self.saw_cancelled.store(true, Ordering::Relaxed);
        }
    }

    /// Its looks at a token; `None` if there were none.
    pub fn token(&self) -> Option<TokenLooks> {
        let first = self.token_first.load(Ordering::Relaxed);
        (first != 0).then(|| TokenLooks {
            first,
            last: self.token_last.load(Ordering::Relaxed).max(first),
            saw_cancelled: self.saw_cancelled.load(Ordering::Relaxed),
        })
    }

    /// Empties it for the next task. The caller drops what was in it.
    pub(super) fn clear(&self) -> ExtensionData {
        self.token_first.store(0, Ordering::Relaxed);
        self.token_last.store(0, Ordering::Relaxed);
        self.saw_cancelled.store(false, Ordering::Relaxed);
        std::mem::take(&mut *self.data())
    }
}
