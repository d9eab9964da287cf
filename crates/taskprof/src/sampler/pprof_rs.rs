//! The sampler on the `pprof` crate: `SIGPROF` from `setitimer(ITIMER_PROF)`, unwound in the
//! handler.
//!
//! Only its sampling is used; its reports, symbols and writers are not. It runs with its default
//! unwinder and without a blocklist: a blocklist of libc throws away all time spent in `malloc`,
//! `memcpy` and system calls, and with glibc 2.35 and newer the unwinder takes no lock. This file
//! is the only one that knows that crate.

use std::sync::Arc;
use std::time::Duration;

use ::pprof::{MAX_DEPTH, ProfilerGuard, ProfilerGuardBuilder, UnresolvedReport};

use super::thread::{check_hz, process_cpu_time};
use super::{Collected, RawSample, Running, Sampler, StackEnd};
use crate::error::Error;

/// The name of the signal handler, the outermost of its own frames in a stack.
const HANDLER: &str = "perf_signal_handler";
/// The handler is looked for among this many frames at the leaf; it really has four to seven, by
/// inlining.
const HANDLER_DEPTH: usize = 16;

/// With more distinct stacks than this, the tables are emptied by a new start.
const MOST_STACKS: usize = 8192;

/// Samples CPU time of the whole process by `SIGPROF`, through the `pprof` crate. Not the default:
/// [`ThreadSampler`](crate::sampler::ThreadSampler) is.
///
/// With the feature `pprof-rs`, for platforms that have no other sampler, and for comparisons:
///
/// ```no_run
/// # async fn f() -> Result<(), taskprof::Error> {
/// use taskprof::{cpu::Cpu, sampler::PprofSampler};
///
/// let profile = Cpu::with_sampler(PprofSampler::new()).seconds(5).capture().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Dangers
///
/// It can end or freeze the process that it samples. Each of these was seen:
///
/// - It unwinds inside the signal handler, with the unwinder of the platform. A signal that
///   interrupts that same unwinder, while a task panics say, ends in `SIGSEGV`.
/// - The handler needs some 20 KiB of the stack that it interrupts: threads with small stacks, of C
///   libraries and of applications, overflow.
/// - `ITIMER_PROF` survives `exec` and the handler does not: a process that replaces itself during
///   a capture is killed by `SIGPROF`.
/// - A handler of the application for `SIGPROF` is gone after a capture, and the signal is ignored
///   then, which child processes inherit.
/// - A child that was forked and captures hangs.
/// - Memory: some 190 MB while it runs for the first time, 200 to 240 MB from then on.
///
/// # Overhead
///
/// 5 to 24 microseconds per sample, by stack depth. The first start takes 60 to 220 ms, because it
/// loads debug information.
///
/// # Requirements
///
/// Linux with glibc 2.35 or newer and a writable temporary directory. Nothing else in the process
/// may use `SIGPROF` (another pprof, a pyroscope agent). Other features of the `pprof` crate that
/// change its unwinder (`frame-pointer`, `framehop-unwinder`) must not be enabled by another
/// dependency.
///
/// # Limitations
///
/// - CPU time only: a thread that sleeps or waits is not seen. No sample knows its task.
/// - The kernel checks the timer on its tick (often 250 Hz), so rates above that lose samples,
///   threads that are woken by ticks are hardly seen, and one process-wide timer picks among
///   threads unevenly: two equally busy threads may differ by a factor of three in a short capture.
/// - Samples in the same functions with the same callers are one stack, whatever the line: the line
///   shown is that of the first sample.
/// - In a stripped program its own frames stay at the leaf of every stack, because the signal
///   handler is found by name.
/// - Each process that has sampled leaves one empty file (`.tmp…`) in the temporary directory when
///   it exits.
/// - System calls that are never restarted (`epoll_wait`, `nanosleep`) return `EINTR` more often
///   while it runs.
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
    fn check(&self, hz: i32) -> Result<(), Error> {
        check_hz(hz, &Self::HZ)
    }

    fn start(&self, hz: i32) -> Result<Box<dyn Running>, Error> {
        self.check(hz)?;
        Ok(Box::new(Started {
            guard: Some(start(hz)?),
            hz,
            cpu_before: process_cpu_time(),
            counts: None,
            untrimmed: 0,
        }))
    }
}

