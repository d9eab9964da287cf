//! Samples the stacks of all threads of this process while they use processor time.
//!
//! Each thread has a timer of its own that runs on its processor time and sends it a signal. The
//! handler copies the registers and the used part of the stack into memory that was set aside
//! before, and reads a [`Label`]. Everything else (walking the copy, counting, crediting) is done
//! by the thread that calls [`Sampler::collect`]. So the handler takes no lock, allocates nothing,
//! calls no unwinder, and needs less than 2 KiB of the interrupted stack, or the alternate one if
//! there is one.
//!
//! The application keeps its signals. The sampler uses `SIGURG`, which does nothing by default, and
//! only if nobody has a handler for it; otherwise a realtime signal that nobody uses. `SIGPROF` and
//! `ITIMER_PROF` are never touched. When the sampler stops, the signal is as it was before.
//!
//! Two kinds of timers ([`TimerKind`]). With perf events the signal is only ever sent while a
//! thread runs its own code and never while it is in a system call, so no call returns `EINTR`
//! because of a sample. Processor time that a thread spends in the kernel is credited to its next
//! sample.
//!
//! Only on 64-bit Linux on x86 and ARM; elsewhere every start is refused.
//!
//! # Examples
//!
//! ```no_run
//! use callstack::sampler::{Options, Sampler};
//!
//! let mut sampler = Sampler::start(Options::default())?;
//! let end = std::time::Instant::now() + std::time::Duration::from_secs(1);
//! while std::time::Instant::now() < end {
//!     std::thread::sleep(std::time::Duration::from_millis(10));
//!     sampler.collect(&mut |sample| {
//!         println!("{}: {} frames", sample.thread, sample.frames.len());
//!     });
//! }
//! # Ok::<(), callstack::sampler::StartError>(())
//! ```

// This file owns the public types; `linux` owns the signal, the timers, the handler and what they
// share. Not here: names of functions, profiles, and who samples when.
mod error;
#[cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod linux;
#[cfg(not(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
#[path = "unsupported.rs"]
mod linux;

use std::fmt;
use std::time::Duration;

pub use error::StartError;

use crate::Completeness;
use crate::thread::Tid;

/// Two words that are read when a sample is taken. The caller gives them a meaning; `[0, 0]` is
/// none.
pub type Label = [u64; 2];

/// Samples per second of processor time, unless told otherwise.
///
/// Not 100, so that sampling does not run in step with work that happens every 10 ms.
pub const DEFAULT_HZ: u32 = 99;

/// The most samples per second of processor time that can be asked for.
pub const MAX_HZ: u32 = 10_000;

/// The most threads that are sampled at the same time; others are counted.
pub const MAX_THREADS: usize = 4096;

/// A kind of timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimerKind {
    /// A `perf_event_open` software event, `cpu-clock`, for user code. Exact at any frequency.
    /// Takes a file descriptor a thread (at most an eighth of those that the process may have; the
    /// other threads get the other kind). Many containers forbid it.
    PerfEvent,
    /// `timer_create` on the thread's processor clock, weighted by its overrun. The kernel looks at
    /// it once a tick (100 to 1,000 times a second), so it is coarse above that frequency, blind to
    /// threads that the tick itself wakes for less than a tick, and a sample may interrupt a system
    /// call. One that the kernel does not restart (`poll`, `nanosleep`) is entered again by the
    /// handler on x86-64, with its whole timeout; on ARM it can return `EINTR`.
    ThreadCpuTimer,
}

impl TimerKind {
    /// `perf event` or `thread timer`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TimerKind::PerfEvent => "perf event",
            TimerKind::ThreadCpuTimer => "thread timer",
        }
    }
}

/// The configuration of a sampler.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Samples per second of processor time, 1 to [`MAX_HZ`]. The default is [`DEFAULT_HZ`].
    pub hz: u32,
    /// The kind of timer. `None`, the default: perf events if the kernel allows them.
    pub timer: Option<TimerKind>,
    /// Called in the signal handler for each sample. Must be async-signal-safe: no lock, no
    /// allocation, no thread-local with a destructor. The default returns `[0, 0]`.
    pub label: fn() -> Label,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            hz: DEFAULT_HZ,
            timer: None,
            label: || [0, 0],
        }
    }
}

