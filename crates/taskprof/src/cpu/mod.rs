//! The CPU source: samples the process for a while and makes a profile of it.
//!
//! Owns the capture through code. Not here: how several captures share one sampler (`share.rs`), how threads are interrupted
//! (`pprof_sampler.rs`), any format.

mod profile;
mod recorded;
mod share;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

pub use self::profile::TRUNCATED;
pub use self::share::MAX_ASKERS;
use crate::error::Error;
use crate::offload::{self, Wanted};
use crate::profile::Profile;
use crate::sampler::{DEFAULT_HZ, PprofSampler, RawProfile, Sampler};
use crate::warm;

/// The longest capture: five minutes are enough for any average.
pub const MAX_DURATION: Duration = Duration::from_secs(300);

/// How long a capture takes if nobody says: what Go's endpoint does.
pub const DEFAULT_DURATION: Duration = Duration::from_secs(30);

/// One for all captures that name no other, so that they share it.
static PPROF: LazyLock<Arc<dyn Sampler>> = LazyLock::new(|| Arc::new(PprofSampler::new()));

/// Captures a CPU profile of the process: [`PprofSampler`] at [`DEFAULT_HZ`].
///
/// Short for `taskprof::cpu().duration(duration).capture()`, see [`Cpu::capture`].
///
/// # Errors
///
/// As [`Cpu::capture`].
pub async fn capture(duration: Duration) -> Result<Profile, Error> {
    Cpu::new().duration(duration).capture().await
}

/// A CPU capture, configured.
#[derive(Clone)]
#[must_use = "nothing is captured until `capture` is called"]
pub struct Cpu {
    sampler: Arc<dyn Sampler>,
    hz: i32,
    duration: Duration,
}

impl std::fmt::Debug for Cpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cpu")
            .field("hz", &self.hz)
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new()
    }
}

impl Cpu {
    /// [`PprofSampler`] at [`DEFAULT_HZ`], for [`DEFAULT_DURATION`].
    pub fn new() -> Self {
        Self::with(Arc::clone(&PPROF))
    }

    /// Another sampler, at [`DEFAULT_HZ`], for [`DEFAULT_DURATION`]. Clones share it, and nothing else does.
    pub fn with_sampler(sampler: impl Sampler + 'static) -> Self {
        Self::with(Arc::new(sampler))
    }

    fn with(sampler: Arc<dyn Sampler>) -> Self {
        Cpu {
            sampler,
            hz: DEFAULT_HZ,
            duration: DEFAULT_DURATION,
        }
    }

    /// Samples per second of CPU time; see [`DEFAULT_HZ`] for what more and fewer cost.
    pub fn hz(mut self, hz: i32) -> Self {
        self.hz = hz;
        self
    }

    /// How long to sample, in seconds. The default is [`DEFAULT_DURATION`].
    pub fn seconds(self, seconds: u64) -> Self {
        self.duration(Duration::from_secs(seconds))
    }

    /// How long to sample. The default is [`DEFAULT_DURATION`].
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }

    /// Samples the process for as long as was asked for.
    ///
    /// The profile has the columns `samples`/`count` and `cpu`/`nanoseconds` and a label `thread` with the thread's name.
    /// A comment says how many samples the CPU time used should have given and how many there are, and why there are
    /// none if there are none. Names have been looked up when the future completes, so writing is fast.
    ///
    /// Captures that overlap share one sampler, up to [`MAX_ASKERS`] at a time, and each gets what was sampled in its own time. When one begins or
    /// ends, the sampler is started anew for the others; a comment says how often, and how much time that took.
    ///
    /// Starting, waiting and stopping happen on a thread `taskprof-cpu`, looking up names on `taskprof-work`. No runtime is needed: the future
    /// may be awaited on any executor.
    ///
    /// # Errors
    ///
    /// [`is_busy`](Error::is_busy) if a capture with another sampler or another frequency is running in this process, or too many are,
    /// [`is_invalid_argument`](Error::is_invalid_argument) if the duration is zero or above [`MAX_DURATION`] or the sampler
    /// does not like the frequency, [`is_sampler`](Error::is_sampler) if the sampler fails.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the capture at once, without anybody waiting for it. If nobody else asks, the sampler stops and the samples are
    /// discarded; a capture with another sampler that is asked for in the meantime waits those milliseconds and is not refused.
    ///
    /// # Overhead
    ///
    /// That of the sampler; see [`PprofSampler`].
    pub async fn capture(self) -> Result<Profile, Error> {
        let duration = self.duration;
        if duration.is_zero() || duration > MAX_DURATION {
            return Err(Error::invalid_argument(format!(
                "a capture of {duration:?} is out of range; choose more than nothing and at most {} seconds",
                MAX_DURATION.as_secs()
            )));
        }
        warm::symbols();
        let recorded = share::record(&self.sampler, self.hz, duration).await?;
        offload::work("taskprof-names", move |wanted| {
            let Some(raw) = &recorded.raw else {
                return Err(Error::sampler("the sampler recorded nothing at all"));
            };
            let profile = profile::profile(&recorded, raw, self.hz);
            look_up(raw, wanted);
            Ok(profile)
        })
        .await?
    }
}

/// Fills the symbol cache, so that writers find every name there.
fn look_up(raw: &RawProfile, wanted: &Wanted) {
    for stack in &raw.stacks {
        if !wanted.is_wanted() {
            return;
        }
        for &address in &stack.frames {
            callstack::symbolize(address);
        }
    }
}
