//! The sampler on the `pprof` crate: `SIGPROF` from `setitimer(ITIMER_PROF)`, unwound in the handler.
//!
//! Only its sampling is used; its reports, symbols and writers are not. It runs with its default unwinder and without a
//! blocklist: a blocklist of libc throws away all time spent in `malloc`, `memcpy` and system calls, and with
//! glibc 2.35 and newer the unwinder takes no lock. This file is the only one that knows that crate.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use ::pprof::{MAX_DEPTH, ProfilerGuard, ProfilerGuardBuilder, UnresolvedReport};
use rustix::time::{ClockId, clock_gettime};

use crate::error::Error;
use crate::sampler::{RawProfile, RawStack, Running, Sampler};

/// The name of the signal handler, the outermost of its own frames in a stack.
const HANDLER: &str = "perf_signal_handler";
/// The handler is looked for among this many frames at the leaf; it really has four to seven, by inlining.
const HANDLER_DEPTH: usize = 16;

/// With more distinct stacks than this, the tables are emptied by a new start.
const LAP_STACKS: usize = 8192;

/// Samples CPU time of the whole process by `SIGPROF`, through the `pprof` crate.
///
/// # Overhead
///
/// 3 to 12 microseconds per sample, by stack depth: not measurable at 99 Hz. The first start takes 60 to 220 ms, because
/// it loads debug information. Memory: some 120 MB while it runs for the first time and about 200 MB from then on (its
/// tables, which glibc's allocator keeps and later captures use again). Nothing before the first start.
///
/// # Requirements
///
/// Linux with glibc 2.35 or newer and a writable temporary directory. Nothing else in the process may use `SIGPROF`
/// (another pprof, a pyroscope agent); the signal is ignored after the first capture. Other features of the `pprof` crate
/// that change its unwinder (`frame-pointer`, `framehop-unwinder`) must not be enabled by another dependency.
///
/// # Limitations
///
/// - CPU time only: a thread that sleeps or waits is not seen.
/// - The kernel checks the timer on its tick (often 250 Hz), so rates above that lose samples, and one process-wide timer
///   picks among threads unevenly: two equally busy threads may differ by a factor of three in a short capture.
/// - Samples in the same functions with the same callers are one stack, whatever the line: the line shown is that of
///   the first sample.
/// - In a stripped program its own frames stay at the leaf of every stack, because the signal handler is found by name.
///   [`RawProfile::remarks`] counts the samples.
/// - Each process that has sampled leaves one empty file (`.tmp…`) in the temporary directory when it exits.
/// - System calls that are never restarted (`epoll_wait`, `nanosleep`) return `EINTR` more often while it runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct PprofSampler {
    _private: (),
}

impl PprofSampler {
    /// The lowest and the highest frequency that can be asked for.
    pub const HZ: std::ops::RangeInclusive<i32> = 1..=1000;

    /// The sampler; nothing happens before it is started.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Sampler for PprofSampler {
    fn start(&self, hz: i32) -> Result<Box<dyn Running>, Error> {
        if !Self::HZ.contains(&hz) {
            return Err(Error::invalid_argument(format!(
                "a sampling frequency of {hz} Hz is out of range; choose {} to {}",
                Self::HZ.start(),
                Self::HZ.end()
            )));
        }
        let guard = ProfilerGuardBuilder::default()
            .frequency(hz)
            .build()
            .map_err(|e| match e {
                ::pprof::Error::Running => Error::sampler(
                    "another user of the pprof crate is sampling in this process; SIGPROF has one owner at a time",
                ),
                ::pprof::Error::CreatingError => Error::sampler(
                    "the pprof sampler could not be created; it needs a writable temporary directory",
                ),
                e => Error::sampler("the pprof sampler could not be started").caused_by(e),
            })?;
        Ok(Box::new(Started {
            guard,
            hz,
            started: SystemTime::now(),
            began: Instant::now(),
            cpu_before: process_cpu_time(),
            counts: None,
        }))
    }
}

/// Drop stops: that is what the guard does.
struct Started {
    guard: ProfilerGuard<'static>,
    hz: i32,
    /// As of the last lap, as are all that follow.
    started: SystemTime,
    began: Instant,
    cpu_before: Duration,
    /// Everything that was counted up to then.
    counts: Option<UnresolvedReport>,
}

impl Started {
    fn read(&self) -> Result<UnresolvedReport, Error> {
        let report = self.guard.report().build_unresolved();
        report.map_err(|e| Error::sampler("the samples could not be read").caused_by(e))
    }
}

