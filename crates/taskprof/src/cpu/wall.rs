//! Time on the wall, of all threads: what they did while they ran, and where they waited while they did not.
//!
//! The kernel says exactly how long each thread ran, waited for a processor, and did neither. Running time is divided by samples of the CPU; time that a thread neither ran
//! nor wanted to is divided by looks at it: its stack is read while it is blocked in a system call, without a signal, so no call returns early. A look every
//! [`EVERY`], seldom enough to take a twentieth of one processor at the most.
//!
//! Not here: how a blocked thread is read (`callstack`), what tasks wait for (the source `block`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use callstack::thread::{Tid, capture_blocked};

use super::choice::Choice;
use super::labels::{self, Place};
use super::recording::{Key, Recording};
use crate::offload::CancelCheck;
use crate::profile::{Frame, Profile, Sample, SampleType};
use crate::sampler::StackEnd;

/// The time between two looks.
pub(super) const EVERY: Duration = Duration::from_millis(50);
/// It is so many times as long as a look takes, at least.
const REST: u32 = 20;
/// Threads that are looked at; the time of others is counted.
const MAX_THREADS: usize = 1024;
/// Different stacks of one thread; others are known by their call only.
const MAX_STACKS: usize = 256;

/// The thread that looks.
pub(super) const THREAD: &str = "taskprof-wall";

/// What all threads waited for.
#[derive(Debug, Default)]
pub(super) struct Waits {
    threads: BTreeMap<u32, Thread>,
    looks: u64,
    left_out: usize,
    /// Looks at which a thread was blocked and could not be read.
    unseen: u64,
}

#[derive(Debug)]
struct Thread {
    name: Arc<str>,
    before: Times,
    /// Neither running nor waiting for a processor.
    off: Duration,
    queued: Duration,
    blocked: HashMap<Blocked, u64>,
}

/// As of one look.
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

/// Looks for so long. Ends early if nobody wants it any more.
pub(super) fn watch(duration: Duration, cancel: &CancelCheck) -> Waits {
    let own = Tid::current().as_raw();
    let end = Instant::now() + duration;
    let mut waits = Waits::default();
    callstack::refresh();
    loop {
        let began = Instant::now();
        waits.look(own);
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
    fn look(&mut self, own: u32) {
        self.looks += 1;
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
                Err(callstack::thread::NotBlocked::Unseen) => self.unseen += 1,
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
    /// `None`: the thread has ended, or the kernel does not count.
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

/// Adds what was waited for to a profile of the CPU, whose columns become those of time on the wall.
pub(super) fn add(
    mut profile: Profile,
    waits: &Waits,
    choice: &Choice,
    recorded: &Recording,
) -> Profile {
    let wall = SampleType::new("wall", "nanoseconds");
    profile.sample_types = vec![SampleType::new("samples", "count"), wall.clone()];
    profile.period_type = Some(wall);
    for thread in waits.threads.values() {
        let looks: u64 = thread.blocked.values().sum();
        for (blocked, count) in &thread.blocked {
            let share = thread.off.as_secs_f64() * *count as f64 / looks as f64;
            let leaf = Frame::named(format!("(blocked in {})", blocked.call));
            let stack = &blocked.stack;
            let end = match blocked.is_whole {
                true => StackEnd::Root,
                false => StackEnd::Lost,
            };
            put(
                &mut profile,
                choice,
                thread,
                leaf,
                (stack, end),
                *count,
                share,
            );
        }
        let nothing: &Arc<[usize]> = &Arc::from([]);
        let off = if looks == 0 {
            thread.off
        } else {
            Duration::ZERO
        };
        for (time, what) in [
            (off, "(waiting, for shorter than can be seen)"),
            (thread.queued, "(waiting for a processor)"),
        ] {
            if !time.is_zero() {
                let leaf = Frame::named(what);
                put(
                    &mut profile,
                    choice,
                    thread,
                    leaf,
                    (nothing, StackEnd::Root),
                    0,
                    time.as_secs_f64(),
                );
            }
        }
    }
    profile.aggregate();
    let threads = waits.threads.len();
    profile.comments.insert(
        0,
        format!(
            "time on the wall of {threads} threads in {:.3} s: running by samples of the CPU, waiting by {} looks at blocked threads, without a signal",
            recorded.duration.as_secs_f64(),
            waits.looks
        ),
    );
    profile.comments.insert(
        1,
        "of threads only: what tasks wait for is in the profile block".to_owned(),
    );
    if waits.unseen > 0 {
        profile.comments.push(format!(
            "{} times a thread could not be looked at, because the system does not tell what it does",
            waits.unseen
        ));
    }
    if waits.left_out > 0 {
        profile.comments.push(format!(
            "{} threads were not looked at, because there are more than {MAX_THREADS}",
            waits.left_out
        ));
    }
    profile
}

fn put(
    profile: &mut Profile,
    choice: &Choice,
    thread: &Thread,
    leaf: Frame,
    (stack, end): (&Arc<[usize]>, StackEnd),
    count: u64,
    seconds: f64,
) {
    let key = Key {
        stack: Arc::clone(stack),
        end,
        thread: Arc::clone(&thread.name),
        task: None,
        request: None,
    };
    if !choice.has(&key) {
        return;
    }
    let place = Place::of(&key);
    let mut frames = vec![leaf];
    frames.extend(stack.iter().copied().map(Frame::Address));
    if end == StackEnd::Lost && !stack.is_empty() {
        frames.push(Frame::named(super::profile::LOST));
    }
    frames.extend(choice.root(&key, place));
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    profile.samples.push(Sample {
        stack: frames,
        values: vec![count, (seconds * 1e9) as i64],
        labels: labels::labels(&key, place),
    });
}
