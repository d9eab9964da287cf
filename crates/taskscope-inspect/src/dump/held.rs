//! The tasks of one dump, held so that they can be read one after the other.
//!
//! What is kept for a task is its record and a few numbers, 29 bytes in all; what is said of it exists only while it is visited. The tables are reserved before anything else is done,
//! so that a process without memory gets an error and does not abort. Not here: how tasks are asked (`request.rs`) and read (`reader.rs`, `read.rs`).

use std::collections::TryReserveError;
use std::fmt;
use std::ops::ControlFlow;
use std::time::{Instant, SystemTime};

use tokio::runtime::Id;

use super::read::{self, Asked, Captures};
use super::reader::Reader;
use super::request::{self, Lines};
use super::trace_cache::TraceCache;
use super::{Dump, DumpOptions, NoMemory, Parents, Stacks, TaskDump};
use crate::ResourceDump;
use crate::evidence::Moments;
use crate::record::Hold;
use crate::runtime::Tally;
use crate::{clock, pool, resources, runtime, watchdog};

/// Tasks that are read again by one reading of the clock.
const BY_ONE_CLOCK: usize = 1024;

/// The tasks of a dump that is under way: see [`DumpOptions::hold`].
///
/// Until this is dropped, the record of a task that ends stays in use, and no new task gets it.
pub struct HeldTasks {
    options: DumpOptions,
    taken_at: SystemTime,
    started: Instant,
    /// The same in raw ticks.
    began: u64,
    tally: Tally,
    /// Oldest first.
    holds: Vec<Hold>,
    /// Polls of each when the dump began, and when it last did anything before.
    polls: Vec<u64>,
    since: Vec<u64>,
    lines: Lines,
    left_out: usize,
    resources: Vec<ResourceDump>,
}

