//! The CPU source: samples the process for a while and makes a profile of it.
//!
//! Owns the capture: one at a time, on a thread of its own, ended when the future is dropped. Not here: how threads are
//! interrupted (`pprof_sampler.rs`), who may capture when (`slot.rs`), any format.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::offload::{self, Wanted};
use crate::profile::{Frame, Label, Profile, Sample, SampleType};
use crate::sampler::{DEFAULT_HZ, PprofSampler, RawProfile, Running, Sampler};
use crate::slot;

/// The longest capture.
///
/// A capture keeps everybody else from capturing, so it must have an end; five minutes are enough for any average.
pub const MAX_DURATION: Duration = Duration::from_secs(300);

/// The root frame of a stack that was deeper than the sampler records.
pub const TRUNCATED: &str = "(stack cut here: deeper than the sampler records)";

/// Captures a CPU profile of the process: [`PprofSampler`] at [`DEFAULT_HZ`].
///
/// Short for `Cpu::new().capture(duration)`, see [`Cpu::capture`].
///
/// # Errors
///
/// As [`Cpu::capture`].
pub async fn capture(duration: Duration) -> Result<Profile, Error> {
    Cpu::new().capture(duration).await
}

/// A CPU capture, configured.
#[derive(Clone)]
pub struct Cpu {
    sampler: Arc<dyn Sampler>,
    hz: i32,
}

impl std::fmt::Debug for Cpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cpu")
            .field("hz", &self.hz)
            .finish_non_exhaustive()
    }
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new()
    }
}

impl Cpu {
    /// [`PprofSampler`] at [`DEFAULT_HZ`].
    pub fn new() -> Self {
        Self::with_sampler(PprofSampler::new())
    }

    /// Another sampler, at [`DEFAULT_HZ`].
    pub fn with_sampler(sampler: impl Sampler + 'static) -> Self {
        Cpu {
            sampler: Arc::new(sampler),
            hz: DEFAULT_HZ,
        }
    }

    /// Samples per second of CPU time; see [`DEFAULT_HZ`] for what more and fewer cost.
    #[must_use]
    pub fn hz(mut self, hz: i32) -> Self {
        self.hz = hz;
        self
    }

    /// Samples the process for this long.
    ///
    /// The profile has the columns `samples`/`count` and `cpu`/`nanoseconds` and a label `thread` with the thread's name.
    /// A comment says how many samples the CPU time used should have given and how many there are, and why there are
    /// none if there are none. Names have been looked up when the future completes, so writing is fast.
    ///
    /// Starting, waiting, stopping and looking up names run on a thread `taskprof-cpu`. No runtime is needed: the future
    /// may be awaited on any executor.
    ///
    /// # Errors
    ///
    /// [`is_busy`](Error::is_busy) if a capture is running in this process,
    /// [`is_invalid_argument`](Error::is_invalid_argument) if the duration is zero or above [`MAX_DURATION`] or the sampler
    /// does not like the frequency, [`is_sampler`](Error::is_sampler) if the sampler fails.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the capture at once: the sampler stops and the samples are discarded, without anybody
    /// waiting for it. A capture asked for in the meantime waits those milliseconds and is not refused.
    ///
    /// # Overhead
    ///
    /// That of the sampler; see [`PprofSampler`].
    pub async fn capture(&self, duration: Duration) -> Result<Profile, Error> {
        if duration.is_zero() || duration > MAX_DURATION {
            return Err(Error::invalid_argument(format!(
                "a capture of {duration:?} is out of range; choose more than nothing and at most {} seconds",
                MAX_DURATION.as_secs()
            )));
        }
        let (holder, _claim) = slot::take().await?;
        let sampler = Arc::clone(&self.sampler);
        let hz = self.hz;
        offload::run("taskprof-cpu", move |wanted| {
            let raw = {
                // Freed when the sampler has stopped, also by a panic: the sampler is dropped first.
                let _holder = holder;
                sample(&*sampler, hz, duration, wanted)?
            };
            let Some(raw) = raw else {
                // Nobody is there to read this.
                return Err(Error::sampler("the capture was abandoned"));
            };
            let profile = profile(&raw, hz);
            look_up(&raw, wanted);
            Ok(profile)
        })
        .await?
    }
}

/// `None` if nobody wanted the result any more.
fn sample(
    sampler: &dyn Sampler,
    hz: i32,
    duration: Duration,
    wanted: &Wanted,
) -> Result<Option<RawProfile>, Error> {
    if !wanted.is_wanted() {
        return Ok(None);
    }
    let running: Box<dyn Running> = sampler.start(hz)?;
    if !wanted.sleep(duration) {
        drop(running);
        return Ok(None);
    }
    running.stop().map(Some)
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

fn profile(raw: &RawProfile, hz: i32) -> Profile {
    let period = i64::try_from(raw.period.as_nanos()).unwrap_or(i64::MAX);
    let mut profile = Profile::new([
        SampleType::new("samples", "count"),
        SampleType::new("cpu", "nanoseconds"),
    ]);
    profile.period_type = Some(SampleType::new("cpu", "nanoseconds"));
    profile.period = period;
    profile.time = raw.started;
    profile.duration = raw.duration;
    for stack in &raw.stacks {
        let count = i64::try_from(stack.count).unwrap_or(i64::MAX);
        let mut frames: Vec<Frame> = stack.frames.iter().copied().map(Frame::Address).collect();
        if stack.truncated {
            frames.push(Frame::named(TRUNCATED));
        }
        let labels = if stack.thread.is_empty() {
            Vec::new()
        } else {
            vec![Label::str("thread", Arc::clone(&stack.thread))]
        };
        profile.samples.push(Sample {
            stack: frames,
            values: vec![count, count.saturating_mul(period)],
            labels,
        });
    }
    // Threads of the same name, such as the workers of a runtime, become one.
    profile.aggregate();
    profile.comments = comments(raw, hz);
    profile
}

/// What was recorded against what should have been, and what is missing.
fn comments(raw: &RawProfile, hz: i32) -> Vec<String> {
    let recorded = raw.recorded();
    let seconds = raw.duration.as_secs_f64();
    let mut comments = Vec::new();
    match (raw.cpu_time, raw.expected()) {
        (Some(cpu), Some(expected)) => {
            let cpu = cpu.as_secs_f64();
            comments.push(format!(
                "{recorded} samples at {hz} Hz; {expected} expected for {cpu:.3} s of CPU time in {seconds:.3} s"
            ));
            // One in ten is far above the phase of the timer.
            if recorded + 2 < expected && recorded * 10 < expected * 9 {
                comments.push(format!(
                    "{} samples were lost, so the profile shows less CPU time than was used; \
                     frequencies above the kernel's tick and other users of SIGPROF lose samples",
                    expected - recorded
                ));
            }
        }
        _ => comments.push(format!(
            "{recorded} samples at {hz} Hz in {seconds:.3} s; how many were lost is not known"
        )),
    }
    if recorded == 0 {
        comments.push(
            "a CPU profile samples only threads that run; a process that waits uses no CPU time and gives no samples"
                .to_owned(),
        );
    }
    let truncated: u64 = raw
        .stacks
        .iter()
        .filter(|stack| stack.truncated)
        .map(|stack| stack.count)
        .sum();
    if truncated > 0 {
        comments.push(format!(
            "{truncated} samples had stacks deeper than the sampler records; their frames at the root are missing"
        ));
    }
    comments.extend(raw.remarks.iter().cloned());
    comments
}
