//! Measures processor time, and keeps threads on one processor.

use std::fs;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// Time that a section of the program took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    /// Processor time of all threads of the process, in user and kernel mode.
    pub(crate) cpu: Duration,
    pub(crate) wall: Duration,
}

/// Runs a function and measures its time. Callgrind is told to count instructions inside this
/// function only: its name is in `driver/callgrind.rs`.
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

/// Keeps this thread, and those that it starts, on one processor: the last one that it may use. The
/// first one serves most interrupts.
pub(crate) fn pin() {
    let allowed = sched_getaffinity(None).expect("a thread can ask where it may run");
    let last = (0..CpuSet::MAX_CPU).rev().find(|cpu| allowed.is_set(*cpu));
    let mut one = CpuSet::new();
    one.set(last.expect("a thread may run somewhere"));
    sched_setaffinity(None, &one).expect("a thread can choose among its processors");
}

/// The time of all processors of the machine so far, in the kernel's ticks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticks {
    pub(crate) all: u64,
    idle: u64,
}

impl Ticks {
    pub(crate) fn now() -> Ticks {
        let stat = fs::read_to_string("/proc/stat").expect("there is a /proc");
        // user, nice, system, idle, iowait, irq, softirq, steal; what follows is contained in the
        // first two.
        let ticks: Vec<u64> = stat
            .split_whitespace()
            .skip(1)
            .take(8)
            .map(|ticks| ticks.parse().expect("ticks are numbers"))
            .collect();
        Ticks {
            all: ticks.iter().sum(),
            idle: ticks[3] + ticks[4],
        }
    }

    /// The share of the time since then that processors had nothing to do.
    pub(crate) fn idle_since(self) -> f64 {
        let now = Ticks::now();
        (now.idle - self.idle) as f64 / (now.all - self.all).max(1) as f64
    }
}
