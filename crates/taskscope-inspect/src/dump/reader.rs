//! Reading all tasks of a dump, one after the other: partly while captures of others are still under way.
//!
//! Each task is given away as soon as it has been read. Not here: how one task is read (`read.rs`); which are asked for captures (`request.rs`).

use std::time::{Duration, Instant};

use super::read::{self, Asked, Captures};
use super::trace_cache::TraceCache;
use super::{Missed, Stacks, State, TaskDump};
use crate::clock;
use crate::evidence::Moments;
use crate::record::Hold;
use taskscope_core::NoTrace;

/// Tasks that are read at a time while captures are under way, so that those who capture do not run out of work.
const AHEAD: usize = 4096;

/// Polls of a task in a dump that the dump's own captures explain.
const EXPLAINED: u64 = 3;

/// Whether a task is polled more often than the dump's own captures explain.
pub(super) fn moves(hold: &Hold, polls_before: u64) -> bool {
    hold.record().polls() > polls_before + EXPLAINED
}

pub(super) struct Reader<'a> {
    holds: &'a [Hold],
    /// Their polls when the dump began.
    polls: &'a [u64],
    captures: Captures,
    started: Instant,
    /// The same in raw ticks.
    began: u64,
    cache: TraceCache,
    /// Is told each task, and its place among all.
    visit: &'a mut dyn FnMut(usize, TaskDump),
    /// The first that has not been read.
    next: usize,
    /// Those that have to be looked at again.
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
                self.tell(at, task);
            }
        }
    }

    /// Reads the rest, and again what was moving.
    pub(super) fn finish(mut self, now: u64, wanted: impl Fn(&TaskDump) -> bool) -> Missed {
        let watched = self.watched();
        // One that has ended meanwhile is no live task any more.
        for at in std::mem::take(&mut self.moving) {
            if let Some(task) = self.read(at, now, watched) {
                self.tell(at, task);
            }
        }
        for at in self.next..self.holds.len() {
            if let Some(task) = self.read(at, now, watched).filter(&wanted) {
                self.tell(at, task);
            }
        }
        self.missed
    }

    fn tell(&mut self, at: usize, task: TaskDump) {
        self.missed.count(&task);
        (self.visit)(at, task);
    }

    fn watched(&self) -> Option<Duration> {
        (self.captures == Captures::Fresh).then(|| self.started.elapsed())
    }

    fn read(&mut self, at: usize, now: u64, watched: Option<Duration>) -> Option<TaskDump> {
        let asked = Asked {
            captures: self.captures,
            polls: self.polls[at],
            watched,
        };
        let moments = Moments {
            began: self.began,
            now,
        };
        read::read(&self.holds[at], asked, moments, &mut self.cache)
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
            // There is none to be had.
            Err(NoTrace::Call) => {}
            // Not in a dump.
            // `Ended` and `NoRoom` are for sums of time.
            Err(_) => {}
        }
    }
}