/// The running sampler. There is at most one in a process; dropping it stops it.
#[must_use = "dropping it stops the sampler"]
pub struct Sampler(linux::Running);

impl Sampler {
    /// Starts sampling all threads of this process. Blocks for some milliseconds.
    ///
    /// # Errors
    ///
    /// [`StartError`]: another sampler is running, no signal is free, the frequency is out of
    /// range, the kernel allows neither kind of timer, or this platform is not supported.
    ///
    /// # Overhead
    ///
    /// For each thread a system call or two now, and for each sample a signal (some microseconds)
    /// and a copy of the used stack (0.1 µs for 4 KiB). 32 MiB of address space are reserved the
    /// first time; as much of it is used as the deepest stacks take, and given back at the end.
    ///
    /// # Limitations
    ///
    /// The library that contains this code must not be unloaded from then on.
    pub fn start(options: Options) -> Result<Sampler, StartError> {
        if options.hz == 0 || options.hz > MAX_HZ {
            return Err(StartError::Frequency { hz: options.hz });
        }
        linux::start(options).map(Sampler)
    }

    /// Changes the frequency, at most [`MAX_HZ`]. Samples carry their own weight, so those of
    /// before and after can be added up.
    pub fn set_hz(&mut self, hz: u32) {
        self.0.set_hz(hz.clamp(1, MAX_HZ));
    }

    /// Passes on what was sampled since the last call, and arms threads that were started since.
    ///
    /// Call it every 10 to 20 ms: there is room for some hundred samples, and a sample without room
    /// is dropped and counted. `each` may allocate and take locks, but must not take long.
    pub fn collect(&mut self, each: &mut dyn FnMut(Sample<'_>)) -> Collected {
        self.0.collect(each)
    }

    /// The threads that are sampled now.
    #[must_use]
    pub fn threads(&self) -> Vec<ThreadTime> {
        self.0.threads()
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler").finish_non_exhaustive()
    }
}

/// One sample.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Sample<'a> {
    /// The thread that was interrupted.
    pub thread: Tid,
    /// The result of [`Options::label`].
    pub label: Label,
    /// The stack, leaf first. The first entry is the next instruction **plus one**, all others are
    /// return addresses, as in [`Signal::capture_thread`](crate::thread::Signal::capture_thread).
    pub frames: &'a [usize],
    /// Whether that is the whole stack. Missing frames are at the root.
    pub completeness: Completeness,
    /// How many periods of processor time this sample stands for; at least 1.
    pub count: u64,
    /// The processor time that it stands for: `count` periods.
    pub cpu: Duration,
}

/// The outcome of one [`Sampler::collect`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// Samples that were passed on.
    pub samples: u64,
    /// Samples since the last call that found no room, because nobody collected in time.
    pub dropped: u64,
    /// Signals since the last call that no timer of the sampler had sent.
    pub foreign: u64,
    /// Processor time of threads that ended since the last call without ever being sampled.
    pub unsampled: Duration,
    /// Threads that have a timer.
    pub threads: usize,
    /// Threads that have none, because the kernel gave none or there are too many.
    pub unarmed: usize,
}

/// A thread that is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThreadTime {
    /// The thread.
    pub thread: Tid,
    /// Its kind of timer.
    pub timer: TimerKind,
    /// The processor time it has used since it got its timer; since its start if it was started
    /// meanwhile.
    pub used: Duration,
    /// The part of that time that its samples stand for.
    pub credited: Duration,
}

/// Tells the sampler that the calling thread has just been started, so that it is sampled from now
/// on and not only after the sampler has next listed the threads. Nothing happens if no sampler is
/// running, or if it is busy just now. Never waits.
pub fn thread_started() {
    linux::thread_started();
}