fn start(hz: i32) -> Result<ProfilerGuard<'static>, Error> {
    let started = ProfilerGuardBuilder::default().frequency(hz).build();
    started.map_err(|e| match e {
        ::pprof::Error::Running => Error::sampler(
            "another user of the pprof crate is sampling in this process; SIGPROF has one owner at a time",
        ),
        ::pprof::Error::CreatingError => Error::sampler(
            "the pprof sampler could not be created; it needs a writable temporary directory",
        ),
        e => Error::sampler("the pprof sampler could not be started").caused_by(e),
    })
}

/// Drop stops: that is what the guard does.
struct Started {
    /// `None` only while it is started anew, or if that has failed.
    guard: Option<ProfilerGuard<'static>>,
    hz: i32,
    /// As of the last collection.
    cpu_before: Duration,
    /// Everything that was counted up to then.
    counts: Option<UnresolvedReport>,
    /// Samples that still have the profiler's own frames.
    untrimmed: u64,
}

impl Running for Started {
    /// The crate's tables can be read while it samples, but only grow: when they have, a new start
    /// empties them. Samples of the moments in which they are read are lost.
    fn collect(&mut self, each: &mut dyn FnMut(RawSample<'_>)) -> Result<Collected, Error> {
        let Some(guard) = &self.guard else {
            return Err(Error::sampler(
                "the pprof sampler could not be started anew",
            ));
        };
        let now = process_cpu_time();
        let cpu_time = now.saturating_sub(std::mem::replace(&mut self.cpu_before, now));
        let counts = guard.report().build_unresolved();
        let counts =
            counts.map_err(|e| Error::sampler("the samples could not be read").caused_by(e))?;
        self.give(&counts, each);
        if counts.data.len() > MOST_STACKS {
            self.counts = None;
            // One at a time: the old one has to go first.
            self.guard = None;
            self.guard = Some(start(self.hz)?);
        } else {
            self.counts = Some(counts);
        }
        Ok(Collected {
            cpu_time: Some(cpu_time),
            ..Collected::default()
        })
    }

    fn comments(&self) -> Vec<String> {
        let mut comments = vec![
            "sampled by the pprof crate: SIGPROF from one timer for the whole process".to_owned(),
        ];
        if self.untrimmed > 0 {
            comments.push(
                "some samples end in frames of the profiler itself, because its signal handler has no symbol; build without strip to cut them off".to_owned(),
            );
        }
        comments
    }
}

impl Started {
    /// Hands over the samples since the last time.
    fn give(&mut self, counts: &UnresolvedReport, each: &mut dyn FnMut(RawSample<'_>)) {
        let period = Duration::from_secs(1) / self.hz.unsigned_abs();
        for (key, count) in &counts.data {
            let before = self.counts.as_ref();
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
            let is_deep = addresses.len() >= MAX_DEPTH;
            let frames = match interrupted_at(&addresses) {
                Some(leaf) => interrupted_stack(&addresses[leaf..]),
                None => {
                    self.untrimmed += count;
                    addresses
                }
            };
            let name = &key.thread_name[..key.thread_name_length];
            each(RawSample {
                frames: &frames,
                end: if is_deep {
                    StackEnd::Deep
                } else {
                    StackEnd::Root
                },
                count,
                cpu: period.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX)),
                thread: &Arc::from(String::from_utf8_lossy(name)),
                task: None,
                request: None,
            });
        }
    }
}

/// Where the interrupted frame is: behind the handler and the frame that the kernel returns through
/// (`__restore_rt`, always exactly one, and nameless in a stripped libc). `None` if the handler
/// cannot be found by name.
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

/// The first address is the program counter at which the thread was interrupted, the others are
/// return addresses. Lookups subtract one from a return address; a program counter gets one added
/// here, so that the same lookup finds the instruction that was running and not the one before it,
/// which may belong to another line or function.
fn interrupted_stack(addresses: &[usize]) -> Vec<usize> {
    let mut frames = addresses.to_vec();
    if let Some(leaf) = frames.first_mut() {
        *leaf = leaf.wrapping_add(1);
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    // Pure, and too rare to be met in a capture: a thread interrupted at the first instruction of a
    // function.
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
