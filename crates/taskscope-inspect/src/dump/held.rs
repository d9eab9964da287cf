//! The tasks of one dump, held so that they can be read one after the other.
//!
//! For each task, its record and a few numbers are stored: 29 bytes in all. Its description exists
//! only while it is visited. The tables are reserved before anything else is done, so that a
//! process without memory gets an error and does not abort. Not here: how tasks are asked for
//! captures (`request.rs`) and read (`reader.rs`, `read.rs`).

use std::collections::TryReserveError;
use std::fmt;
use std::ops::ControlFlow;
use std::time::{Instant, SystemTime};

use tokio::runtime::Id;

use super::read::{self, Captures, ReadContext};
use super::reader::{self, Reader};
use super::request::{self, Lines};
use super::trace_cache::TraceCache;
use super::{Dump, DumpOptions, NoMemory, Parents, Stacks, TaskDump, lost_wakeups};
use crate::ResourceDump;
use crate::evidence::Moments;
use crate::record::Hold;
use crate::runtime::Tally;
use crate::{clock, pool, resources, runtime, watchdog};

/// Tasks that are read between two readings of the clock.
const BY_ONE_CLOCK: usize = 1024;

/// The tasks of a dump that is under way: see [`DumpOptions::hold`].
///
/// Until this is dropped, the record of a task that ends stays in use, and no new task gets it.
pub struct HeldTasks {
    options: DumpOptions,
    taken_at: SystemTime,
    started: Instant,
    /// `started` in raw ticks.
    began: u64,
    tally: Tally,
    /// Oldest first.
    holds: Vec<Hold>,
    /// Polls of each task when the dump began.
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

impl DumpOptions {
    /// Holds the tasks that the dump is about, to be visited one after the other: to sum up or
    /// write so many tasks that a [`Dump`] of them would be too large.
    ///
    /// # Errors
    ///
    /// If there is no memory for 29 bytes a task.
    ///
    /// # Examples
    ///
    /// ```
    /// use taskscope::DumpOptions;
    ///
    /// let mut held = DumpOptions::new().hold()?;
    /// let mut detached = 0;
    /// let dump = held.capture(&mut |_, task| detached += usize::from(task.detached.is_some()));
    /// assert_eq!((detached, dump.untracked()), (0, 0));
    /// # Ok::<(), taskscope::dump::NoMemory>(())
    /// ```
    ///
    /// # Overhead
    ///
    /// Records of tasks that end meanwhile are not used again until this is dropped.
    pub fn hold(self) -> Result<HeldTasks, NoMemory> {
        HeldTasks::new(self)
    }
}

impl HeldTasks {
    fn new(options: DumpOptions) -> Result<HeldTasks, NoMemory> {
        let taken_at = SystemTime::now();
        let started = Instant::now();
        let began = clock::precise_if_in_use();
        let mut tally = Tally::default();
        let mut selected = pool::live()
            .inspect(|hold| tally.add(hold.record()))
            .filter(|hold| options.selects(hold, began));
        let mut holds: Vec<Hold> = Vec::new();
        let mut left_out = 0;
        for hold in &mut selected {
            if options.limit == 0 && options.verdicts.is_empty() {
                // The dump is about the runtimes alone.
                left_out += 1;
                continue;
            }
            if holds.try_reserve(1).is_err() {
                return Err(NoMemory::for_tasks(holds.len() + 1 + selected.count()));
            }
            holds.push(hold);
        }
        drop(selected);
        let tasks = holds.len();
        let no_memory = |_: TryReserveError| NoMemory::for_tasks(tasks);
        let mut holds = oldest_first(holds).map_err(no_memory)?;
        if !options.verdicts.is_empty() {
            let moments = Moments { began, now: began };
            let mut cache = TraceCache::default();
            holds.retain(|hold| {
                let task = read::read(hold, ReadContext::RECORD_ONLY, moments, &mut cache);
                task.is_some_and(|task| options.selects_verdict(task.verdict))
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

    /// Number of tasks. Some may end before they are visited.
    #[must_use]
    pub fn len(&self) -> usize {
        self.holds.len()
    }

    /// Whether there is no task.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.holds.is_empty()
    }

    /// The resources that are held, as in [`Dump::resources`]: to be read before the tasks are.
    /// Empty after [`capture`](Self::capture), which moves them into the dump that it returns.
    #[must_use]
    pub fn resources(&self) -> &[ResourceDump] {
        &self.resources
    }

    /// Captures the tasks that need it, and gives each task to `visit`, with its place among all of
    /// them, oldest first.
    ///
    /// The places come mostly in order: a task that moves is visited at the end. Returns the dump
    /// without its tasks. All else is as in [`DumpOptions::capture_blocking`].
    pub fn capture(&mut self, visit: &mut dyn FnMut(usize, TaskDump)) -> Dump {
        let options = &self.options;
        let (holds, polls) = (&self.holds[..], &self.polls[..]);
        let began = (self.started, self.began);
        let mut reader = Reader::new(holds, polls, options.stacks, began, visit);
        let mut now = None;
        if options.stacks == Stacks::Fresh && !holds.is_empty() {
            callstack::refresh();
            let deadline = self.started + options.deadline;
            // Whether a task spins is known only at the end, and with it the verdict.
            let ahead = options.verdicts.is_empty();
            request::for_captures(holds, &mut self.lines, deadline, options.stall, |awaited| {
                if ahead {
                    reader.read_ahead(awaited);
                }
            });
            reader::watch_moving(holds, polls, self.started, deadline);
            lost_wakeups::keep(holds, &self.since, self.began);
            // Polls that became too long just now: as of the same moment as those that are called
            // blocking below.
            let caught_at = clock::precise();
            watchdog::catch_late(caught_at, deadline);
            now = Some(caught_at);
        }
        let now = now.unwrap_or_else(clock::precise_if_in_use);
        let missed = reader.finish(now, |task| options.selects_verdict(task.verdict));
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

    /// Gives each task that is still alive to `visit`, oldest first, and releases it afterwards.
    /// `visit` may stop this. No task is asked for a capture.
    ///
    /// For a second pass after [`capture`](Self::capture): changes since then are shown.
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
            let context = ReadContext {
                captures,
                polls,
                watched: (captures == Captures::Fresh).then(|| self.started.elapsed()),
            };
            let task = read::read(&hold, context, moments, &mut cache);
            let selected = task.filter(|task| self.options.selects_verdict(task.verdict));
            if selected.is_some_and(|task| visit(task).is_break()) {
                return;
            }
        }
    }

    /// The task with this id as it is now, if it is one of these and still alive. It is not asked
    /// for a capture.
    #[must_use]
    pub fn task(&self, id: u64) -> Option<TaskDump> {
        let is_it = |hold: &Hold| hold.record().id() == id;
        self.at(self.holds.iter().position(is_it)?)
    }

    /// The task at this place, as it is now, if it is still alive; the oldest is at 0. It is not
    /// asked for a capture.
    ///
    /// The place is the one that [`capture`](Self::capture) gives to `visit`. It does not change
    /// while the tasks are held.
    #[must_use]
    pub fn at(&self, place: usize) -> Option<TaskDump> {
        let (hold, polls) = (self.holds.get(place)?, *self.polls.get(place)?);
        let captures = Captures::of(self.options.stacks);
        let context = ReadContext {
            captures,
            polls,
            watched: (captures == Captures::Fresh).then(|| self.started.elapsed()),
        };
        let moments = Moments {
            began: self.began,
            now: clock::precise_if_in_use(),
        };
        read::read(hold, context, moments, &mut TraceCache::default())
    }

    /// The tasks among these that have spawned others of them.
    ///
    /// # Errors
    ///
    /// If there is no memory for the list.
    pub fn parents(&self) -> Result<Parents, NoMemory> {
        let no_memory = |_: TryReserveError| NoMemory::for_tasks(self.holds.len());
        let mut ids: Vec<u64> = Vec::new();
        for hold in &self.holds {
            let parent = hold.meta().parent;
            // Children of one parent mostly come one after the other.
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
    /// Whether the dump is about this task, as far as its record tells without a verdict.
    fn selects(&self, hold: &Hold, now: u64) -> bool {
        let (record, meta) = (hold.record(), hold.meta());
        let scope = meta.scope.as_ref();
        let on = |id: Id| runtime::get(record.runtime()).is_some_and(|entry| entry.id() == id);
        self.runtime.is_none_or(on)
            && self.scope.as_ref().is_none_or(|selected| {
                scope.is_some_and(|scope| selected.facts().contains(&**scope))
            })
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

/// Sorts by the time of spawning, and by tokio's id where the clock does not tell two apart.
fn oldest_first(holds: Vec<Hold>) -> Result<Vec<Hold>, TryReserveError> {
    let order = |hold: &Hold| (hold.meta().spawned_at, hold.record().id());
    if holds.is_sorted_by_key(order) {
        return Ok(holds);
    }
    // A task may get its id meanwhile, and sorting panics if the order changes under it: so each
    // key is read once.
    let mut keyed = Vec::new();
    keyed.try_reserve_exact(holds.len())?;
    keyed.extend(holds.into_iter().map(|hold| (order(&hold), hold)));
    keyed.sort_unstable_by_key(|(order, _)| *order);
    // Collected in place: the same memory is used again.
    Ok(keyed.into_iter().map(|(_, hold)| hold).collect())
}
