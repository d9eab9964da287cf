//! The work of a dump, on the thread that called.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use callstack::Stack;
use tokio::runtime::Id;
use tokio::sync::oneshot;

use super::read::{self, Asked, Captures};
use super::{Dump, DumpOptions, Missed, NoTrace, Stacks, TaskDump, Trace};
use crate::capture::{self, Waiter};
use crate::record::{Hold, Record, Traits};
use crate::runtime::Census;
use crate::scope::ScopeInner;
use crate::verdict::WATCH;
use crate::{Verdict, clock, pool, resources, runtime, watchdog};

/// Tasks of one runtime that are asked at a time: enough to keep its workers busy for half a millisecond, few enough
/// that other tasks of the runtime do not notice.
const WINDOW: usize = 256;

/// How often a dump looks again while marks of another runtime keep it from being unparked.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

pub(super) fn collect(options: &DumpOptions) -> Dump {
    let taken_at = SystemTime::now();
    let started = Instant::now();
    let runtime = options.runtime;
    let began = clock::precise();
    let mut census = Census::default();
    let mut holds: Vec<Hold> = pool::live()
        .inspect(|hold| census.add(hold.record()))
        .filter(|hold| options.wants(hold, began))
        .collect();
    // Tokio's ids tell apart what the clock does not. A task may get its id meanwhile, and sorting panics if the order changes under it.
    holds.sort_by_cached_key(|hold| (hold.meta().spawned_at, hold.record().id()));
    if !options.verdicts.is_empty() {
        holds.retain(|hold| {
            let task = read::read(hold, Asked::NOTHING, began, &mut Traces::default());
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
    let mut caught_at = None;
    if options.stacks == Stacks::Fresh && !holds.is_empty() {
        callstack::refresh();
        let deadline = started + options.deadline;
        capture_all(&holds, deadline, options.stall);
        watch(&holds, &polls, started, deadline);
        // Polls that began to take too long just now: those that are called blocking below, as of the same moment.
        let now = clock::precise();
        watchdog::catch_late(now, deadline);
        caught_at = Some(now);
    }
    let captures = match options.stacks {
        Stacks::Fresh => Captures::Fresh,
        Stacks::Cached => Captures::Cached,
        Stacks::None => Captures::No,
    };
    let watched = (options.stacks == Stacks::Fresh).then(|| started.elapsed());
    let mut traces = Traces::default();
    let mut missed = Missed::default();
    let now = caught_at.unwrap_or_else(clock::precise);
    let mut tasks = Vec::with_capacity(holds.len());
    for (hold, polls) in holds.iter().zip(polls) {
        let asked = Asked {
            captures,
            polls,
            watched,
        };
        let Some(task) = read::read(hold, asked, now, &mut traces) else {
            continue;
        };
        if !options.wants_verdict(task.verdict) {
            continue;
        }
        match task.trace {
            Ok(_) => {}
            Err(NoTrace::Running) => missed.running += 1,
            Err(NoTrace::NoAnswer) => missed.no_answer += 1,
            Err(NoTrace::NoWaker) => missed.no_waker += 1,
            Err(NoTrace::NotAsked) => missed.not_asked += 1,
            Err(NoTrace::NotAllowed) => missed.not_allowed += 1,
            Err(NoTrace::Observed) => missed.observed += 1,
            // There is none to be had.
            Err(NoTrace::Call) => {}
        }
        tasks.push(task);
    }
    let mut runtimes = census.runtimes();
    runtimes.retain(|info| runtime.is_none_or(|id| info.id == id));
    let resources = resources::collect(options.scope.as_ref(), options.runtime, now);
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

/// If tasks are polled more often than the dump's own capture explains, looks at them for long enough to tell a task that spins.
fn watch(holds: &[Hold], polls: &[u64], started: Instant, deadline: Instant) {
    let moves = |(hold, polls): (&Hold, &u64)| hold.record().polls() > polls + 3;
    let until = deadline.min(started + WATCH);
    let left = until.saturating_duration_since(Instant::now());
    if !left.is_zero() && holds.iter().zip(polls).any(moves) {
        thread::sleep(left);
    }
}

/// The live tasks of those scopes, with what is known of them without asking.
pub(crate) fn of_scopes(wanted: &dyn Fn(&ScopeInner) -> bool) -> Vec<TaskDump> {
    let holds = pool::live().filter(|hold| hold.meta().scope.as_deref().is_some_and(wanted));
    let mut traces = Traces::default();
    let now = clock::precise();
    let asked = Asked {
        captures: Captures::Cached,
        ..Asked::NOTHING
    };
    holds
        .filter_map(|hold| read::read(&hold, asked, now, &mut traces))
        .collect()
}

/// Traces by stack: thousands of tasks share a few.
#[derive(Default)]
pub(super) struct Traces {
    tasks: HashMap<*const Stack, Arc<Trace>>,
    threads: HashMap<*const Stack, Arc<Trace>>,
}

impl Traces {
    pub(super) fn get(&mut self, stack: &Arc<Stack>) -> Arc<Trace> {
        self.tasks
            .entry(Arc::as_ptr(stack))
            .or_insert_with(|| Arc::new(Trace::new(stack.clone())))
            .clone()
    }

    pub(super) fn of_thread(&mut self, stack: &Arc<Stack>) -> Arc<Trace> {
        self.threads
            .entry(Arc::as_ptr(stack))
            .or_insert_with(|| Arc::new(Trace::of_thread(stack.clone())))
            .clone()
    }
}

/// A task that was asked for a capture.
struct AskedTask<'a> {
    hold: &'a Hold,
    /// Its polls before it was asked.
    polls: u64,
}

impl AskedTask<'_> {
    /// Whether there is something to wait for. A mark that is gone without a capture was taken away by another dump that gave
    /// up: this one has not, and asks again.
    fn is_awaited(&self, stall: Duration) -> bool {
        let record = self.hold.record();
        if in_long_poll(record, stall) || record.is_beyond_waking() {
            capture::withdraw(record);
            return false;
        }
        if record.wants_capture() {
            return true;
        }
        let now = record.polls();
        let captured = record
            .captured_ago(now)
            .is_some_and(|ago| ago < now.saturating_sub(self.polls));
        if captured || record.is_finished() {
            return false;
        }
        capture::request(record);
        true
    }
}

/// The tasks of one runtime on their way to a capture.
struct Queue<'a> {
    todo: Vec<&'a Hold>,
    asked: Vec<AskedTask<'a>>,
    answered_at: Instant,
}

impl<'a> Queue<'a> {
    /// Sees who has answered, asks more, gives up on a runtime that answers nothing. False: all done.
    fn advance(&mut self, now: Instant, stall: Duration) -> bool {
        let before = self.asked.len();
        self.asked.retain(|task| task.is_awaited(stall));
        if self.asked.len() < before {
            self.answered_at = now;
        } else if before > 0 && now.duration_since(self.answered_at) > stall {
            self.give_up();
        }
        if self.asked.len() <= WINDOW / 2 && !self.todo.is_empty() {
            if self.asked.is_empty() {
                self.answered_at = now;
            }
            let count = self.todo.len().min(WINDOW - self.asked.len());
            for hold in self.todo.drain(self.todo.len() - count..) {
                let polls = hold.record().polls();
                capture::request(hold.record());
                self.asked.push(AskedTask { hold, polls });
            }
        }
        !self.asked.is_empty()
    }

    fn give_up(&mut self) {
        self.todo.clear();
        for task in self.asked.drain(..) {
            capture::withdraw(task.hold.record());
        }
    }
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// Whether the task has been in one poll for so long that its runtime would be given up for it.
fn in_long_poll(record: &Record, stall: Duration) -> bool {
    record.thread() != 0 && clock::between(record.since(), clock::precise()) >= stall
}

/// Whether the task may be polled for a capture, and would answer with a trace.
fn may_capture(record: &Record) -> bool {
    let traits = record.traits();
    ![Traits::NO_CAPTURE, Traits::BLOCKING, Traits::OBSERVED]
        .iter()
        .any(|not| traits.has(*not))
}

/// Captures every task whose last capture is no longer true, except those in a long poll.
fn capture_all(holds: &[Hold], deadline: Instant, stall: Duration) {
    let start = Instant::now();
    let mut queues: HashMap<u16, Queue<'_>> = HashMap::new();
    for hold in holds {
        let record = hold.record();
        let captured = record.captured_ago(record.polls()) == Some(0);
        // A task without its first poll has nothing to show: tokio is about to poll it anyway.
        if captured
            || !may_capture(record)
            || record.is_finished()
            || record.polls() == 0
            || record.is_beyond_waking()
            || in_long_poll(record, stall)
        {
            continue;
        }
        queues
            .entry(record.runtime())
            .or_insert_with(|| Queue {
                todo: Vec::new(),
                asked: Vec::new(),
                answered_at: start,
            })
            .todo
            .push(hold);
    }
    if queues.is_empty() {
        return;
    }
    let _waiter = Waiter::new();
    loop {
        let now = Instant::now();
        if now >= deadline {
            return;
        }
        let mut busy = false;
        for queue in queues.values_mut() {
            busy |= queue.advance(now, stall);
        }
        if !busy {
            return;
        }
        thread::park_timeout(LOOK_AGAIN);
    }
}
