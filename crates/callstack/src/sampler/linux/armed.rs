//! [`Armed`]: a thread with a timer, its processor time, and the credit of its samples.
//!
//! Not here: which threads have a timer, and why samples get credit ([`super::registry`]).

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::atomic::Ordering;

use super::shared::SHARED;
use super::timer::Timer;
use super::{clock, handler, perf};

/// The processor time that a sample stands for.
#[derive(Clone, Copy)]
pub(super) struct Credit {
    pub(super) tid: u32,
    pub(super) periods: u64,
    /// Nanoseconds.
    pub(super) period: u64,
}

/// The timer of a thread.
pub(super) enum Source {
    Perf(OwnedFd),
    Timer(Timer),
}

/// A thread that has a timer.
pub(super) struct Armed {
    pub(super) tid: u32,
    pub(super) source: Source,
    /// Processor time when its samples began to count, in nanoseconds.
    pub(super) began: u64,
    /// Processor time at the last update, in nanoseconds.
    pub(super) used: u64,
    /// Processor time that its samples stand for, in nanoseconds.
    pub(super) credited: u64,
}

impl Armed {
    /// The thread's processor time, in nanoseconds; the last known one if the thread has ended.
    pub(super) fn now(&self) -> u64 {
        clock::read(clock::of_thread(self.tid)).max(self.used)
    }

    pub(super) fn update_used(&mut self) {
        self.used = self.now();
    }

    /// Updates the thread. Returns its id if another thread has got that meanwhile.
    pub(super) fn replaced(&mut self) -> Option<u32> {
        let now = clock::read(clock::of_thread(self.tid));
        // 0: it has ended, and no other one has its number.
        if now != 0 && now < self.used {
            return Some(self.tid);
        }
        self.update_used();
        None
    }

    /// How many periods have ended without a sample, up to the last sample at time `last`, if there
    /// were `hits` since the thread was last credited.
    pub(super) fn missing(&mut self, hits: u64, period: u64, last: u64) -> u64 {
        let before = self.used;
        self.update_used();
        let since_last = handler::now().saturating_sub(last);
        let used_at_last = self.used.saturating_sub(since_last).max(before);
        let used_at_last = used_at_last.saturating_sub(self.began);
        let known = self.credited.saturating_add(hits.saturating_mul(period));
        let beyond = used_at_last.saturating_sub(known);
        beyond.saturating_add(period - period / 4) / period
    }
}

/// Adds `more` periods to these samples, evenly.
pub(super) fn spread(samples: &mut [Option<Credit>], more: u64) {
    let count = samples.len() as u64;
    let Some(each) = more.checked_div(count) else {
        return;
    };
    for (at, credit) in samples.iter_mut().flatten().enumerate() {
        credit.periods += each + u64::from((at as u64) < more % count);
    }
}

/// Ends a timer. A signal that is under way finds no sender.
pub(super) fn end(source: Source) {
    if let Source::Perf(fd) = &source {
        perf::disable(fd);
        SHARED.by_fd[fd.as_raw_fd() as usize].store(0, Ordering::Release);
    }
    drop(source);
}
