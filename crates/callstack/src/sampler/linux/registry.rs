//! [`Registry`]: the threads that have a timer, and the processor time that their samples stand
//! for.
//!
//! # Credit
//!
//! A sample stands for one period, or for as many as its timer has expired. That is right on
//! average also for threads that live for less than a period, because the first period has a random
//! length. Periods that ended in the kernel, or whose signal was late, are missing. They show in
//! the thread's processor time, and are credited to its next samples: with `used` processor time at
//! a sample and `credited` before it, whatever exceeds one period by more than a quarter.
//!
//! The time that a thread had used at its last sample is not known. It is at least what it has used
//! now less the time that has passed since, and what it had used at the last update. So credit
//! comes a few milliseconds late at worst.
//!
//! Not here: how timers are made ([`super::perf`], [`super::timer`]).

use std::collections::{HashMap, HashSet};
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::os::fd::AsRawFd as _;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use libc::c_int;

use super::armed::{Armed, Credit, Source, end, spread};
use super::shared::{FDS, Header, SHARED};
use super::signal::Claimed;
use super::timer::Timer;
use super::{clock, handler, perf, stacks};
use crate::sampler::{Collected, MAX_THREADS, Options, ThreadTime, TimerKind};
use crate::thread::Tid;

/// How often the sampler lists the threads of the process.
const SCAN: Duration = Duration::from_millis(50);

/// Up to this many threads are updated at each collection, so that credit for time in the kernel
/// comes soon.
const FEW_THREADS: usize = 64;

/// Perf events may take one in this many of the file descriptors that the process may have.
const DESCRIPTORS_DIVISOR: u64 = 8;

pub(super) struct Registry {
    signal: c_int,
    /// The kind for new threads.
    kind: TimerKind,
    /// Whether the options ask for this kind and no other.
    fixed: bool,
    period: u64,
    /// By index in the shared table.
    armed: Vec<Option<Armed>>,
    by_tid: HashMap<u32, usize>,
    /// Threads that cannot be armed, so that it is not tried again and again.
    refused: HashSet<u32>,
    refusal: Option<c_int>,
    descriptors: u64,
    scanned: Option<Instant>,
    unsampled: u64,
    random: RandomState,
    drawn: u64,
}

impl Registry {
    pub(super) fn new(options: &Options, signal: &Claimed) -> Registry {
        let kind = options.timer.unwrap_or(TimerKind::PerfEvent);
        Registry {
            signal: signal.number(),
            kind: if signal.is_for_perf() {
                kind
            } else {
                TimerKind::ThreadCpuTimer
            },
            fixed: options.timer.is_some(),
            period: period(options.hz),
            armed: Vec::new(),
            by_tid: HashMap::new(),
            refused: HashSet::new(),
            refusal: None,
            descriptors: 0,
            scanned: None,
            unsampled: 0,
            random: RandomState::new(),
            drawn: 0,
        }
    }

    /// The error number if no thread at all could be armed.
    pub(super) fn refusal(&self) -> Option<c_int> {
        self.refusal.filter(|_| self.by_tid.is_empty())
    }

    /// Drops a registry that was copied by a fork, of which nothing belongs to this process.
    pub(super) fn forget(mut self) {
        for armed in self.armed.drain(..).flatten() {
            match armed.source {
                // Closes our copy of the descriptor; the event goes on for the parent.
                Source::Perf(fd) => drop(fd),
                // Its number may be that of a timer of ours by now.
                Source::Timer(timer) => std::mem::forget(timer),
            }
        }
    }

    pub(super) fn set_hz(&mut self, hz: u32) {
        self.period = period(hz);
        for (index, armed) in self.armed.iter().enumerate() {
            match armed.as_ref().map(|armed| &armed.source) {
                Some(Source::Perf(fd)) => {
                    SHARED.threads[index]
                        .next_period
                        .store(0, Ordering::Relaxed);
                    perf::set_period(fd.as_raw_fd(), self.period);
                }
                Some(Source::Timer(timer)) => timer.set(self.period, self.period),
                None => {}
            }
        }
    }

    /// Arms the threads that are new, and forgets those that have ended.
    pub(super) fn scan(&mut self) {
        let first = self.scanned.is_none();
        self.scanned = Some(Instant::now());
        let Ok(tasks) = fs::read_dir("/proc/self/task") else {
            return;
        };
        let names = tasks.filter_map(|task| Some(task.ok()?.file_name()));
        let alive: HashSet<u32> = names
            .filter_map(|name| name.to_str()?.parse().ok())
            .collect();
        let ended: Vec<u32> = self
            .by_tid
            .keys()
            .copied()
            .filter(|tid| !alive.contains(tid))
            .collect();
        for tid in ended {
            self.disarm(tid);
        }
        self.refused.retain(|tid| alive.contains(tid));
        for tid in alive {
            self.arm_since(tid, !first);
        }
    }

    /// Arms a thread that was started while the sampler runs.
    pub(super) fn arm(&mut self, tid: u32) {
        self.arm_since(tid, true);
    }

