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
//! If something is left, the assertion panics at its own line, with one block for each kind of
//! task: how many there are, where they were spawned, which scope they belong to, what they wait
//! for and since when, and the async stack.
//!
//! # What counts as a leak
//!
//! Every task of the *current runtime* that is alive after a [bounded while](Options::settle),
//! except the caller's own and those declared [`background`](taskscope::background). Tests that run
//! in parallel have a runtime each (`#[tokio::test]` makes one), so they do not see each other's
//! tasks.
//!
//! Tasks spawned with plain `tokio::spawn` count as well. Only their number is known, so the report
//! calls them untracked.
//!
#![doc = include_str!("known_leaks.md")]
//! # Limitations
//!
//! * `assert_none!` in tests that share one runtime sees the tasks of all of them. [`check_scope`]
//!   and `#[leakcheck::test(runtime = ..)]` check the test's own scope.
//! * Calls of `taskscope::spawn_blocking` count like tasks. Calls of plain
//!   `tokio::task::spawn_blocking` are counted with `--cfg tokio_unstable` only; without it they
//!   can be seen as threads.
//! * Threads and file descriptors are inspected [on request](Options::threads), and may belong to
//!   anything in the process.
//! * An untracked task of a `LocalSet` is not seen: tokio does not count it with the runtime's.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::expect_used, clippy::unwrap_used))]

mod baseline;
mod check;
mod check_scope;
mod checker;
mod harness;
mod options;
mod os;
mod outcome;
mod paths;
mod pattern;
mod presets;
mod report;
mod rules;
mod suppressions;
mod symbol_path;
mod sync;

pub use self::baseline::Baseline;
pub use self::check::{check, check_in, check_with};
pub use self::options::{DEFAULT_SETTLE, Options};
pub use self::os::{Descriptor, OsThread};
/// An async test that fails if anything it has spawned is left when it ends.
///
/// Takes the arguments of `#[tokio::test]` (`flavor`, `worker_threads`, `start_paused`,
/// `unhandled_panic`, `name`), and leak options: each method of [`Options`] as `method(arguments)`,
/// or a whole value as `options = expression`.
///
/// ```
/// # use std::time::Duration;
/// #[leakcheck::test]
/// async fn an_order_leaves_nothing_behind() {
///     // ...
/// }
///
/// #[leakcheck::test(flavor = "multi_thread", worker_threads = 2, settle(Duration::from_secs(5)),
///     ignore_name("pool reaper", "belongs to the fixture"))]
/// async fn so_does_a_refused_one() -> Result<(), std::io::Error> {
///     // ...
///     Ok(())
/// }
/// ```
///
/// The body runs on a runtime of its own, in a scope with the name of the test. The check comes
/// after the last value of the body has been dropped. It is made also if the body returned an error
/// or panicked; then its report is printed on standard error and the test fails as it would have. A
/// test with `#[should_panic]` that panics and leaks fails as well, by not panicking.
///
/// Tests that share a runtime name it: `#[leakcheck::test(runtime = shared())]` with an expression
/// of type `&tokio::runtime::Runtime`. Then only what belongs to the test's own scope counts.
///
/// Attributes that make tests out of a function with arguments, such as `#[rstest]` and
/// `#[test_case]`, go above this one.
///
/// If leaks are found, the runtime is shut down without waiting, so that the report is seen.
pub use leakcheck_macros::test;

pub use self::check_scope::check_scope;
pub use self::report::Leaks;
pub use self::report::text::MAX_LINES;

/// Asserts that no task of the current runtime is alive but the caller's own and background tasks.
///
/// Goes at the end of an async test, because it awaits. Takes [`Options`] if the default ones do
/// not fit.
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
/// At the line of the assertion, with the report of [`Leaks`], if a task is left. Outside of a
/// tokio runtime.
#[macro_export]
macro_rules! assert_none {
    () => {
        $crate::assert_none!($crate::Options::new())
    };
    ($options:expr $(,)?) => {
        // The name of a closure's type has the path of the function that it is in.
        if let ::core::result::Result::Err(leaks) =
            $crate::check_with($crate::__private::in_test($options, &|| ())).await
        {
            $crate::__private::fail(&leaks)
        }
    };
}

/// Asserts, outside of async code, that no task of this runtime is alive but background tasks.
///
/// Takes [`Options`] after the runtime if the default ones do not fit.
///
/// # Examples
///
/// ```
/// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// runtime.block_on(async { /* ... the test ... */ });
/// leakcheck::assert_none_in!(&runtime);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// At the line of the assertion, with the report of [`Leaks`], if a task is left. Inside of a tokio
/// runtime.
#[macro_export]
macro_rules! assert_none_in {
    ($runtime:expr $(,)?) => {
        $crate::assert_none_in!($runtime, $crate::Options::new())
    };
    ($runtime:expr, $options:expr $(,)?) => {
        if let ::core::result::Result::Err(leaks) =
            $crate::check_in($runtime, $crate::__private::in_test($options, &|| ()))
        {
            $crate::__private::fail(&leaks)
        }
    };
}

/// Prints text on standard error, with the macro and not the stream, so that the test harness shows
/// it with the test.
#[expect(clippy::print_stderr, reason = "this is what it is for")]
fn say(what: impl std::fmt::Display) {
    eprintln!("{}", taskscope::text::lines(&what.to_string()));
}

/// Prints one line on standard error, whatever characters a reason, a name or a path in it has.
#[expect(clippy::print_stderr, reason = "this is what it is for")]
fn say_line(what: impl std::fmt::Display) {
    eprintln!("{}", taskscope::text::OneLine(what.to_string()));
}

/// Panics at the caller's line.
#[cold]
#[track_caller]
fn fail(leaks: &Leaks) -> ! {
    panic!("{leaks}")
}

/// Functions and types for the macros of this crate.
#[doc(hidden)]
pub mod __private {
    pub use tokio::runtime::Builder;
    #[cfg(tokio_unstable)]
    pub use tokio::runtime::UnhandledPanic;

    pub use crate::harness::{Flavor, Setup, TestOutput, run_test, run_test_on};

    /// Names the check after the function that the closure is in.
    pub fn in_test<F>(options: crate::Options, _here: &F) -> crate::Options {
        let path = std::any::type_name::<F>();
        options.test_or(path.split("::{{closure}}").next().unwrap_or(path))
    }

    /// Panics at the caller's line.
    #[cold]
    #[track_caller]
    pub fn fail(leaks: &crate::Leaks) -> ! {
        crate::fail(leaks)
    }
}

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
