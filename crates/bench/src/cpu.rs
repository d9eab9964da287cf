//! Processor time, and on which processor.

use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// What a section of the program took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    /// Of all threads of the process, in user and kernel mode.
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
}

/// Runs and measures. Callgrind is told to count instructions inside this function only: its name is in `driver/callgrind.rs`.
#[inline(never)]
pub(crate) fn measured_section(run: impl FnOnce()) -> Spent {
    let (cpu, wall) = (process_time(), Instant::now());
    run();
    Spent {
        cpu: process_time() - cpu,
        wall: wall.elapsed(),
    }
}

/// The processor time of all threads so far.
pub(crate) fn process_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Keeps this thread, and those that it starts, on one processor: the last one that it may use. The first one serves most interrupts.
pub(crate) fn pin() {
    let allowed = sched_getaffinity(None).expect("a thread can ask where it may run");
    let last = (0..CpuSet::MAX_CPU).rev().find(|cpu| allowed.is_set(*cpu));
    let mut one = CpuSet::new();
    one.set(last.expect("a thread may run somewhere"));
    sched_setaffinity(None, &one).expect("a thread can choose among its processors");
}