    /// Arms a thread. With `new`, it was started while the sampler runs, so all of its time counts.
    fn arm_since(&mut self, tid: u32, new: bool) {
        if self.by_tid.contains_key(&tid) || self.refused.contains(&tid) {
            return;
        }
        let free = self.armed.iter().position(Option::is_none);
        let index = free.unwrap_or(self.armed.len());
        if index >= MAX_THREADS {
            self.refused.insert(tid);
            return;
        }
        let used = clock::read(clock::of_thread(tid));
        SHARED.threads[index].clear();
        match self.source(tid, index) {
            Ok(source) => {
                let armed = Some(Armed {
                    tid,
                    source,
                    began: if new { 0 } else { used },
                    used,
                    credited: 0,
                });
                if index == self.armed.len() {
                    self.armed.push(armed);
                } else {
                    self.armed[index] = armed;
                }
                self.by_tid.insert(tid, index);
            }
            // It has ended meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            Err(error) => {
                self.refusal = error.raw_os_error();
                self.refused.insert(tid);
            }
        }
    }

    /// Starts a timer of the thread, of the best kind that the kernel gives.
    fn source(&mut self, tid: u32, index: usize) -> io::Result<Source> {
        let first = self.first_period();
        if self.kind == TimerKind::PerfEvent && self.descriptors < descriptors() {
            match perf::open(tid, self.signal, first) {
                Ok(fd) if (fd.as_raw_fd() as usize) < FDS => {
                    self.descriptors += 1;
                    SHARED.threads[index]
                        .next_period
                        .store(self.period, Ordering::Relaxed);
                    SHARED.by_fd[fd.as_raw_fd() as usize]
                        .store(index as u16 + 1, Ordering::Release);
                    perf::enable(&fd);
                    return Ok(Source::Perf(fd));
                }
                Ok(_) => {}
                Err(error) if self.fixed || error.raw_os_error() == Some(libc::ESRCH) => {
                    return Err(error);
                }
                // No descriptor is left, for this thread.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => {
                }
                // Not allowed here at all.
                Err(_) => self.kind = TimerKind::ThreadCpuTimer,
            }
        }
        let timer = Timer::new(tid, self.signal, handler::timer_value(index)).map_err(|error| {
            // The clock of a thread that has ended is no clock.
            if error.raw_os_error() == Some(libc::EINVAL) {
                io::Error::from_raw_os_error(libc::ESRCH)
            } else {
                error
            }
        })?;
        timer.set(first, self.period);
        Ok(Source::Timer(timer))
    }

    /// A random part of the period: threads that were started together do not expire together, and
    /// one that uses less than a period is sampled in proportion to what it uses.
    fn first_period(&mut self) -> u64 {
        self.drawn += 1;
        1 + self.random.hash_one(self.drawn) % self.period
    }

    fn disarm(&mut self, tid: u32) {
        let Some(index) = self.by_tid.remove(&tid) else {
            return;
        };
        let Some(armed) = self.armed[index].take() else {
            return;
        };
        if armed.credited == 0 {
            self.unsampled += armed.used.saturating_sub(armed.began);
        }
        if matches!(armed.source, Source::Perf(_)) {
            self.descriptors -= 1;
        }
        end(armed.source);
    }

    /// The credit of each of these samples; `None` if its thread is not known any more. The samples
    /// of one thread must be next to each other, in their order.
    pub(super) fn credit(&mut self, samples: impl Iterator<Item = Header>) -> Vec<Option<Credit>> {
        let (mut samples, mut credits) = (samples.peekable(), Vec::new());
        while let Some(header) = samples.next() {
            let index = header.thread as usize;
            let from = credits.len();
            let Some(armed) = self.armed.get_mut(index).and_then(Option::as_mut) else {
                credits.push(None);
                continue;
            };
            let (mut last, mut next) = (header.time, Some(header));
            while let Some(header) = next {
                last = header.time;
                credits.push(Some(Credit {
                    tid: armed.tid,
                    periods: u64::from(header.hits),
                    period: self.period,
                }));
                next = samples.next_if(|next| next.thread as usize == index);
            }
            let of_thread = &mut credits[from..];
            let hits: u64 = of_thread
                .iter()
                .flatten()
                .map(|credit| credit.periods)
                .sum();
            let missing = armed.missing(hits, self.period, last);
            spread(of_thread, missing);
            armed.credited += (hits + missing).saturating_mul(self.period);
        }
        credits
    }

    /// Updates the threads now and then, and fills in their numbers.
    pub(super) fn maintain(&mut self, collected: &mut Collected) {
        if self.by_tid.len() <= FEW_THREADS {
            self.armed.iter_mut().flatten().for_each(Armed::update_used);
        }
        if self.scanned.is_none_or(|scanned| scanned.elapsed() >= SCAN) {
            let armed = self.armed.iter_mut().flatten();
            let replaced: Vec<u32> = armed.filter_map(Armed::replaced).collect();
            for tid in replaced {
                self.disarm(tid);
            }
            self.scan();
            stacks::find_bounds(self.armed.len());
        }
        collected.unsampled = Duration::from_nanos(std::mem::take(&mut self.unsampled));
        collected.threads = self.by_tid.len();
        collected.unarmed = self.refused.len();
    }

    pub(super) fn times(&self) -> Vec<ThreadTime> {
        let times = self.armed.iter().flatten().map(|armed| ThreadTime {
            thread: Tid::from_raw(armed.tid),
            timer: match armed.source {
                Source::Perf(_) => TimerKind::PerfEvent,
                Source::Timer(_) => TimerKind::ThreadCpuTimer,
            },
            used: Duration::from_nanos(armed.now().saturating_sub(armed.began)),
            credited: Duration::from_nanos(armed.credited),
        });
        times.collect()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        for armed in self.armed.drain(..).flatten() {
            end(armed.source);
        }
    }
}

fn period(hz: u32) -> u64 {
    1_000_000_000 / u64::from(hz.max(1))
}

/// How many descriptors perf events may take.
fn descriptors() -> u64 {
    static LIMIT: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *LIMIT.get_or_init(|| super::stacks::descriptor_limit() / DESCRIPTORS_DIVISOR)
}
