//! The stack of another thread of this process, taken while that thread is blocked, asleep or
//! spinning.
//!
//! A thread that is blocked in a system call does not touch its stack, and is read from outside:
//! [`capture_blocked`]. It is not interrupted, because some calls return early when a signal
//! arrives.
//!
//! A running thread has to be interrupted. [`Signal::claim`] takes a signal that nothing in the
//! process uses, and [`Signal::capture_thread`] sends it to one thread, unless that is blocked. The
//! handler there only copies the registers and the used part of the stack into memory that is never
//! freed, and lets the thread go on.
//!
//! Either way the asking thread does the walk, on a copy. So nothing that walking needs (caches,
//! tables, an allocator) can be in the wrong state because of what was interrupted: `malloc`,
//! `dlopen` or a capture.
//!
//! Only on 64-bit Linux on x86 and ARM; elsewhere every claim is refused.
//!
//! # Examples
//!
//! ```
//! # #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use callstack::Completeness;
//! use callstack::thread::{Signal, Tid};
//!
//! let signal = Signal::claim()?; // Once, at the start of the program.
//!
//! let (notify, notified) = std::sync::mpsc::channel();
//! let (stop, stopped) = std::sync::mpsc::channel::<()>();
//! let blocked = std::thread::spawn(move || {
//!     let _ = notify.send(Tid::current());
//!     let _ = stopped.recv();
//! });
//!
//! let mut frames = Vec::new();
//! let thread = notified.recv()?;
//! let completeness = signal.capture_thread(thread, Duration::from_secs(10), &mut frames)?;
//! assert_eq!(completeness, Completeness::Complete);
//! let stack = callstack::Stack::intern(&frames);
//! for symbol in stack.symbols() {
//!     println!("{:?}", symbol.name);
//! }
//! # drop(stop);
//! # blocked.join().unwrap();
//! # Ok(())
//! # }
//! # #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
//! # fn main() {}
//! ```

// This file owns the public types; `linux` owns the signal, the handler and what they share. Not
// here: how a stack is walked (`crate::unwind`), and who should be captured when.
mod blocked;
mod call;
mod error;
#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(crate) mod linux;
#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
#[path = "unsupported.rs"]
pub(crate) mod linux;

use std::fmt;
use std::time::Duration;

pub use blocked::Blocked;
pub use call::SystemCall;
pub use error::{CaptureError, ClaimError, NoAnswerReason, NotBlocked};

use crate::Completeness;

/// A thread of this process, by the number that the kernel gave it: what `top -H` and
/// `/proc/self/task` show.
///
/// The number of a thread that has ended may be given to a new one. Code that keeps a number for
/// long should make sure that it is still the same thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tid(u32);

impl Tid {
    /// The calling thread; 0 on platforms where nothing can be captured. A system call.
    pub fn current() -> Self {
        Self(linux::current_tid())
    }

    /// A thread by the kernel's number. A number that belongs to no thread of this process does no
    /// harm.
    pub const fn from_raw(tid: u32) -> Self {
        Self(tid)
    }

