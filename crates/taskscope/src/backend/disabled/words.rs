//! Names and cancel reasons without the feature `enable`, as `taskscope-core` has them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Cuts a name to the length that it has with the feature `enable`; there it also says how much is missing.
pub(crate) fn bounded_name(name: Arc<str>) -> Arc<str> {
    const MAX_NAME: usize = 256;
    match name.char_indices().nth(MAX_NAME) {
        Some(_) => name
            .chars()
            .take(MAX_NAME - 1)
            .chain(['…'])
            .collect::<String>()
            .into(),
        None => name,
    }
}

/// The name of a task: a literal, or a shared text. Without the feature `enable` nobody reads it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(Cow<'static, str>);

impl Name {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl From<&'static str> for Name {
    fn from(text: &'static str) -> Name {
        Name(Cow::Borrowed(text))
    }
}

impl From<String> for Name {
    fn from(text: String) -> Name {
        Name(Cow::Owned(text))
    }
}

impl From<Arc<str>> for Name {
    fn from(text: Arc<str>) -> Name {
        Name(Cow::Owned(String::from(&*text)))
    }
}

impl From<Cow<'static, str>> for Name {
    fn from(text: Cow<'static, str>) -> Name {
        Name(text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
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
    /// The scope ended, and its policy is [`AtEnd::Cancel`](crate::AtEnd::Cancel) or [`AtEnd::Abort`](crate::AtEnd::Abort).
    Ended,
    /// The client went away before its answer was complete.
    ClientGone,
    /// A scope above was cancelled. [`Cancellation::root`](crate::Cancellation::root) says why.
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
