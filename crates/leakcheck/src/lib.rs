//! The leak assertion for tokio tests: when a test ends, so should everything that it spawned.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! async fn refresh_prices() {}
//!
//! let refresh = taskscope::spawn(refresh_prices());
//! // ... the test ...
//! let _ = refresh.await;
//!
//! leakcheck::assert_none!();
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! If something is left, the assertion panics at its own line, with one block for each kind of task: how many there are, where they were spawned,
//! which scope they belong to, what they wait for and since when, and the async stack.
//!
//! # What counts as a leak
//!
//! Every task of the *current runtime* that is alive after a [bounded while](Options::settle), except
//! the caller's own and those declared [`background`](taskscope::background). Tests that run in parallel have a runtime each
//! (`#[tokio::test]` makes one), so they do not see each other's tasks.
//!
//! Tasks spawned with plain `tokio::spawn` count as well. They can be counted and not looked into, so the report calls them untracked.
//!
//! # Limitations
//!
//! * Tests that share one runtime see each other's tasks.
//! * Calls on the blocking pool and plain threads are not looked at.
//! * An untracked task of a `LocalSet` is not seen: tokio does not count it with the runtime's.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::expect_used, clippy::unwrap_used))]

mod check;
mod options;
mod report;

pub use self::check::{check, check_with};
pub use self::options::{DEFAULT_SETTLE, Options};
pub use self::report::Leaks;

/// Asserts that no task of the current runtime is alive but the caller's own and background tasks.
///
/// Goes at the end of an async test; it awaits. Takes [`Options`], if the default ones do not fit.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// leakcheck::assert_none!();
/// leakcheck::assert_none!(leakcheck::Options::new().settle(Duration::from_millis(200)));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// At the line of the assertion, with the report of [`Leaks`], if a task is left. Outside of a tokio runtime.
#[macro_export]
macro_rules! assert_none {
    () => {
        $crate::assert_none!($crate::Options::new())
    };
    ($options:expr $(,)?) => {
        if let ::core::result::Result::Err(leaks) = $crate::check_with($options).await {
            $crate::__private::fail(&leaks)
        }
    };
}

/// For the macros of this crate.
#[doc(hidden)]
pub mod __private {
    /// Panics at the caller's line.
    #[cold]
    #[track_caller]
    pub fn fail(leaks: &crate::Leaks) -> ! {
        panic!("{leaks}")
    }
}

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