    /// The kernel's number.
    pub const fn as_raw(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Appends the stack of a thread that is blocked in a system call to `out`, leaf first, up to the
/// first function of the thread. The thread is not interrupted and does not notice.
///
/// The entries are as [`Signal::capture_thread`] says.
///
/// # Errors
///
/// [`NotBlocked`]: the thread is running, went on meanwhile, or has ended, or the system does not
/// tell. `out` is unchanged then.
///
/// # Overhead
///
/// Some 20 to 50 microseconds in the calling thread: four small files of `/proc`, a copy of 16 KiB
/// of the stack (more if it is deeper), and the walk.
///
/// # Limitations
///
/// Reads `/proc/self/task`, for which it needs a file descriptor for a moment. Where `/proc` is not
/// mounted, in a process that may not be dumped (`PR_SET_DUMPABLE`), and in sandboxes without
/// `/proc/self/task/N/syscall`, every thread is [`NotBlocked::Unreadable`]; so is one that called
/// from code that is not of a known module.
///
/// Only two registers are known: the stack pointer and the instruction. On x86-64 the frame pointer
/// of a function that needs it is worked out from the function's first instructions, and checked;
/// where that fails (a function with `alloca`) the stack ends there, as [`Completeness::Broken`].
/// On ARM the link register and the frame pointer are not known: a stack whose innermost function
/// does not store them has one entry, and is broken.
///
/// At most [`MAX_FRAMES`](crate::MAX_FRAMES) frames and 1 MiB of the stack, as in `capture_thread`.
///
/// # Examples
///
/// ```
/// # #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use callstack::thread::{NotBlocked, Tid, capture_blocked};
///
/// let (notify, notified) = std::sync::mpsc::channel();
/// let (stop, stopped) = std::sync::mpsc::channel::<()>();
/// let blocked = std::thread::spawn(move || {
///     let _ = notify.send(Tid::current());
///     let _ = stopped.recv();
/// });
/// let thread = notified.recv()?;
///
/// let mut frames = Vec::new();
/// let blocked_in = loop {
///     match capture_blocked(thread, &mut frames) {
///         Ok(blocked) => break blocked.call,
///         Err(NotBlocked::Running | NotBlocked::Moved) => continue,
///         Err(error) => return Err(error.into()),
///     }
/// };
/// assert_eq!(blocked_in.to_string(), "futex");
/// # drop(stop);
/// # blocked.join().unwrap();
/// # Ok(())
/// # }
/// # #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
/// # fn main() {}
/// ```
pub fn capture_blocked(thread: Tid, out: &mut Vec<usize>) -> Result<Blocked, NotBlocked> {
    linux::capture_blocked(thread.0, out)
}

/// How many system calls have returned `EINTR` because of a capture, since the process began.
///
/// A signal is only sent to a thread that is not in a system call, so this counts threads that have
/// entered one in the microseconds between the check and the signal, as far as they could not be
/// [sent back](Signal::capture_thread) into it.
pub fn interrupted_calls() -> u64 {
    linux::interrupted_calls()
}

/// The signal that this process has set aside for captures of its threads, with our handler
/// installed.
///
/// A process has at most one; all copies are the same. It is kept until the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal(linux::Claimed);

impl Signal {
    /// Takes a signal that is not in use, or returns the one that was taken before.
    ///
    /// Tries the realtime signals downwards from `SIGRTMAX`; the first eight from `SIGRTMIN` on are
    /// left to runtimes and garbage collectors. A signal counts as used if it has a handler, is
    /// ignored, or is blocked in the calling thread (a thread waits for it with `sigwait` or
    /// `signalfd`). `SIGPROF` and all others that have a meaning of their own are never taken.
    ///
    /// Call it once at the start of the program, after whatever installs signal handlers.
    ///
    /// # Errors
    ///
    /// [`ClaimError`], which says what to do: no signal is free, the system forbids what is needed,
    /// or the platform is not supported.
    ///
    /// # Overhead
    ///
    /// Some system calls; the first call in a process also reads the list of loaded modules (some
    /// hundred microseconds).
    ///
    /// # Limitations
    ///
    /// Needs the system calls `process_vm_readv` and `tgkill`; the common seccomp profiles of
    /// containers and services let a process read itself. The library that contains this code must
    /// not be unloaded from then on.
    pub fn claim() -> Result<Self, ClaimError> {
        linux::claim(None).map(Self)
    }

    /// Takes the signal that the application chooses: a realtime signal, `SIGUSR1` or `SIGUSR2`.
    ///
    /// # Errors
    ///
    /// As [`claim`](Self::claim), and if the signal is in use, or another one has been claimed
    /// already. Nothing has changed then.
    pub fn claim_number(number: i32) -> Result<Self, ClaimError> {
        linux::claim(Some(number)).map(Self)
    }

    /// The number of the signal.
    pub fn number(self) -> i32 {
        self.0.number()
    }

    /// Appends the stack of `thread` to `out`, leaf first, up to the first function of the thread.
    /// One that is running is interrupted for some microseconds; one that is blocked in a system
    /// call is read as by [`capture_blocked`].
    ///
    /// The first entry is the instruction that the thread will go on with, **plus one**; all others
    /// are return addresses. So every entry can be treated alike: [`symbolize`](crate::symbolize)
    /// and [`Stack`](crate::Stack) subtract one from each to get into the instruction. No frame of
    /// this crate is in the stack, unless the thread was busy in it.
    ///
    /// Code is known as of the last [`refresh`](crate::refresh); call it before a series of
    /// captures. It is not called here, because it waits for the dynamic loader, which may be what
    /// `thread` is blocked in.
    ///
    /// # Errors
    ///
    /// [`CaptureError`]: the thread has ended, does not answer within `timeout` (and
    /// [why](NoAnswerReason)), captures by other threads have taken all of `timeout`, another
    /// handler was installed for our signal; or it is in a system call that a signal might end, and
    /// nothing could be read without one. `out` is unchanged then. A thread that answers after the
    /// time is up finds the request withdrawn and does nothing.
    ///
    /// A timeout of 100 ms is ample for a thread that gets any CPU time.
    ///
    /// # Overhead
    ///
    /// The interrupted thread: a signal and one or two system calls, some microseconds in all, and
    /// about 100 ns for every 4 KiB of its stack that are in use. The calling thread: the same,
    /// plus reading the thread's state from `/proc` and the walk. A process keeps up to 1 MiB for
    /// the copy, as much as the deepest captured stack needed.
    ///
    /// # Limitations
    ///
    /// Some system calls return early with `EINTR` after any signal handler (`man 7 signal`):
    /// `nanosleep`, `poll`, `epoll_wait`, `sigtimedwait`, `semop`, `msgrcv`, socket calls with a
    /// timeout, waits for a futex with one. So a thread that is in a system call gets no signal;
    /// with two exceptions, which the kernel starts again for certain: a wait for a futex without a
    /// timeout (mutexes, conditions, parked threads), and for a child, if the stack could not be
    /// read as a whole otherwise.
    ///
    /// A running thread may enter such a call in the microseconds between the check and the signal.
    /// It is then sent back into the call by the handler, as if the signal had come before: on
    /// x86-64, where the instruction before the call loads its number, as in most functions of the
    /// C library, but not in `syscall`. A call that could not be resumed returns `EINTR` and is
    /// [counted](interrupted_calls).
    ///
    /// At most [`MAX_FRAMES`](crate::MAX_FRAMES) frames and 1 MiB of the stack, counted from the
    /// leaf; if there was more, the result is [`Completeness::Truncated`]. A thread that is itself
    /// in a signal handler is seen up to that handler, which is [`Completeness::Broken`]. Code
    /// without unwind tables is walked by frame pointers. There are a few instructions for which no
    /// table can tell where the caller is: while a panic is being thrown, and where a function with
    /// a frame of more than a page makes room for it. A thread that is caught there may lack frames
    /// in the middle of its stack, which cannot be noticed.
    ///
    /// The handler runs on the alternate signal stack of the thread if there is one, as for every
    /// thread of a Rust program; otherwise it needs about 4 KiB of the thread's own stack. Waits,
    /// allocates and takes locks in the calling thread: not for signal handlers. In a child after
    /// `fork` that was made during a capture, captures may fail as [`CaptureError::Busy`].
    pub fn capture_thread(
        self,
        thread: Tid,
        timeout: Duration,
        out: &mut Vec<usize>,
    ) -> Result<Completeness, CaptureError> {
        linux::capture(self.0, thread.0, timeout, out)
    }
}