impl Running for Started {
    /// The crate's tables can be read while it samples, but only grow: when they have, a new start empties them. Samples of the moments in which
    /// they are read are lost.
    fn lap(&mut self) -> Result<Option<RawProfile>, Error> {
        let kept = self.counts.as_ref().map_or(0, |counts| counts.data.len());
        if kept > LAP_STACKS {
            return Ok(None);
        }
        let now = process_cpu_time();
        let (cpu_time, lasted) = (now.saturating_sub(self.cpu_before), self.began.elapsed());
        let started = std::mem::replace(&mut self.started, SystemTime::now());
        self.cpu_before = now;
        self.began = Instant::now();
        let counts = self.read()?;
        let raw = raw(&counts, self.counts.as_ref(), self.hz);
        self.counts = Some(counts);
        Ok(Some(RawProfile {
            started,
            duration: lasted,
            cpu_time: Some(cpu_time),
            ..raw
        }))
    }

    fn stop(self: Box<Self>) -> Result<RawProfile, Error> {
        let cpu_time = process_cpu_time().saturating_sub(self.cpu_before);
        let duration = self.began.elapsed();
        let counts = self.read()?;
        // Stops the timer and the handler. Only now may anything slow follow.
        drop(self.guard);
        Ok(RawProfile {
            started: self.started,
            duration,
            cpu_time: Some(cpu_time),
            ..raw(&counts, self.counts.as_ref(), self.hz)
        })
    }
}

/// What was counted since `before`; times are the caller's to fill in.
fn raw(counts: &UnresolvedReport, before: Option<&UnresolvedReport>, hz: i32) -> RawProfile {
    let mut untrimmed = 0_u64;
    let mut stacks = Vec::new();
    for (key, count) in &counts.data {
        let counted = before.and_then(|before| before.data.get(key));
        let count = count - counted.copied().unwrap_or(0);
        let count = u64::try_from(count).unwrap_or(0);
        if count == 0 {
            continue;
        }
        // The unwinder ends a complete stack with an address of zero, which is no frame.
        let addresses: Vec<usize> = key
            .frames
            .iter()
            .map(|frame| frame.ip() as usize)
            .take_while(|&address| address != 0)
            .collect();
        let truncated = addresses.len() >= MAX_DEPTH;
        let frames = match interrupted_at(&addresses) {
            Some(leaf) => interrupted_stack(&addresses[leaf..]),
            None => {
                untrimmed += count;
                addresses
            }
        };
        let name = &key.thread_name[..key.thread_name_length];
        stacks.push(RawStack {
            frames,
            truncated,
            count,
            thread: Arc::from(String::from_utf8_lossy(name)),
        });
    }
    let mut remarks = Vec::new();
    if untrimmed > 0 {
        remarks.push(format!(
            "{untrimmed} samples end in frames of the profiler itself, because its signal handler has no symbol; \
             build without strip to cut them off"
        ));
    }
    RawProfile {
        stacks,
        started: SystemTime::now(),
        duration: Duration::ZERO,
        period: Duration::from_secs(1) / hz.unsigned_abs(),
        cpu_time: None,
        remarks,
    }
}

/// Where the interrupted frame is: behind the handler and the frame that the kernel returns through (`__restore_rt`,
/// always exactly one, and nameless in a stripped libc). `None` if the handler cannot be found by name.
fn interrupted_at(addresses: &[usize]) -> Option<usize> {
    addresses
        .iter()
        .take(HANDLER_DEPTH)
        .rposition(|&address| {
            callstack::symbolize(address)
                .iter()
                .any(|symbol| symbol.name.as_deref() == Some(HANDLER))
        })
        .map(|handler| (handler + 2).min(addresses.len()))
}

/// The first address is the program counter at which the thread was interrupted, the others are return addresses.
/// Lookups subtract one from a return address; a program counter gets one added here, so that the same lookup finds the
/// instruction that was running and not the one before it, which may belong to another line or function.
fn interrupted_stack(addresses: &[usize]) -> Vec<usize> {
    let mut frames = addresses.to_vec();
    if let Some(leaf) = frames.first_mut() {
        *leaf = leaf.wrapping_add(1);
    }
    frames
}

/// User and system time of all threads, which is what `ITIMER_PROF` counts.
fn process_cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    // Pure, and too rare to be met in a capture: a thread interrupted at the first instruction of a function.
    #[test]
    fn the_interrupted_instruction_is_found_by_a_lookup_that_subtracts_one() {
        assert_eq!(interrupted_stack(&[100, 200, 300]), [101, 200, 300]);
        assert!(interrupted_stack(&[]).is_empty());
    }

    #[test]
    fn a_stack_without_the_handler_is_not_cut() {
        assert_eq!(interrupted_at(&[0x11, 0x21]), None);
    }
}
