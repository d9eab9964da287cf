//! What a CPU sampler is: something that is started, runs by itself, and gives raw stacks when it is stopped.
//!
//! The seam between the capture (`cpu.rs`) and whatever interrupts threads and unwinds (`pprof_sampler.rs`). Raw means
//! addresses: no names, no profile. Not here: who may sample at what time (`slot.rs`).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::error::Error;
pub use crate::pprof_sampler::PprofSampler;

/// How many samples a second of CPU time gives, unless told otherwise.
///
/// Not 100, so that sampling does not run in step with work that happens every 10 ms. More gives finer results for more
/// overhead, up to the tick of the kernel (often 250 a second), above which samples are lost; fewer needs longer captures.
pub const DEFAULT_HZ: i32 = 99;

/// Interrupts running threads and records their stacks.
pub trait Sampler: Send + Sync {
    /// Starts sampling the whole process at `hz` samples per second of CPU time.
    ///
    /// May block for a noticeable time: call it off async workers.
    ///
    /// # Errors
    ///
    /// [`is_invalid_argument`](Error::is_invalid_argument) for a frequency that the sampler cannot honour,
    /// [`is_sampler`](Error::is_sampler) if it cannot start, for example because somebody else samples.
    fn start(&self, hz: i32) -> Result<Box<dyn Running>, Error>;
}

/// A sampler at work. Dropping it stops the sampler and throws the samples away.
#[must_use = "dropping it stops the sampler and discards its samples; call `stop` to get them"]
pub trait Running: Send {
    /// Returns what was recorded since the start or the last lap, and goes on sampling. `None`, which is the default: this sampler cannot do
    /// that, or not just now, and must be stopped and started anew. May block: call it off async workers.
    ///
    /// # Errors
    ///
    /// [`is_sampler`](Error::is_sampler) if the samples cannot be read.
    fn lap(&mut self) -> Result<Option<RawProfile>, Error> {
        Ok(None)
    }

    /// Stops sampling and returns what was recorded. May block: call it off async workers.
    ///
    /// # Errors
    ///
    /// [`is_sampler`](Error::is_sampler) if the samples cannot be read. The sampler is stopped all the same.
    fn stop(self: Box<Self>) -> Result<RawProfile, Error>;
}

/// What a sampler recorded between start and stop.
#[derive(Debug, Clone)]
pub struct RawProfile {
    /// Every distinct stack.
    pub stacks: Vec<RawStack>,
    /// When it was started.
    pub started: SystemTime,
    /// Wall-clock time from start to stop.
    pub duration: Duration,
    /// CPU time between two samples.
    pub period: Duration,
    /// CPU time that the process used between start and stop, if it is known; with `period` it says how many samples
    /// there should have been.
    pub cpu_time: Option<Duration>,
    /// Sentences about what this sampler could not see.
    pub remarks: Vec<String>,
}

impl RawProfile {
    /// How many samples were recorded.
    pub fn recorded(&self) -> u64 {
        self.stacks.iter().map(|stack| stack.count).sum()
    }

    /// How many samples the CPU time used should have given; `None` if the CPU time is not known.
    ///
    /// A difference of one or two is the phase of the timer; a larger one means that samples were lost.
    pub fn expected(&self) -> Option<u64> {
        let period = self.period.as_nanos();
        let cpu = self.cpu_time?.as_nanos();
        u64::try_from(cpu.checked_div(period)?).ok()
    }
}

/// A stack and how often it was met.
#[derive(Debug, Clone)]
pub struct RawStack {
    /// Addresses, leaf first, as [`Frame::Address`](crate::profile::Frame::Address) has them: return addresses, and the
    /// interrupted program counter plus one. The sampler's own frames are cut off.
    pub frames: Vec<usize>,
    /// True if the stack was deeper than the sampler records: frames at the root are missing.
    pub truncated: bool,
    /// How many samples had this stack.
    pub count: u64,
    /// The name of the thread; empty if it has none.
    pub thread: Arc<str>,
}
