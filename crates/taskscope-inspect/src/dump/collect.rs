//! The work of a dump, on the thread that called.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;

use super::held::HeldTasks;
use super::read::{self, Asked, Captures};
use super::trace_cache::TraceCache;
use super::{Dump, DumpOptions, Missed, Stacks, TaskDump, reader};
use crate::evidence::Moments;
use crate::record::Hold;
use crate::verdict::WATCH;
use crate::{Verdict, clock, lost_wakeups, pool};
use taskscope_core::scope_info::ScopeFacts;

/// A wake comes so soon after what it is about, also on a machine under load.
const WAKE_FOLLOWS: Duration = Duration::from_millis(50);

pub(super) fn collect(options: &DumpOptions) -> Dump {
    let mut held = match HeldTasks::new(options.clone()) {
        Ok(held) => held,
        Err(why) => return without_tasks(why.tasks()),
    };
    let mut tasks: Vec<(usize, TaskDump)> = Vec::new();
    // If it fails, there is room for some of them all the same.
    let _ = tasks.try_reserve_exact(held.len());
    let mut no_room = 0;
    let mut dump = held.capture(&mut |at, task| match tasks.try_reserve(1) {
        Ok(()) => tasks.push((at, task)),
        Err(_) => no_room += 1,
    });
    drop(held);
    if !tasks.is_sorted_by_key(|(at, _)| *at) {
        tasks.sort_unstable_by_key(|(at, _)| *at);
    }
    dump.tasks = tasks.into_iter().map(|(_, task)| task).collect();
    dump.left_out += no_room;
    dump
}

/// There is no memory for any of so many.
fn without_tasks(tasks: usize) -> Dump {
    Dump {
        taken_at: SystemTime::now(),
        took: Duration::ZERO,
        tasks: Vec::new(),
        resources: Vec::new(),
        left_out: tasks,
        runtimes: Vec::new(),
        missed: Missed::default(),
    }
}

/// Takes the dump on a thread of its own.
pub(super) async fn on_thread(asked: DumpOptions) -> Dump {
    let (sender, receiver) = oneshot::channel();
    let options = asked.clone();
    let started = thread::Builder::new()
        .name("taskscope-dump".into())
        .spawn(move || {
            // A dump that nobody waits for any more is dropped here.
            let _ = sender.send(collect(&options));
        });
    if started.is_ok()
        && let Ok(dump) = receiver.await
    {
        return dump;
    }
    collect(&DumpOptions {
        stacks: Stacks::Cached,
        ..asked
    })
}

impl DumpOptions {
    /// Whether tasks with this verdict are to be shown.
    pub(super) fn wants_verdict(&self, verdict: Verdict) -> bool {
        self.verdicts.is_empty() || self.verdicts.contains(&verdict)
    }
}

/// Keeps those that have ended only because they were polled for their stacks.
///
/// `since`: when each last did anything before.
pub(super) fn keep_lost_wakeups(holds: &[Hold], since: &[u64], began: u64) {
    let ended = |hold: &&Hold| hold.record().ended_unwoken();
    if !holds.iter().any(|hold| ended(&hold)) {
        return;
    }
    // Whoever had just made a task ready is about to wake it.
    thread::sleep(WAKE_FOLLOWS);
    let moments = Moments { began, now: began };
    let mut cache = TraceCache::default();
    for (hold, since) in holds.iter().zip(since).filter(|(hold, _)| ended(hold)) {
        lost_wakeups::add(read::ended_unwoken(hold, *since, moments, &mut cache));
    }
}

/// If tasks are polled more often than the dump's own capture explains, looks at them for long enough to tell a task that spins.
pub(super) fn watch(holds: &[Hold], polls: &[u64], started: Instant, deadline: Instant) {
    let moves = |(hold, polls): (&Hold, &u64)| reader::moves(hold, *polls);
    let until = deadline.min(started + WATCH);
    let left = until.saturating_duration_since(Instant::now());
    if !left.is_zero() && holds.iter().zip(polls).any(moves) {
        thread::sleep(left);
    }
}

/// The live tasks of those scopes, with what is known of them without asking.
#[must_use]
pub fn of_scopes(wanted: &dyn Fn(&dyn ScopeFacts) -> bool) -> Vec<TaskDump> {
    let is_wanted = |hold: &Hold| {
        hold.meta()
            .scope
            .as_deref()
            .is_some_and(|scope| wanted(scope))
    };
    let holds = pool::live().filter(is_wanted);
    let mut cache = TraceCache::default();
    let now = clock::precise_if_in_use();
    let moments = Moments { began: now, now };
    let asked = Asked {
        captures: Captures::Cached,
        ..Asked::NOTHING
    };
    holds
        .filter_map(|hold| read::read(&hold, asked, moments, &mut cache))
        .collect()
}
