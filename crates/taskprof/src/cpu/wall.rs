//! Time on the wall of all threads: where they ran, and where they waited.
//!
//! The kernel says exactly how long each thread ran, waited for a processor, and did neither.
//! Running time is divided by samples of the CPU. The rest is divided by scans: the stack of a
//! thread is read while it is blocked in a system call, without a signal, so no call returns early.
//! A scan happens every [`EVERY`], or less often if it would take more than a twentieth of one
//! processor.
//!
//! Not here: how a blocked thread is read (`callstack`), what tasks wait for (the source `block`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use callstack::thread::{Tid, capture_blocked};

use super::labels::{self, Place};
use super::profile::{FOLDED, LOST};
use super::recording::{Key, Recording};
use super::view::View;
use crate::offload::CancelCheck;
use crate::profile::{Frame, Profile, RuntimeFrames, Sample, SampleType};
use crate::sampler::StackEnd;

/// The time between two scans.
pub(super) const EVERY: Duration = Duration::from_millis(50);
/// The least time between two scans, in multiples of the time that a scan takes.
const REST: u32 = 20;
/// At most this many threads are scanned; others are counted.
const MAX_THREADS: usize = 1024;
/// At most this many different stacks of one thread are stored; others are known by their call
/// only.
const MAX_STACKS: usize = 256;

/// The name of the thread that scans.
pub(super) const THREAD: &str = "taskprof-wall";

/// The waits of all threads.
#[derive(Debug, Default)]
pub(super) struct Waits {
    threads: BTreeMap<u32, Thread>,
    scans: u64,
    left_out: usize,
    /// How often a blocked thread could not be read.
    unreadable: u64,
}

#[derive(Debug)]
struct Thread {
    name: Arc<str>,
    before: Times,
    /// Time neither running nor waiting for a processor.
    off: Duration,
    queued: Duration,
    blocked: HashMap<Blocked, u64>,
}

/// The kernel's figures for a thread, as of one scan.
#[derive(Debug, Clone, Copy)]
struct Times {
    at: Instant,
    ran: Duration,
    queued: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Blocked {
    call: Arc<str>,
    stack: Arc<[usize]>,
    is_whole: bool,
}

/// Scans all threads for this long. Ends early when it is cancelled.
pub(super) fn watch(duration: Duration, cancel: &CancelCheck) -> Waits {
    let own = Tid::current().as_raw();
    let end = Instant::now() + duration;
    let mut waits = Waits::default();
    callstack::refresh();
    loop {
        let began = Instant::now();
        waits.scan(own);
        let now = Instant::now();
        if now >= end {
            return waits;
        }
        let rest = EVERY.max(REST * (now - began));
        if !cancel.sleep(rest.min(end - now)) {
            return waits;
        }
    }
}

impl Waits {
    fn scan(&mut self, own: u32) {
        self.scans += 1;
        let Ok(entries) = std::fs::read_dir("/proc/self/task") else {
            return;
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let tids = names.filter_map(|name| name.parse::<u32>().ok());
        let mut frames = Vec::new();
        let mut left_out = 0;
        for tid in tids.filter(|tid| *tid != own) {
            let Some(times) = Times::of(tid) else {
                continue;
            };
            let known = self.threads.len();
            let thread = match self.threads.get_mut(&tid) {
                Some(thread) => {
                    // A thread names itself a moment after it was started.
                    thread.name = name(tid).unwrap_or_else(|| Arc::clone(&thread.name));
                    thread
                }
                None if known >= MAX_THREADS => {
                    left_out += 1;
                    continue;
                }
                None => self.threads.entry(tid).or_insert_with(|| Thread {
                    name: name(tid).unwrap_or_default(),
                    before: times,
                    off: Duration::ZERO,
                    queued: Duration::ZERO,
                    blocked: HashMap::new(),
                }),
            };
            thread.passed(times);
            frames.clear();
            match capture_blocked(Tid::from_raw(tid), &mut frames) {
                Ok(blocked) => {
                    let is_whole = blocked.completeness == callstack::Completeness::Complete;
                    thread.is_blocked(&blocked.call.to_string(), &frames, is_whole);
                }
                Err(callstack::thread::NotBlocked::Unreadable) => self.unreadable += 1,
                Err(_) => {}
            }
        }
        self.left_out = self.left_out.max(left_out);
    }
}

impl Thread {
    fn passed(&mut self, now: Times) {
        let before = std::mem::replace(&mut self.before, now);
        let passed = now.at.saturating_duration_since(before.at);
        let ran = now.ran.saturating_sub(before.ran);
        let queued = now.queued.saturating_sub(before.queued);
        self.queued += queued;
        self.off += passed.saturating_sub(ran).saturating_sub(queued);
    }

