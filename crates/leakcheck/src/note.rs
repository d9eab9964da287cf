//! What a check says although it passes. Not here: the message of one that fails.

use std::fmt::Display;

/// A sentence on standard error, which test harnesses keep with the output of the test.
#[allow(clippy::print_stderr, reason = "this is what tests report on")]
pub(crate) fn say(text: impl Display) {
    eprintln!("leakcheck: {text}");
}
