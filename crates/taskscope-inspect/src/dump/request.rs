//! Asks tasks for captures and waits for the answers, on the thread of a dump.
//!
//! [`WINDOW`] tasks of each runtime are marked at a time. The rest waits in a [`CaptureQueue`],
//! from which the threads of the runtime take the next one whenever they have captured one: so a
//! runtime that has something else to do sets the pace, and none of its threads is woken for each
//! task.
//!
//! Not here: how a task is captured ([`crate::capture`]); how a capture is read (`read.rs`).

use std::collections::{HashMap, TryReserveError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::capture::{self, CaptureQueue, Waiter};
use crate::record::{self, Hold, Record};
use crate::{clock, runtime, threads};

/// Tasks of one runtime that are marked at a time: enough to keep its workers busy for a tenth of a
/// millisecond, few enough that other tasks of the runtime do not notice.
const WINDOW: usize = 256;

/// Tasks of one runtime that are asked for a capture and waited for at a time.
const BLOCK: usize = 8192;

/// How often a dump checks which tasks have answered, unless the last mark is cleared before.
const CHECK_INTERVAL: Duration = Duration::from_millis(1);

/// Tasks that cannot be polled before the calling thread goes on: those that it is polling itself,
/// and all of a runtime that has no other thread.
struct InTheWay {
    thread: u16,
    runtime: Option<u16>,
}

impl InTheWay {
    fn here() -> InTheWay {
        let slot = threads::slot();
        let runtime = Handle::try_current()
            .ok()
            .filter(|runtime| runtime.runtime_flavor() == RuntimeFlavor::CurrentThread);
        // Having entered a runtime is not the same as driving it. This thread has polled its tasks,
        // and no other does meanwhile.
        let driven = runtime.and_then(|entered| {
            let index = match record::with_current(|task, _| task.runtime()) {
                Some(index) => index,
                None => slot.worked_for(runtime::removals())?,
            };
            (runtime::get(index)?.id() == entered.id()).then_some(index)
        });
        InTheWay {
            // A slot that threads share does not identify this one.
            thread: if slot.is_shared() { 0 } else { slot.index() },
            runtime: driven,
        }
    }

    fn of(&self, record: &Record) -> bool {
        self.runtime == Some(record.runtime())
            || (record.thread() != 0 && record.thread() == self.thread)
    }
}

/// State of a task's request for a capture.
enum Standing {
    /// Answered, or no answer is to be expected.
    Done,
    /// Its next poll makes a capture.
    Marked,
    /// Not marked yet, or no longer: a dump that gives up removes marks, also those that other
    /// dumps wait for.
    Unmarked,
}

/// A task that has been asked for a capture.
struct PendingTask<'a> {
    /// Its place among all tasks of the dump.
    at: usize,
    hold: &'a Hold,
    /// Its polls when it was asked.
    polls: u64,
}

impl PendingTask<'_> {
    fn standing(&self, stall: Duration) -> Standing {
        let record = self.hold.record();
        if in_long_poll(record, stall) || record.is_beyond_waking() {
            capture::withdraw(record);
            return Standing::Done;
        }
        if record.wants_capture() {
            return Standing::Marked;
        }
        let now = record.polls();
        // Captured in the last poll, or since it was asked: another dump may have had it captured
        // before.
        let captured = record
            .captured_ago(now)
            .is_some_and(|ago| ago == 0 || ago < now.saturating_sub(self.polls));
        if captured || record.is_finished() {
            return Standing::Done;
        }
        Standing::Unmarked
    }
}

/// The table of a dump's requests: 5 bytes for each task.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Whether its capture is still to come.
    awaited: Vec<bool>,
    /// The next task of the same runtime that is to be asked; [`END`] for the last.
    next: Vec<u32>,
}

/// Stands for the end of a runtime's tasks.
const END: u32 = u32::MAX;

impl Lines {
    /// Reserves room for this many tasks.
    ///
    /// # Errors
    ///
    /// If there is no memory for that.
    pub(super) fn reserve(&mut self, tasks: usize) -> Result<(), TryReserveError> {
        self.awaited.try_reserve_exact(tasks)?;
        self.next.try_reserve_exact(tasks)
    }
}

/// The requests to the tasks of one runtime.
struct Queue<'a> {
    holds: &'a [Hold],
    /// Place of the first task that has not been asked.
    todo: u32,
    pending: Vec<PendingTask<'a>>,
    waiting: CaptureQueue,
    answered_at: Instant,
}

