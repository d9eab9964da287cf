//! Reads all tasks of a dump, one after the other: partly while captures of others are still under
//! way.
//!
//! Each task is passed on as soon as it has been read. Not here: how one task is read (`read.rs`);
//! which are asked for captures (`request.rs`).

use std::thread;
use std::time::{Duration, Instant};

use super::read::{self, Captures, ReadContext};
use super::trace_cache::TraceCache;
use super::{Missed, Stacks, State, TaskDump};
use crate::clock;
use crate::evidence::Moments;
use crate::record::Hold;
use crate::verdict::WATCH;
use taskscope_core::NoTrace;

/// Tasks that are read at a time while captures are under way: few, so that the threads that
/// capture do not run out of work.
const AHEAD: usize = 4096;

/// Polls of a task that the dump's own captures explain.
const EXPLAINED: u64 = 3;

/// Whether a task is polled more often than the dump's own captures explain.
fn moves(hold: &Hold, polls_before: u64) -> bool {
    hold.record().polls() > polls_before + EXPLAINED
}

/// Waits until the tasks have been watched for long enough to tell one that spins.
///
/// Does nothing if no task was polled more often than the dump's own captures explain.
pub(super) fn watch_moving(holds: &[Hold], polls: &[u64], started: Instant, deadline: Instant) {
    let is_moving = |(hold, polls): (&Hold, &u64)| moves(hold, *polls);
    let until = deadline.min(started + WATCH);
    let left = until.saturating_duration_since(Instant::now());
    if !left.is_zero() && holds.iter().zip(polls).any(is_moving) {
        thread::sleep(left);
    }
}

pub(super) struct Reader<'a> {
    holds: &'a [Hold],
    /// Polls of each when the dump began.
    polls: &'a [u64],
    captures: Captures,
    started: Instant,
    /// `started` in raw ticks.
    began: u64,
    cache: TraceCache,
    /// Called with each task and its place among all.
    visit: &'a mut dyn FnMut(usize, TaskDump),
    /// Place of the first task that has not been read.
    next: usize,
    /// Places of the tasks that have to be read again.
    moving: Vec<usize>,
    missed: Missed,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        holds: &'a [Hold],
        polls: &'a [u64],
        stacks: Stacks,
        (started, began): (Instant, u64),
        visit: &'a mut dyn FnMut(usize, TaskDump),
    ) -> Reader<'a> {
        Reader {
            holds,
            polls,
            captures: Captures::of(stacks),
            started,
            began,
            cache: TraceCache::default(),
            visit,
            next: 0,
            moving: Vec::new(),
            missed: Missed::default(),
        }
    }

    /// Reads some tasks, up to the first that is still awaited.
    pub(super) fn read_ahead(&mut self, awaited: &[bool]) {
        let (now, watched) = (clock::precise(), self.watched());
        for _ in 0..AHEAD {
            if awaited.get(self.next).is_none_or(|awaited| *awaited) {
                return;
            }
            let at = self.next;
            self.next += 1;
            let Some(task) = self.read(at, now, watched) else {
                continue;
            };
            let moves = matches!(task.state, State::Running { .. })
                || moves(&self.holds[at], self.polls[at]);
            if moves && self.moving.try_reserve(1).is_ok() {
                self.moving.push(at);
            } else {
                self.emit(at, task);
            }
        }
    }

    /// Reads the rest, and once more the tasks that were moving.
    pub(super) fn finish(mut self, now: u64, selects: impl Fn(&TaskDump) -> bool) -> Missed {
        let watched = self.watched();
        // A task that has ended meanwhile is left out.
        for at in std::mem::take(&mut self.moving) {
            if let Some(task) = self.read(at, now, watched) {
                self.emit(at, task);
            }
        }
        for at in self.next..self.holds.len() {
            if let Some(task) = self.read(at, now, watched).filter(&selects) {
                self.emit(at, task);
            }
        }
        self.missed
    }

    fn emit(&mut self, at: usize, task: TaskDump) {
        self.missed.count(&task);
        (self.visit)(at, task);
    }

    fn watched(&self) -> Option<Duration> {
        (self.captures == Captures::Fresh).then(|| self.started.elapsed())
    }

    fn read(&mut self, at: usize, now: u64, watched: Option<Duration>) -> Option<TaskDump> {
        let context = ReadContext {
            captures: self.captures,
            polls: self.polls[at],
            watched,
        };
        let moments = Moments {
            began: self.began,
            now,
        };
        read::read(&self.holds[at], context, moments, &mut self.cache)
    }
}

impl Missed {
    fn count(&mut self, task: &TaskDump) {
        match task.trace {
            Ok(_) => {}
            Err(NoTrace::Running) => self.running += 1,
            Err(NoTrace::NoAnswer) => self.no_answer += 1,
            Err(NoTrace::NoWaker) => self.no_waker += 1,
            Err(NoTrace::NotAsked) => self.not_asked += 1,
            Err(NoTrace::NotAllowed) => self.not_allowed += 1,
            Err(NoTrace::Observed) => self.observed += 1,
            // A call on the blocking pool has no trace.
            Err(NoTrace::Call) => {}
            // `Ended` and `NoRoom` occur in sampling, not in a dump.
            Err(_) => {}
        }
    }
}