    fn is_blocked(&mut self, call: &str, frames: &[usize], is_whole: bool) {
        let room = self.blocked.len() < MAX_STACKS;
        let mut blocked = Blocked {
            call: call.into(),
            stack: frames.into(),
            is_whole,
        };
        if !room && !self.blocked.contains_key(&blocked) {
            blocked.stack = Arc::from([]);
        }
        *self.blocked.entry(blocked).or_default() += 1;
    }
}

impl Times {
    /// The figures as of now. `None`: the thread has ended, or the kernel does not count.
    fn of(tid: u32) -> Option<Times> {
        let text = std::fs::read_to_string(format!("/proc/self/task/{tid}/schedstat")).ok()?;
        let mut numbers = text.split_whitespace().map(str::parse::<u64>);
        Some(Times {
            at: Instant::now(),
            ran: Duration::from_nanos(numbers.next()?.ok()?),
            queued: Duration::from_nanos(numbers.next()?.ok()?),
        })
    }
}

fn name(tid: u32) -> Option<Arc<str>> {
    let name = std::fs::read_to_string(format!("/proc/self/task/{tid}/comm"));
    Some(name.ok()?.trim_end().into())
}

/// Adds the waits to a profile of the CPU, whose columns become those of time on the wall.
pub(super) fn add(
    mut profile: Profile,
    waits: &Waits,
    view: &View,
    recorded: &Recording,
) -> Profile {
    let wall = SampleType::new("wall", "nanoseconds");
    profile.sample_types = vec![SampleType::new("samples", "count"), wall.clone()];
    profile.period_type = Some(wall);
    let mut adder = Adder {
        view,
        runtime: RuntimeFrames::new(),
        is_folded: false,
        samples: Vec::new(),
    };
    for thread in waits.threads.values() {
        adder.add_thread(thread);
    }
    profile.samples.append(&mut adder.samples);
    profile.aggregate();
    let threads = waits.threads.len();
    profile.comments.splice(
        0..0,
        [
            format!(
                "time on the wall of {threads} threads in {:.3} s: running by samples of the CPU, waiting by {} scans for \
                 blocked threads, without a signal",
                recorded.duration.as_secs_f64(),
                waits.scans
            ),
            "of threads only: what tasks wait for is in the profile block".to_owned(),
        ],
    );
    if adder.is_folded && !profile.comments.iter().any(|known| known == FOLDED) {
        profile.comments.push(FOLDED.to_owned());
    }
    if waits.unreadable > 0 {
        profile.comments.push(format!(
            "{} times a thread could not be read, because the system does not tell what it does",
            waits.unreadable
        ));
    }
    if waits.left_out > 0 {
        profile.comments.push(format!(
            "{} threads were not scanned, because there are more than {MAX_THREADS}",
            waits.left_out
        ));
    }
    profile
}

/// Makes samples of waits.
struct Adder<'a> {
    view: &'a View,
    runtime: RuntimeFrames,
    is_folded: bool,
    samples: Vec<Sample>,
}

impl Adder<'_> {
    fn add_thread(&mut self, thread: &Thread) {
        let found: u64 = thread.blocked.values().sum();
        for (blocked, count) in &thread.blocked {
            let share = thread.off.mul_f64(*count as f64 / found as f64);
            let leaf = format!("(blocked in {})", blocked.call);
            let end = match blocked.is_whole {
                true => StackEnd::Root,
                false => StackEnd::Lost,
            };
            self.add(thread, &leaf, (&blocked.stack, end), *count, share);
        }
        let nothing: Arc<[usize]> = Arc::from([]);
        let off = if found == 0 {
            thread.off
        } else {
            Duration::ZERO
        };
        for (time, leaf) in [
            (off, "(waiting, for shorter than can be seen)"),
            (thread.queued, "(waiting for a processor)"),
        ] {
            if !time.is_zero() {
                self.add(thread, leaf, (&nothing, StackEnd::Root), 0, time);
            }
        }
    }

    fn add(
        &mut self,
        thread: &Thread,
        leaf: &str,
        (stack, end): (&Arc<[usize]>, StackEnd),
        count: u64,
        time: Duration,
    ) {
        let key = Key {
            stack: Arc::clone(stack),
            end,
            thread: Arc::clone(&thread.name),
            task: None,
            request: None,
        };
        if !self.view.has(&key) {
            return;
        }
        let place = Place::of(&key);
        let mut frames = vec![Frame::named(leaf)];
        frames.extend(stack.iter().copied().map(Frame::Address));
        if !self.view.full_runtime {
            self.is_folded |= self.runtime.fold(&mut frames);
        }
        if end == StackEnd::Lost && !stack.is_empty() {
            frames.push(Frame::named(LOST));
        }
        frames.extend(self.view.root(&key, place));
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let nanoseconds = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        self.samples.push(Sample {
            stack: frames,
            values: vec![count, nanoseconds],
            labels: labels::labels(&key, place),
        });
    }
}