impl<'a> Queue<'a> {
    fn new(holds: &'a [Hold], runtime: u16, now: Instant) -> Queue<'a> {
        Queue {
            holds,
            todo: END,
            pending: Vec::new(),
            waiting: CaptureQueue::new(runtime),
            answered_at: now,
        }
    }

    /// Checks which tasks have answered, asks more of them, gives up on a runtime that answers
    /// nothing. Returns false when all are done.
    fn advance(&mut self, now: Instant, stall: Duration, lines: &mut Lines) -> bool {
        let (before, mut marked) = (self.pending.len(), 0);
        let (waiting, starved) = (&self.waiting, self.waiting.is_empty());
        self.pending.retain(|task| match task.standing(stall) {
            Standing::Done => {
                lines.awaited[task.at] = false;
                false
            }
            Standing::Marked => {
                marked += 1;
                true
            }
            Standing::Unmarked => {
                if starved {
                    waiting.push(task.hold);
                }
                true
            }
        });
        if self.pending.len() < before {
            self.answered_at = now;
        } else if before > 0 && now.duration_since(self.answered_at) > stall {
            self.give_up();
        }
        if self.pending.len() <= BLOCK / 2 && self.todo != END {
            if self.pending.is_empty() {
                self.answered_at = now;
            }
            self.take_in(&lines.next);
        }
        while marked < WINDOW {
            let Some(hold) = self.waiting.pop() else {
                break;
            };
            let record = hold.record();
            // Another dump may have had it captured meanwhile.
            if record.captured_ago(record.polls()) != Some(0) {
                capture::request(&hold);
                marked += 1;
            }
        }
        !self.pending.is_empty()
    }

    fn take_in(&mut self, next: &[u32]) {
        let from = self.pending.len();
        while self.todo != END && self.pending.len() < BLOCK {
            let at = self.todo as usize;
            let hold = &self.holds[at];
            self.pending.push(PendingTask {
                at,
                hold,
                polls: hold.record().polls(),
            });
            self.todo = next[at];
        }
        let tasks = self.pending[from..].iter().map(|task| task.hold);
        self.waiting.push_all(tasks);
    }

    fn give_up(&mut self) {
        self.todo = END;
        self.waiting.clear();
        for task in self.pending.drain(..) {
            capture::withdraw(task.hold.record());
        }
    }
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// Whether the task has been in one poll for so long that the dump would give up on its runtime
/// because of it.
fn in_long_poll(record: &Record, stall: Duration) -> bool {
    record.thread() != 0 && clock::between(record.since(), clock::precise()) >= stall
}

/// Captures every task whose last capture is no longer true, except those in a long poll and those
/// that cannot answer before the caller goes on. Calls `on_progress` again and again, with the
/// tasks that are still awaited.
pub(super) fn for_captures(
    holds: &[Hold],
    lines: &mut Lines,
    deadline: Instant,
    stall: Duration,
    mut on_progress: impl FnMut(&[bool]),
) {
    let start = Instant::now();
    let mut queues: HashMap<u16, Queue<'_>> = HashMap::new();
    let in_the_way = InTheWay::here();
    lines.awaited.clear();
    lines.awaited.extend(
        holds
            .iter()
            .map(|hold| needs(hold, stall) && !in_the_way.of(hold.record())),
    );
    lines.next.clear();
    lines.next.resize(holds.len(), END);
    // Backwards, so that each line begins with its oldest task.
    for (at, hold) in holds.iter().enumerate().rev() {
        // More records than a `u32` counts do not fit into any memory.
        let (true, Ok(place)) = (lines.awaited[at], u32::try_from(at)) else {
            continue;
        };
        let runtime = hold.record().runtime();
        let queue = queues
            .entry(runtime)
            .or_insert_with(|| Queue::new(holds, runtime, start));
        lines.next[at] = std::mem::replace(&mut queue.todo, place);
    }
    if queues.is_empty() {
        return;
    }
    let _waiter = Waiter::register();
    loop {
        let now = Instant::now();
        if now >= deadline {
            return;
        }
        let mut busy = false;
        for queue in queues.values_mut() {
            busy |= queue.advance(now, stall, lines);
        }
        if !busy {
            return;
        }
        on_progress(&lines.awaited);
        thread::park_timeout(CHECK_INTERVAL);
    }
}

/// Whether a task has to be polled so that its capture is true, and can be polled.
fn needs(hold: &Hold, stall: Duration) -> bool {
    let record = hold.record();
    // A task without its first poll has nothing to show: tokio is about to poll it anyway.
    record.polls() > 0
        && record.captured_ago(record.polls()) != Some(0)
        && capture::may(record)
        && !record.is_finished()
        && !record.is_beyond_waking()
        && !in_long_poll(record, stall)
}
