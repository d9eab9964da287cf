//! The error of this crate: opaque, with a predicate for each thing that a caller can act upon.
//!
//! Not here: errors of a server that is bound (`std::io::Error`, made by taskprof).

use std::fmt;

/// Why there can be no console.
///
/// Ask with the predicates; the text is for people and may change in any release.
#[derive(Debug)]
pub struct Error(Kind);

#[derive(Debug)]
enum Kind {
    Unavailable(String),
    Argument(String),
}

impl Error {
    pub(crate) fn unavailable(text: impl Into<String>) -> Self {
        Error(Kind::Unavailable(text.into()))
    }

    pub(crate) fn invalid_argument(text: impl Into<String>) -> Self {
        Error(Kind::Argument(text.into()))
    }

    /// True when no task would be seen in this build; the text says what would change that.
    pub fn is_unavailable(&self) -> bool {
        matches!(self.0, Kind::Unavailable(_))
    }

    /// True when an argument was out of its range; the text names it.
    pub fn is_invalid_argument(&self) -> bool {
        matches!(self.0, Kind::Argument(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Unavailable(text) | Kind::Argument(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Error {}
