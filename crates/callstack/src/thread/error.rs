//! The errors of claims and captures, with messages that say what to do.

use std::error::Error;
use std::fmt;
use std::io;

use super::call::SystemCall;

/// Why no signal could be claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimError {
    /// Only 64-bit Linux on x86 and ARM can capture other threads.
    NotSupported,
    /// Every realtime signal is in use.
    NoneFree,
    /// The signal that was asked for is in use.
    Taken {
        /// Its number.
        number: i32,
    },
    /// The signal that was asked for is not one for applications to choose.
    Unsuitable {
        /// Its number.
        number: i32,
    },
    /// This process has claimed another signal before.
    AlreadyClaimed {
        /// The one it has claimed.
        number: i32,
    },
    /// The system does not let this process read its own memory by `process_vm_readv`.
    NotPermitted,
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSupported => f.write_str(
                "capturing other threads is not supported here: it needs 64-bit Linux on x86 or ARM",
            ),
            Self::NoneFree => f.write_str(
                "no realtime signal is free: each has a handler, is ignored or is blocked in this thread; \
                 free one and choose it with Signal::claim_number",
            ),
            Self::Taken { number } => write!(
                f,
                "signal {number} is in use: it has a handler, is ignored or is blocked in this thread; \
                 choose another one, or let Signal::claim find one",
            ),
            Self::Unsuitable { number } => write!(
                f,
                "signal {number} cannot be used for captures; choose a realtime signal (SIGRTMIN to SIGRTMAX), SIGUSR1 or SIGUSR2",
            ),
            Self::AlreadyClaimed { number } => write!(
                f,
                "this process has claimed signal {number} already and keeps it; use that one, or claim the other one first",
            ),
            Self::NotPermitted => f.write_str(
                "this process may not read its own memory by process_vm_readv; \
                 permit that system call in its seccomp profile",
            ),
        }
    }
}

impl Error for ClaimError {}

/// Why a thread was not captured.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CaptureError {
    /// There is no such thread in this process (any more).
    Gone,
    /// The thread did not answer in time. The signal stays pending there and does nothing when it
    /// is delivered; no second one is sent for as long as it is pending.
    NoAnswer {
        /// The reason, if it is known.
        reason: NoAnswerReason,
    },
    /// The thread is blocked in a system call that a signal might end, and its stack could not be
    /// read without one.
    InCall {
        /// The call.
        call: SystemCall,
    },
    /// The system does not show what the thread is doing, so a signal might end a system call: none
    /// was sent.
    Unreadable,
    /// Captures by other threads, or a late answer to one of them, took all the time.
    Busy,
    /// Another handler was installed for our signal. Nothing was sent, and that handler was left
    /// alone.
    HandlerReplaced {
        /// The number of the signal.
        number: i32,
    },
    /// Too many signals are pending for the user of this process.
    QueueFull,
    /// The system refused to send the signal.
    NotSent {
        /// The error number.
        errno: i32,
    },
}

/// Why a thread did not answer, as far as `/proc` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoAnswerReason {
    /// The thread blocks the signal.
    Blocked,
    /// The thread waits in the kernel and cannot be interrupted (state `D`): most often for a disk.
    Uninterruptible,
    /// The thread was stopped, by a debugger or by `SIGSTOP`.
    Stopped,
    /// No reason was found. Perhaps the thread got no CPU time.
    Unknown,
}

impl fmt::Display for NoAnswerReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocked => "the thread blocks the signal",
            Self::Uninterruptible => "the thread waits in the kernel and cannot be interrupted",
            Self::Stopped => "the thread is stopped",
            Self::Unknown => "no reason was found",
        })
    }
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("the thread has ended"),
            Self::NoAnswer { reason } => {
                write!(f, "the thread did not answer in time: {reason}")
            }
            Self::InCall { call } => {
                write!(f, "the thread is in {call}, which a signal would end")
            }
            Self::Unreadable => f.write_str(
                "/proc/self/task/N/syscall cannot be read here, so a signal might end a system call of the thread",
            ),
            Self::Busy => f.write_str("other captures took all the time; try again"),
            Self::HandlerReplaced { number } => write!(
                f,
                "somebody has replaced the handler of signal {number}; \
                 give them another signal, or choose one that they leave alone with Signal::claim_number",
            ),
            Self::QueueFull => f.write_str(
                "too many signals are pending for this user; see RLIMIT_SIGPENDING (ulimit -i)",
            ),
            Self::NotSent { errno } => {
                let error = io::Error::from_raw_os_error(*errno);
                write!(f, "the signal could not be sent: {error}")
            }
        }
    }
}

impl Error for CaptureError {}

/// Why the stack of a thread could not be read without a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotBlocked {
    /// There is no such thread in this process (any more).
    Gone,
    /// The thread is running or about to, or it is the calling one.
    Running,
    /// The thread was blocked, and went on before its stack was read.
    Moved,
    /// The system does not show what the thread is doing, or this platform is not supported.
    Unreadable,
}

impl fmt::Display for NotBlocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "the thread has ended",
            Self::Running => "the thread is running",
            Self::Moved => "the thread went on while its stack was being read",
            Self::Unreadable => "the system does not tell what the thread is doing",
        })
    }
}

impl Error for NotBlocked {}