impl fmt::Debug for HeldTasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldTasks")
            .field("options", &self.options)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl HeldTasks {
    pub(super) fn new(options: DumpOptions) -> Result<HeldTasks, NoMemory> {
        let taken_at = SystemTime::now();
        let started = Instant::now();
        let began = clock::precise_if_in_use();
        let mut tally = Tally::default();
        let mut wanted = pool::live()
            .inspect(|hold| tally.add(hold.record()))
            .filter(|hold| options.wants(hold, began));
        let mut holds: Vec<Hold> = Vec::new();
        let mut left_out = 0;
        for hold in &mut wanted {
            if options.limit == 0 && options.verdicts.is_empty() {
                // Nothing but the runtimes was asked for.
                left_out += 1;
                continue;
            }
            if holds.try_reserve(1).is_err() {
                return Err(NoMemory::for_tasks(holds.len() + 1 + wanted.count()));
            }
            holds.push(hold);
        }
        drop(wanted);
        let tasks = holds.len();
        let no_memory = |_: TryReserveError| NoMemory::for_tasks(tasks);
        let mut holds = oldest_first(holds).map_err(no_memory)?;
        if !options.verdicts.is_empty() {
            let moments = Moments { began, now: began };
            let mut cache = TraceCache::default();
            holds.retain(|hold| {
                let task = read::read(hold, Asked::NOTHING, moments, &mut cache);
                task.is_some_and(|task| options.wants_verdict(task.verdict))
            });
        }
        left_out += holds.len().saturating_sub(options.limit);
        holds.truncate(options.limit);
        let (mut polls, mut since, mut lines) = (Vec::new(), Vec::new(), Lines::default());
        polls.try_reserve_exact(holds.len()).map_err(no_memory)?;
        since.try_reserve_exact(holds.len()).map_err(no_memory)?;
        lines.reserve(holds.len()).map_err(no_memory)?;
        polls.extend(holds.iter().map(|hold| {
            hold.record().forget_wakers();
            hold.record().polls()
        }));
        since.extend(holds.iter().map(|hold| hold.record().since()));
        let resources = resources::collect(options.scope.as_ref(), options.runtime, began);
        Ok(HeldTasks {
            options,
            resources,
            taken_at,
            started,
            began,
            tally,
            holds,
            polls,
            since,
            lines,
            left_out,
        })
    }

    /// How many they are. Some may end before they are visited.
    #[must_use]
    pub fn len(&self) -> usize {
        self.holds.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.holds.is_empty()
    }

    /// The resources that are held, as [`Dump::resources`]: to be looked at before the tasks are. None after [`capture`](Self::capture), whose answer has them.
    #[must_use]
    pub fn resources(&self) -> &[ResourceDump] {
        &self.resources
    }

    /// Captures those that have to be captured, and gives each task to `visit`, with its place among them, oldest first.
    ///
    /// The places come mostly in order: a task that moves is visited at the end. The answer is the dump without its tasks. Everything is as in
    /// [`DumpOptions::capture_blocking`].
    pub fn capture(&mut self, visit: &mut dyn FnMut(usize, TaskDump)) -> Dump {
        let options = &self.options;
        let (holds, polls) = (&self.holds[..], &self.polls[..]);
        let began = (self.started, self.began);
        let mut reader = Reader::new(holds, polls, options.stacks, began, visit);
        let mut now = None;
        if options.stacks == Stacks::Fresh && !holds.is_empty() {
            callstack::refresh();
            let deadline = self.started + options.deadline;
            // Whether a task spins, and with it its verdict, is only known in the end.
            let ahead = options.verdicts.is_empty();
            request::for_captures(holds, &mut self.lines, deadline, options.stall, |awaited| {
                if ahead {
                    reader.read_ahead(awaited);
                }
            });
            super::collect::watch(holds, polls, self.started, deadline);
            super::collect::keep_lost_wakeups(holds, &self.since, self.began);
            // Polls that began to take too long just now: those that are called blocking below, as of the same moment.
            let caught_at = clock::precise();
            watchdog::catch_late(caught_at, deadline);
            now = Some(caught_at);
        }
        let now = now.unwrap_or_else(clock::precise_if_in_use);
        let missed = reader.finish(now, |task| options.wants_verdict(task.verdict));
        let mut runtimes = self.tally.runtimes();
        runtimes.retain(|info| options.runtime.is_none_or(|id| info.id == id));
        Dump {
            taken_at: self.taken_at,
            took: self.started.elapsed(),
            tasks: Vec::new(),
            left_out: self.left_out,
            resources: std::mem::take(&mut self.resources),
            runtimes,
            missed,
        }
    }

    /// Gives each task that is still alive to `visit`, oldest first, asks none again, and lets each go afterwards. `visit` may end it.
    ///
    /// For a second look, after [`capture`](Self::capture): what has changed since is shown as it is now.
    pub fn read(self, visit: &mut dyn FnMut(TaskDump) -> ControlFlow<()>) {
        let captures = Captures::of(self.options.stacks);
        let mut cache = TraceCache::default();
        let mut moments = Moments {
            began: self.began,
            now: self.began,
        };
        for (at, (hold, polls)) in self.holds.into_iter().zip(self.polls).enumerate() {
            if at % BY_ONE_CLOCK == 0 {
                moments.now = clock::precise_if_in_use();
            }
            let asked = Asked {
                captures,
                polls,
                watched: (captures == Captures::Fresh).then(|| self.started.elapsed()),
            };
            let task = read::read(&hold, asked, moments, &mut cache);
            let wanted = task.filter(|task| self.options.wants_verdict(task.verdict));
            if wanted.is_some_and(|task| visit(task).is_break()) {
                return;
            }
        }
    }

    /// The task with this id as it is now, if it is one of them and still alive. Nothing is asked.
    #[must_use]
    pub fn task(&self, id: u64) -> Option<TaskDump> {
        let is_it = |hold: &Hold| hold.record().id() == id;
        self.at(self.holds.iter().position(is_it)?)
    }

    /// The task at this place among them, the oldest at 0, as it is now, if it is still alive. Nothing is asked.
    ///
    /// The place is the one that [`capture`](Self::capture) tells, and stays while these are held.
    #[must_use]
    pub fn at(&self, place: usize) -> Option<TaskDump> {
        let (hold, polls) = (self.holds.get(place)?, *self.polls.get(place)?);
        let captures = Captures::of(self.options.stacks);
        let asked = Asked {
            captures,
            polls,
            watched: (captures == Captures::Fresh).then(|| self.started.elapsed()),
        };
        let moments = Moments {
            began: self.began,
            now: clock::precise_if_in_use(),
        };
        read::read(hold, asked, moments, &mut TraceCache::default())
    }

    /// Those of them that have spawned others of them.
    ///
    /// # Errors
    ///
    /// If there is no memory for the list.
    pub fn parents(&self) -> Result<Parents, NoMemory> {
        let no_memory = |_: TryReserveError| NoMemory::for_tasks(self.holds.len());
        let mut ids: Vec<u64> = Vec::new();
        for hold in &self.holds {
            let parent = hold.meta().parent;
            // Children mostly come one after the other.
            if parent != 0 && ids.last() != Some(&parent) {
                ids.try_reserve(1).map_err(no_memory)?;
                ids.push(parent);
            }
        }
        ids.sort_unstable();
        ids.dedup();
        let mut named = Vec::new();
        for hold in &self.holds {
            let record = hold.record();
            if ids.binary_search(&record.id()).is_ok() {
                named.try_reserve(1).map_err(no_memory)?;
                named.push((record.id(), record.name()));
            }
        }
        named.sort_unstable_by_key(|(id, _)| *id);
        Ok(Parents(named))
    }
}

impl DumpOptions {
    /// Whether a task is to be looked at, as far as that can be told without looking.
    fn wants(&self, hold: &Hold, now: u64) -> bool {
        let (record, meta) = (hold.record(), hold.meta());
        let scope = meta.scope.as_ref();
        let on = |id: Id| runtime::get(record.runtime()).is_some_and(|entry| entry.id() == id);
        self.runtime.is_none_or(on)
            && self
                .scope
                .as_ref()
                .is_none_or(|wanted| scope.is_some_and(|scope| wanted.facts().contains(&**scope)))
            && self
                .scope_name
                .as_deref()
                .is_none_or(|name| scope.is_some_and(|scope| scope.is_within(name)))
            && self
                .name
                .as_deref()
                .is_none_or(|name| record.name().as_deref() == Some(name))
            && (self.min_age.is_zero() || clock::between(meta.spawned_at, now) >= self.min_age)
    }
}

/// Sorts by the time of birth. Tokio's ids tell apart what the clock does not.
fn oldest_first(holds: Vec<Hold>) -> Result<Vec<Hold>, TryReserveError> {
    let order = |hold: &Hold| (hold.meta().spawned_at, hold.record().id());
    if holds.is_sorted_by_key(order) {
        return Ok(holds);
    }
    // A task may get its id meanwhile, and sorting panics if the order changes under it: so each is asked once.
    let mut keyed = Vec::new();
    keyed.try_reserve_exact(holds.len())?;
    keyed.extend(holds.into_iter().map(|hold| (order(&hold), hold)));
    keyed.sort_unstable_by_key(|(order, _)| *order);
    // In the same memory, which is made smaller.
    Ok(keyed.into_iter().map(|(_, hold)| hold).collect())
}
