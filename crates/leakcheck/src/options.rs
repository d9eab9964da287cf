//! What a check may be told.

use std::time::Duration;

/// How long tasks that are just ending are waited for: 1 s.
pub const DEFAULT_SETTLE: Duration = Duration::from_secs(1);

/// How a check is made.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let options = leakcheck::Options::new().settle(Duration::from_secs(5));
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) settle: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options::new()
    }
}

impl Options {
    /// Waits up to [`DEFAULT_SETTLE`].
    #[must_use]
    pub fn new() -> Options {
        Options {
            settle: DEFAULT_SETTLE,
        }
    }

    /// Waits up to this long, in real time, for tasks that are just ending. The default is [`DEFAULT_SETTLE`].
    ///
    /// The wait is over as soon as nothing is left, so a clean test does not pay for a long one; a leaking test does.
    #[must_use]
    pub fn settle(mut self, settle: Duration) -> Options {
        self.settle = settle;
        self
    }
}
