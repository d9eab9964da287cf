//! The watchdog: catches tasks that stay in one poll for too long.
//!
//! Here is its configuration. Not here: how it works (`thread.rs`), how another thread's stack is
//! taken (callstack), how a dump shows it ([`crate::dump`]).

mod thread;

use std::fmt;
use std::time::Duration;

use callstack::thread::ClaimError;

pub(crate) use self::thread::{catch_late, check, threshold};
use crate::verdict::BLOCKING_THRESHOLD;

/// Configuration of the watchdog, which runs by itself and takes stacks of polls that take too
/// long.
///
/// A task that is in one poll for longer than the threshold keeps its worker from everything else.
/// Dumps call it `blocking`, and show the native stack of its thread, taken while it was blocked:
/// [`TaskDump::long_poll`](crate::TaskDump::long_poll).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// taskscope::Watchdog::new().threshold(Duration::from_millis(20)).install()?;
/// # Ok::<(), taskscope::watchdog::WatchdogError>(())
/// ```
///
/// # Overhead
///
/// None for tasks. The stack of a thread is taken once for each long poll: from outside if the
/// thread is in a system call, else by a signal that interrupts it for some microseconds.
///
/// # Limitations
///
/// A blocked thread's calls return what they would return without the watchdog: `poll`, `sleep`, a
/// read from a socket with a timeout and others end early if a signal arrives, so a thread that is
/// in any system call is not interrupted ([`callstack::thread`] says what remains). Where its stack
/// cannot be read from outside, the dump names the call instead.
///
/// Stacks need 64-bit Linux on x86 or ARM. A task in `block_in_place` counts as blocking, too; one
/// on the blocking pool does not.
#[derive(Debug, Clone)]
#[must_use = "nothing changes until `install` is called"]
pub struct Watchdog {
    threshold: Duration,
    stacks: bool,
    signal: Option<i32>,
}

impl Default for Watchdog {
    fn default() -> Self {
        Watchdog::new()
    }
}

impl Watchdog {
    /// The default: [`BLOCKING_THRESHOLD`], with stacks, by a realtime signal that nobody uses.
    pub fn new() -> Watchdog {
        Watchdog {
            threshold: BLOCKING_THRESHOLD,
            stacks: true,
            signal: None,
        }
    }

    /// Sets how long a poll may take. The default is [`BLOCKING_THRESHOLD`]. A longer poll is
    /// noticed some 10 ms later, so a threshold below that makes no sense.
    pub fn threshold(mut self, threshold: Duration) -> Watchdog {
        self.threshold = threshold;
        self
    }

    /// The threshold that is in force in this process: [`BLOCKING_THRESHOLD`] until a watchdog with
    /// another one is [installed](Watchdog::install).
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(taskscope::Watchdog::active_threshold(), taskscope::verdict::BLOCKING_THRESHOLD);
    /// ```
    #[must_use]
    pub fn active_threshold() -> Duration {
        thread::threshold()
    }

    /// Sets whether the stack of a blocked thread is taken, for which a thread that is running gets
    /// a signal. The default is yes.
    pub fn stacks(mut self, stacks: bool) -> Watchdog {
        self.stacks = stacks;
        self
    }

    /// Sets the signal: a realtime signal, `SIGUSR1` or `SIGUSR2`, that the application does not
    /// use. The default is the highest realtime signal that is free when it is first needed.
    pub fn signal(mut self, number: i32) -> Watchdog {
        self.signal = Some(number);
        self
    }

    /// Applies the configuration to the whole process, from now on.
    ///
    /// # Errors
    ///
    /// If stacks are switched on and the signal cannot be had: it says why. Then nothing has
    /// changed.
    pub fn install(self) -> Result<(), WatchdogError> {
        crate::install();
        thread::apply(&self).map_err(WatchdogError)
    }
}

/// Why the watchdog's configuration could not be applied.
#[derive(Debug)]
pub struct WatchdogError(ClaimError);

impl fmt::Display for WatchdogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the watchdog cannot take stacks of blocked threads")
    }
}

impl std::error::Error for WatchdogError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
