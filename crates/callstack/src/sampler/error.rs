//! The error of a sampler that cannot start, with messages that say what to do.

use std::error::Error;
use std::fmt;
use std::io;

/// The reason why the sampler did not start.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// Only 64-bit Linux on x86 and ARM can be sampled.
    NotSupported,
    /// A sampler is running in this process.
    Busy,
    /// The frequency is 0 or above [`MAX_HZ`](super::MAX_HZ).
    Frequency {
        /// The frequency that was asked for.
        hz: u32,
    },
    /// `SIGURG` has a handler, and no realtime signal is free.
    NoSignal,
    /// The kernel does not allow the kind of timer that was asked for, or none at all.
    NoTimer {
        /// The error number.
        errno: i32,
    },
    /// There is no memory for the samples.
    NoMemory,
    /// This process was forked from one whose sampler was at work that very moment.
    Forked,
}

impl StartError {
    /// Whether another sampler is running in this process.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self, StartError::Busy)
    }

    /// Whether this is a forked process that cannot be sampled.
    #[must_use]
    pub fn is_forked(&self) -> bool {
        matches!(self, StartError::Forked)
    }

    /// Whether this platform cannot be sampled at all.
    #[must_use]
    pub fn is_not_supported(&self) -> bool {
        matches!(self, StartError::NotSupported)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::NotSupported => f.write_str(
                "sampling processor time is not supported here: it needs 64-bit Linux on x86 or ARM",
            ),
            StartError::Busy => {
                f.write_str("a sampler is running in this process; stop it, or share it")
            }
            StartError::Frequency { hz } => write!(
                f,
                "{hz} samples a second are out of range; choose 1 to {}",
                super::MAX_HZ
            ),
            StartError::NoSignal => f.write_str(
                "no signal is free: SIGURG has a handler of the application, and so has every realtime signal",
            ),
            StartError::NoTimer { errno } => write!(
                f,
                "the kernel gives no timer for samples: {}; permit perf_event_open or timer_create",
                io::Error::from_raw_os_error(*errno)
            ),
            StartError::NoMemory => f.write_str("there is no memory for samples"),
            StartError::Forked => f.write_str(
                "this process was forked while its parent's sampler was at work, and cannot be sampled; \
                 fork before, or execute a program",
            ),
        }
    }
}

impl Error for StartError {}
