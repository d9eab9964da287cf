//! The one error type of the crate: opaque, with predicates for what a caller can act upon.
//!
//! Not here: how an error becomes an HTTP status (`http/error.rs`).

use std::error::Error as StdError;
use std::fmt;

/// Why a profile could not be captured or written.
///
/// Ask with the predicates; the text is for people and may change in any release.
pub struct Error {
    kind: Kind,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

#[derive(Debug)]
enum Kind {
    Busy,
    Argument(String),
    Sampler(String),
    Write(String),
}

impl Error {
    pub(crate) fn busy() -> Self {
        Error {
            kind: Kind::Busy,
            source: None,
        }
    }

    /// An argument that cannot be honoured; for implementors of [`Sampler`](crate::sampler::Sampler) too.
    pub fn invalid_argument(text: impl Into<String>) -> Self {
        Error {
            kind: Kind::Argument(text.into()),
            source: None,
        }
    }

    /// The sampler could not be started, stopped or read; for implementors of [`Sampler`](crate::sampler::Sampler) too.
    pub fn sampler(text: impl Into<String>) -> Self {
        Error {
            kind: Kind::Sampler(text.into()),
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
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }

    /// True when another CPU capture is running in this process; ask again when it has ended.
    pub fn is_busy(&self) -> bool {
        matches!(self.kind, Kind::Busy)
    }

    /// True when an argument was out of its range; the text names it.
    pub fn is_invalid_argument(&self) -> bool {
        matches!(self.kind, Kind::Argument(_))
    }

    /// True when the sampler failed: it did not start, did not stop, or its thread died.
    pub fn is_sampler(&self) -> bool {
        matches!(self.kind, Kind::Sampler(_))
    }

    /// True when a profile could not be written, because it contradicts itself or the format cannot express it.
    pub fn is_write(&self) -> bool {
        matches!(self.kind, Kind::Write(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Busy => f.write_str(
                "a CPU capture is already running in this process; ask again when it has ended",
            ),
            Kind::Argument(text) | Kind::Sampler(text) | Kind::Write(text) => f.write_str(text),
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
