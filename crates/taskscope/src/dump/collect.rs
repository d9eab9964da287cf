//! The work of a dump, on the thread that called.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use callstack::Stack;

use super::task::{self, Asked};
use super::{Dump, DumpOptions, Missed, NoTrace, Stacks, Trace};
use crate::capture::{self, Waiter};
use crate::record::{Hold, Record};
use crate::runtime::RuntimeEntry;
use crate::{clock, pool};

/// Tasks of one runtime that are asked at a time: enough to keep its workers busy for half a millisecond, few enough
/// that other tasks of the runtime do not notice.
const WINDOW: usize = 256;

/// How often a dump looks again while marks of another runtime keep it from being unparked.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

pub(super) fn collect(options: &DumpOptions) -> Dump {
    let taken_at = SystemTime::now();
    let started = Instant::now();
    let mut holds: Vec<Hold> = pool::in_use()
        .filter(|hold| !hold.record().finished())
        .filter(|hold| {
            options.runtime.is_none_or(|id| {
                let runtime = hold.meta().runtime.as_ref();
                runtime.is_some_and(|entry| entry.id() == id)
            })
        })
        .filter(|hold| {
            options
                .scope
                .as_ref()
                .is_none_or(|scope| scope.contains(hold.meta().scope.as_ref()))
        })
        .collect();
    holds.sort_by_key(|hold| hold.meta().spawned_at);
    let asked_from: Vec<u64> = holds.iter().map(|hold| hold.record().polls()).collect();
    if options.stacks == Stacks::Fresh && !holds.is_empty() {
        callstack::refresh();
        let deadline = started + options.deadline;
        capture_all(&holds, deadline, options.stall);
    }
    let mut traces = Traces::default();
    let mut missed = Missed::default();
    let now = clock::ticks();
    let mut tasks = Vec::with_capacity(holds.len());
    for (hold, polls) in holds.iter().zip(asked_from) {
        let asked = match options.stacks {
            Stacks::Fresh => Asked::Since(polls),
            Stacks::Cached => Asked::Cached,
            Stacks::None => Asked::No,
        };
        let Some(task) = task::read(hold, asked, now, &mut traces) else {
            continue;
        };
        match task.trace {
            Ok(_) => {}
            Err(NoTrace::Running) => missed.running += 1,
            Err(NoTrace::NoAnswer) => missed.no_answer += 1,
            Err(NoTrace::NoWaker) => missed.no_waker += 1,
            Err(NoTrace::NotAsked) => missed.not_asked += 1,
        }
        tasks.push(task);
    }
    let runtimes = RuntimeEntry::all()
        .into_iter()
        .filter(|entry| options.runtime.is_none_or(|id| entry.id() == id))
        .map(|entry| entry.info())
        .collect();
    Dump {
        taken_at,
        took: started.elapsed(),
        tasks,
        runtimes,
        missed,
    }
}

/// Traces by stack: thousands of tasks share a few.
#[derive(Default)]
pub(super) struct Traces(HashMap<*const Stack, Arc<Trace>>);

impl Traces {
    pub(super) fn get(&mut self, stack: &Arc<Stack>) -> Arc<Trace> {
        self.0
            .entry(Arc::as_ptr(stack))
            .or_insert_with(|| Arc::new(Trace::new(stack.clone())))
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
        if in_long_poll(record, stall) {
            capture::withdraw(record);
            return false;
        }
        if record.wants_capture() {
            return true;
        }
        let captured = record
            .captured()
            .as_ref()
            .is_some_and(|captured| captured.polls > self.polls);
        if captured || record.finished() {
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
    record.thread() != 0 && clock::between(record.since(), clock::ticks()) >= stall
}

/// Captures every task whose last capture is no longer true, except those in a long poll.
fn capture_all(holds: &[Hold], deadline: Instant, stall: Duration) {
    let start = Instant::now();
    let mut queues: HashMap<Option<*const RuntimeEntry>, Queue<'_>> = HashMap::new();
    for hold in holds {
        let record = hold.record();
        let captured = record
            .captured()
            .as_ref()
            .is_some_and(|captured| captured.polls == record.polls());
        // A task without its first poll has nothing to show: tokio is about to poll it anyway.
        if captured || record.finished() || record.polls() == 0 || in_long_poll(record, stall) {
            continue;
        }
        queues
            .entry(hold.meta().runtime.as_ref().map(Arc::as_ptr))
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
