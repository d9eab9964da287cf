//! The error of this crate: opaque, with a predicate for each thing that a caller can act upon.
//!
//! Not here: errors of captures (`taskprof::Error`, which this one turns into).

use std::error::Error as StdError;
use std::fmt;

/// Why a profile could not be combined or written.
///
/// Ask with the predicates; the text is for people and may change in any release.
pub struct Error {
    kind: Kind,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Debug)]
enum Kind {
    Argument(String),
    Write(String),
}

impl Error {
    pub(crate) fn invalid_argument(text: impl Into<String>) -> Self {
        Error {
            kind: Kind::Argument(text.into()),
            source: None,
        }
    }

    pub(crate) fn write(text: impl Into<String>) -> Self {
        Error {
            kind: Kind::Write(text.into()),
            source: None,
        }
    }

    /// Adds the cause, which [`source`](StdError::source) then returns.
    pub(crate) fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }

    /// True when an argument was out of its range, or two profiles measure different things; the
    /// text names it.
    pub fn is_invalid_argument(&self) -> bool {
        matches!(self.kind, Kind::Argument(_))
    }

    /// True when a profile could not be written: it contradicts itself, the format cannot express
    /// it, or the output failed.
    pub fn is_write(&self) -> bool {
        matches!(self.kind, Kind::Write(_))
    }

    /// The cause, for an error of another crate that takes this one's place.
    pub fn into_source(self) -> Option<Box<dyn StdError + Send + Sync>> {
        self.source
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Argument(text) | Kind::Write(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.kind)
            .field("source", &self.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.source {
            Some(source) => Some(source.as_ref()),
            None => None,
        }
    }
}
