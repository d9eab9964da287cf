//! Wait reasons: what a suspended task waits for, by the library function that took its waker.
//!
//! The words are in [`kind`], the functions in [`table`], the rule that picks one of them in
//! [`classify`]. Not here: how a trace is taken and trimmed ([`crate::dump`]); any knowledge of the
//! user's own functions.

mod classify;
mod kind;
pub(crate) mod known_functions;
mod path;
mod table;

use std::fmt;
use std::sync::Arc;

pub(crate) use self::classify::classify;
pub use self::kind::WaitKind;
use crate::text::Plain;

/// Appended to a wait reason that only debug information can tell precisely.
const NEEDS_DEBUG_INFO: &str = " (needs debug = 1)";

/// The reason why a task waits: kinds of things that it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitReason {
    /// Kinds, each once, in the order of [`WaitKind`]; one, unless the task waits in a `select!` or
    /// a `join!`.
    pub kinds: Vec<WaitKind>,
    /// For [`WaitKind::Other`], the functions that took a waker, without generic arguments, each
    /// once, in alphabetical order.
    pub functions: Vec<Arc<str>>,
    /// Whether the program lacks the debug information that would tell better: `debug = 1` in its
    /// profile would. Functions that were compiled into others have no symbol of their own, and it
    /// is those that have the word for what they wait for.
    pub needs_debug_info: bool,
}

impl WaitReason {
    pub(crate) fn of(kind: WaitKind) -> WaitReason {
        WaitReason {
            kinds: vec![kind],
            functions: Vec::new(),
            needs_debug_info: false,
        }
    }

    pub(crate) fn any<'a>(reasons: impl Iterator<Item = &'a WaitReason>) -> WaitReason {
        let (mut kinds, mut functions) = (Vec::new(), Vec::new());
        let mut needs_debug_info = false;
        for reason in reasons {
            needs_debug_info |= reason.needs_debug_info;
            kinds.extend_from_slice(&reason.kinds);
            functions.extend_from_slice(&reason.functions);
        }
        // `select!` polls its branches in random order; equal waits must read alike.
        kinds.sort_unstable();
        kinds.dedup();
        functions.sort_unstable();
        functions.dedup();
        WaitReason {
            kinds,
            functions,
            needs_debug_info,
        }
    }
}

/// Whether other functions are made of this kind and mostly compiled into their callers. Without
/// debug information a lock may be called a semaphore, and nothing tells whose a function is that
/// takes a waker by itself.
fn is_vague(kind: WaitKind) -> bool {
    matches!(
        kind,
        WaitKind::Semaphore
            | WaitKind::Notify
            | WaitKind::Join
            | WaitKind::Io
            | WaitKind::EventListener
            | WaitKind::AsyncMutex
            | WaitKind::Sleep
            | WaitKind::Yield
            | WaitKind::Other
    )
}

impl fmt::Display for WaitReason {
    /// `mpsc recv | sleep`, `other: shop::Courier::poll`, `other: shop+0x1f3a0 (needs debug = 1)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for kind in &self.kinds {
            let hint = if self.needs_debug_info && is_vague(*kind) {
                NEEDS_DEBUG_INFO
            } else {
                ""
            };
            if *kind == WaitKind::Other && !self.functions.is_empty() {
                for function in &self.functions {
                    write!(f, "{separator}{}: {}{hint}", kind.name(), Plain(function))?;
                    separator = " | ";
                }
            } else {
                write!(f, "{separator}{}{hint}", kind.name())?;
            }
            separator = " | ";
        }
        Ok(())
    }
}
