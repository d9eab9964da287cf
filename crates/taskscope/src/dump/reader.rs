//! Reading all tasks of a dump, in their order: partly while captures of others are still under way.
//!
//! Not here: how one task is read (`read.rs`); which are asked for captures (`ask.rs`).

use std::time::{Duration, Instant};

use super::known::Known;
use super::read::{self, Asked, Captures};
use super::{Missed, NoTrace, Stacks, State, TaskDump};
use crate::clock;
use crate::evidence::Moments;
use crate::record::Hold;

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
    known: Known,
    tasks: Vec<TaskDump>,
    /// The first that has not been read.
    next: usize,
    /// Those that have to be looked at again, and their places in `tasks`.
    moving: Vec<(usize, usize)>,
    missed: Missed,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        holds: &'a [Hold],
        polls: &'a [u64],
        stacks: Stacks,
        (started, began): (Instant, u64),
    ) -> Reader<'a> {
        Reader {
            holds,
            polls,
            captures: match stacks {
                Stacks::Fresh => Captures::Fresh,
                Stacks::Cached => Captures::Cached,
                Stacks::None => Captures::No,
            },
            started,
            began,
            known: Known::default(),
            tasks: Vec::with_capacity(holds.len()),
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
            if matches!(task.state, State::Running { .. }) || moves(&self.holds[at], self.polls[at])
            {
                self.moving.push((at, self.tasks.len()));
            } else {
                self.missed.count(&task);
            }
            self.tasks.push(task);
        }
    }

    /// Reads the rest, and again what was moving.
    pub(super) fn finish(
        mut self,
        now: u64,
        wanted: impl Fn(&TaskDump) -> bool,
    ) -> (Vec<TaskDump>, Missed) {
        let watched = self.watched();
        for (at, place) in std::mem::take(&mut self.moving) {
            // One that has ended meanwhile was alive when it was read before.
            if let Some(task) = self.read(at, now, watched) {
                self.tasks[place] = task;
            }
            self.missed.count(&self.tasks[place]);
        }
        for at in self.next..self.holds.len() {
            if let Some(task) = self.read(at, now, watched).filter(&wanted) {
                self.missed.count(&task);
                self.tasks.push(task);
            }
        }
        (self.tasks, self.missed)
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
        read::read(&self.holds[at], asked, moments, &mut self.known)
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
            Err(NoTrace::Ended | NoTrace::NoRoom) => {}
        }
    }
}
