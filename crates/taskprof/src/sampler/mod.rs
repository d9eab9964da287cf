//! The interface of CPU samplers: started, they interrupt running threads, and are collected again
//! and again.
//!
//! Captures (`cpu/`) are above it, and the samplers below: ours in `thread.rs`, that of the crate
//! `pprof` in `pprof_rs.rs`. Raw samples are addresses, without names. Not here: who shares a
//! sampler (`cpu/session.rs`).

#[cfg(feature = "pprof-rs")]
mod pprof_rs;
mod thread;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "pprof-rs")]
pub use self::pprof_rs::PprofSampler;
pub use self::thread::ThreadSampler;
use crate::error::Error;

/// The default number of samples per second of CPU time.
///
/// Not 100, so that sampling does not run in step with work that happens every 10 ms. More gives
/// finer results for more overhead; fewer needs longer captures.
pub const DEFAULT_HZ: i32 = 99;

/// Interrupts running threads and records their stacks.
pub trait Sampler: Send + Sync {
    /// Starts sampling the whole process at `hz` samples per second of CPU time.
    ///
    /// May block for a noticeable time: call it off async workers.
    ///
    /// # Errors
    ///
    /// [`is_invalid_argument`](Error::is_invalid_argument) for a frequency that the sampler cannot
    /// honour, [`is_sampler`](Error::is_sampler) if it cannot start, for example because somebody
    /// else samples.
    fn start(&self, hz: i32) -> Result<Box<dyn Running>, Error>;

    /// Checks a frequency before anything is started.
    ///
    /// # Errors
    ///
    /// [`is_invalid_argument`](Error::is_invalid_argument) if the sampler cannot honour it. The
    /// default takes every frequency.
    fn check(&self, hz: i32) -> Result<(), Error> {
        let _ = hz;
        Ok(())
    }
}

/// A sampler at work. Dropping it stops the sampler and throws away what was not collected.
#[must_use = "dropping it stops the sampler and discards its samples; call `collect` to get them"]
pub trait Running: Send {
    /// Hands over the samples since the start or the last call, and goes on sampling. May block:
    /// call it off async workers.
    ///
    /// # Errors
    ///
    /// [`is_sampler`](Error::is_sampler) if the samples cannot be read.
    fn collect(&mut self, each: &mut dyn FnMut(RawSample<'_>)) -> Result<Collected, Error>;

    /// Changes the frequency while it runs. False, the default, says that this sampler cannot, and
    /// has to be restarted.
    fn set_hz(&mut self, hz: i32) -> bool {
        let _ = hz;
        false
    }

    /// How often it has to be collected: once a second by default, and whenever a capture begins or
    /// ends.
    fn collect_every(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Sentences about this sampler as of now, such as the timers it uses. Called once a second,
    /// and when a capture ends.
    fn comments(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A stack, and how much CPU time it stands for.
#[derive(Debug, Clone, Copy)]
pub struct RawSample<'a> {
    /// Addresses, leaf first, as [`Frame::Address`](crate::profile::Frame::Address) has them:
    /// return addresses, and the interrupted program counter plus one. The sampler's own frames are
    /// cut off.
    pub frames: &'a [usize],
    /// How far the stack was walked.
    pub end: StackEnd,
    /// How many periods the sample stands for.
    pub count: u64,
    /// How much CPU time the sample stands for.
    pub cpu: Duration,
    /// The name of the thread; empty if it has none.
    pub thread: &'a Arc<str>,
    /// The task that the thread was polling, if there was one and the sampler knows.
    pub task: Option<&'a Arc<TaskLabels>>,
    /// The request it was for, if that is known.
    pub request: Option<&'a Arc<RequestIds>>,
}

/// How far a stack was walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum StackEnd {
    /// To the first function of the thread.
    #[default]
    Root,
    /// Deeper than the sampler records: frames at the root are missing.
    Deep,
    /// The unwinder lost its way: callers are missing.
    Lost,
}

/// Labels of the task that a sample belongs to. Equal for tasks that are alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct TaskLabels {
    /// The task's name.
    pub name: Option<Arc<str>>,
    /// Where it was spawned, as `file:line:column`.
    pub site: Option<Arc<str>>,
    /// The name of its scope.
    pub scope: Option<Arc<str>>,
    /// The route of its request: the scope's label of this name, or the scope's name.
    pub route: Option<Arc<str>>,
    /// Whether it is a closure on the blocking pool instead of a future.
    pub blocking: bool,
}

/// The request that a task works for. Apart from [`TaskLabels`], because every request has its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct RequestIds {
    /// The trace that the request belongs to.
    pub trace_id: Option<Arc<str>>,
    /// The request's own number.
    pub request_id: Option<Arc<str>>,
}

/// Figures about the time since the last collection.
#[derive(Debug, Clone, Default)]
pub struct Collected {
    /// CPU time that all threads used, if it is known: it says how many samples there should be.
    pub cpu_time: Option<Duration>,
    /// Samples that are missing, by reason.
    pub lost: Vec<(Cow<'static, str>, u64)>,
    /// CPU time of threads that have ended without ever being sampled.
    pub unseen: Duration,
    /// Samples that were handed over without their task, because it had ended too long ago.
    pub unnamed: u64,
}
