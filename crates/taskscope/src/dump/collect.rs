//! The work of a dump, on the thread that called.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tokio::runtime::Id;
use tokio::sync::oneshot;

use super::known::Known;
use super::read::{self, Asked, Captures};
use super::reader::{self, Reader};
use super::{Dump, DumpOptions, Stacks, TaskDump, ask};
use crate::evidence::Moments;
use crate::record::Hold;
use crate::runtime::Tally;
use crate::scope::ScopeInner;
use crate::verdict::WATCH;
use crate::{Verdict, clock, lost_wakeups, pool, resources, runtime, watchdog};

/// A wake comes so soon after what it is about, also on a machine under load.
const WAKE_FOLLOWS: Duration = Duration::from_millis(50);

pub(super) fn collect(options: &DumpOptions) -> Dump {
    let taken_at = SystemTime::now();
    let started = Instant::now();
    let runtime = options.runtime;
    let began = clock::precise_if_in_use();
    let mut tally = Tally::default();
    let mut holds: Vec<Hold> = pool::live()
        .inspect(|hold| tally.add(hold.record()))
        .filter(|hold| options.wants(hold, began))
        .collect();
    // Tokio's ids tell apart what the clock does not.
    let order = |hold: &Hold| (hold.meta().spawned_at, hold.record().id());
    if !holds.is_sorted_by_key(order) {
        // A task may get its id meanwhile, and sorting panics if the order changes under it.
        holds.sort_by_cached_key(order);
    }
    if !options.verdicts.is_empty() {
        let moments = Moments { began, now: began };
        holds.retain(|hold| {
            let task = read::read(hold, Asked::NOTHING, moments, &mut Known::default());
            task.is_some_and(|task| options.wants_verdict(task.verdict))
        });
    }
    let left_out = holds.len().saturating_sub(options.limit);
    holds.truncate(options.limit);
    let polls: Vec<u64> = holds
        .iter()
        .map(|hold| {
            hold.record().forget_wakers();
            hold.record().polls()
        })
        .collect();
    let since: Vec<u64> = holds.iter().map(|hold| hold.record().since()).collect();
    let mut reader = Reader::new(&holds, &polls, options.stacks, (started, began));
    let mut now = None;
    if options.stacks == Stacks::Fresh && !holds.is_empty() {
        callstack::refresh();
        let deadline = started + options.deadline;
        // Whether a task spins, and with it its verdict, is only known in the end.
        let ahead = options.verdicts.is_empty();
        ask::for_captures(&holds, deadline, options.stall, |awaited| {
            if ahead {
                reader.read_ahead(awaited);
            }
        });
        watch(&holds, &polls, started, deadline);
        keep_lost_wakeups(&holds, &since, began);
        // Polls that began to take too long just now: those that are called blocking below, as of the same moment.
        let caught_at = clock::precise();
        watchdog::catch_late(caught_at, deadline);
        now = Some(caught_at);
    }
    let now = now.unwrap_or_else(clock::precise_if_in_use);
    let (tasks, missed) = reader.finish(now, |task| options.wants_verdict(task.verdict));
    let mut runtimes = tally.runtimes();
    runtimes.retain(|info| runtime.is_none_or(|id| info.id == id));
    let resources = resources::collect(options.scope.as_ref(), options.runtime, began);
    Dump {
        taken_at,
        took: started.elapsed(),
        tasks,
        left_out,
        resources,
        runtimes,
        missed,
    }
}

/// Takes the dump on a thread of its own.
pub(super) async fn apart(asked: DumpOptions) -> Dump {
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
    /// Whether a task is to be looked at, as far as that can be told without looking.
    fn wants(&self, hold: &Hold, now: u64) -> bool {
        let (record, meta) = (hold.record(), hold.meta());
        let scope = meta.scope.as_ref();
        let on = |id: Id| runtime::get(record.runtime()).is_some_and(|entry| entry.id() == id);
        self.runtime.is_none_or(on)
            && self
                .scope
                .as_ref()
                .is_none_or(|wanted| wanted.contains(scope))
            && self.scope_name.as_deref().is_none_or(|name| {
                scope.is_some_and(|scope| scope.chain().any(|above| above.name() == name))
            })
            && self
                .name
                .as_deref()
                .is_none_or(|name| record.name().as_deref() == Some(name))
            && (self.min_age.is_zero() || clock::between(meta.spawned_at, now) >= self.min_age)
    }

    /// Whether tasks with this verdict are to be shown.
    fn wants_verdict(&self, verdict: Verdict) -> bool {
        self.verdicts.is_empty() || self.verdicts.contains(&verdict)
    }
}

/// Keeps those that have ended only because they were polled for their stacks.
///
/// `since`: when each last did anything before.
fn keep_lost_wakeups(holds: &[Hold], since: &[u64], began: u64) {
    let ended = |hold: &&Hold| hold.record().ended_unwoken();
    if !holds.iter().any(|hold| ended(&hold)) {
        return;
    }
    // Whoever had just made a task ready is about to wake it.
    thread::sleep(WAKE_FOLLOWS);
    let moments = Moments { began, now: began };
    let mut known = Known::default();
    for (hold, since) in holds.iter().zip(since).filter(|(hold, _)| ended(hold)) {
        lost_wakeups::add(read::ended_unwoken(hold, *since, moments, &mut known));
    }
}

/// If tasks are polled more often than the dump's own capture explains, looks at them for long enough to tell a task that spins.
fn watch(holds: &[Hold], polls: &[u64], started: Instant, deadline: Instant) {
    let moves = |(hold, polls): (&Hold, &u64)| reader::moves(hold, *polls);
    let until = deadline.min(started + WATCH);
    let left = until.saturating_duration_since(Instant::now());
    if !left.is_zero() && holds.iter().zip(polls).any(moves) {
        thread::sleep(left);
    }
}

/// The live tasks of those scopes, with what is known of them without asking.
pub(crate) fn of_scopes(wanted: &dyn Fn(&ScopeInner) -> bool) -> Vec<TaskDump> {
    let holds = pool::live().filter(|hold| hold.meta().scope.as_deref().is_some_and(wanted));
    let mut known = Known::default();
    let now = clock::precise_if_in_use();
    let moments = Moments { began: now, now };
    let asked = Asked {
        captures: Captures::Cached,
        ..Asked::NOTHING
    };
    holds
        .filter_map(|hold| read::read(&hold, asked, moments, &mut known))
        .collect()
}
