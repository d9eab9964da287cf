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
    Busy(&'static str),
    Unavailable(String),
    NoMemory(String),
    Argument(String),
    Sampler(String),
    Write(String),
}

impl Error {
    pub(crate) fn busy(text: &'static str) -> Self {
        Error {
            kind: Kind::Busy(text),
            source: None,
        }
    }

    pub(crate) fn unavailable(text: impl Into<String>) -> Self {
        Error {
            kind: Kind::Unavailable(text.into()),
            source: None,
        }
    }

    /// A copy for another receiver; the causes become text.
    pub(crate) fn again(&self) -> Self {
        let kind = match &self.kind {
            Kind::Busy(text) => Kind::Busy(text),
            Kind::Unavailable(text) => Kind::Unavailable(text.clone()),
            Kind::NoMemory(text) => Kind::NoMemory(text.clone()),
            Kind::Argument(text) => Kind::Argument(text.clone()),
            Kind::Sampler(text) => Kind::Sampler(text.clone()),
            Kind::Write(text) => Kind::Write(text.clone()),
        };
        let mut texts = Vec::new();
        let mut cause = StdError::source(self);
        while let Some(error) = cause {
            texts.push(error.to_string());
            cause = error.source();
        }
        Error {
            kind,
            source: (!texts.is_empty()).then(|| texts.join(": ").into()),
        }
    }

    /// An argument that cannot be honoured; for implementors of
    /// [`Sampler`](crate::sampler::Sampler) too.
    pub fn invalid_argument(text: impl Into<String>) -> Self {
        Error {
            kind: Kind::Argument(text.into()),
            source: None,
        }
    }

    /// The sampler could not be started, stopped or read; for implementors of
    /// [`Sampler`](crate::sampler::Sampler) too.
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

    /// True when a CPU capture with another sampler or frequency is running in this process, or too
    /// many captures are; ask again when one has ended.
    pub fn is_busy(&self) -> bool {
        matches!(self.kind, Kind::Busy(_))
    }

    /// True when the process does not collect what was asked for; the text says what would change
    /// that.
    pub fn is_unavailable(&self) -> bool {
        matches!(self.kind, Kind::Unavailable(_))
    }

    /// True when the process has no memory for what was asked for; ask for less, or again when it
    /// has.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self.kind, Kind::NoMemory(_))
    }

    /// True when an argument was out of its range; the text names it.
    pub fn is_invalid_argument(&self) -> bool {
        matches!(self.kind, Kind::Argument(_))
    }

    /// True when the sampler failed: it did not start, did not stop, or its thread died.
    pub fn is_sampler(&self) -> bool {
        matches!(self.kind, Kind::Sampler(_))
    }

    /// True when a profile could not be written, because it contradicts itself or the format cannot
    /// express it.
    pub fn is_write(&self) -> bool {
        matches!(self.kind, Kind::Write(_))
    }
}

#[cfg(feature = "console")]
impl From<taskprof_console::Error> for Error {
    fn from(why: taskprof_console::Error) -> Self {
        let text = why.to_string();
        if why.is_unavailable() {
            Error::unavailable(text)
        } else {
            Error::invalid_argument(text)
        }
    }
}

impl From<taskprof_format::Error> for Error {
    fn from(why: taskprof_format::Error) -> Self {
        let text = why.to_string();
        Error {
            kind: if why.is_invalid_argument() {
                Kind::Argument(text)
            } else {
                Kind::Write(text)
            },
            source: why.into_source(),
        }
    }
}

impl From<taskscope::dump::NoMemory> for Error {
    fn from(why: taskscope::dump::NoMemory) -> Self {
        Error {
            kind: Kind::NoMemory(why.to_string()),
            source: None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Busy(text) => f.write_str(text),
            Kind::Unavailable(text)
            | Kind::NoMemory(text)
            | Kind::Argument(text)
            | Kind::Sampler(text)
            | Kind::Write(text) => f.write_str(text),
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
