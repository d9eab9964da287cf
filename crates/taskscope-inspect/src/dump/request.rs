//! Asking tasks for captures, and waiting for the answers, on the thread of a dump.
//!
//! Of each runtime, [`WINDOW`] tasks are marked at a time. The rest waits in a [`CaptureQueue`], from which the threads of the runtime take
//! the next one whenever they have captured one: so a runtime that has something else to do sets the pace, and none of its
//! threads is woken for each task.
//!
//! Not here: what a capture is ([`crate::capture`]); what becomes of it (`read.rs`).

use std::collections::{HashMap, TryReserveError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};

use crate::capture::{self, CaptureQueue, Waiter};
use crate::record::{self, Hold, Record};
use crate::{clock, runtime, threads};

/// Tasks of one runtime that are marked at a time: enough to keep its workers busy for a tenth of a millisecond, few enough that
/// other tasks of the runtime do not notice.
const WINDOW: usize = 256;

/// Tasks of one runtime that are looked after at a time.
const BLOCK: usize = 8192;

/// How often a dump looks who has answered, unless the last of all marks is gone before.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// The tasks that cannot be polled before the calling thread goes on: those that it is polling itself, and all of a runtime that has no other thread.
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
        // Having entered a runtime is not the same as driving it: this thread has polled its tasks, and nobody else does meanwhile.
        let driven = runtime.and_then(|entered| {
            let index = match record::with_current(|task, _| task.runtime()) {
                Some(index) => index,
                None => slot.worked_for(runtime::removals())?,
            };
            (runtime::get(index)?.id() == entered.id()).then_some(index)
        });
        InTheWay {
            // The slot that many threads share says nothing of this one.
            thread: if slot.is_shared() { 0 } else { slot.index() },
            runtime: driven,
        }
    }

    fn of(&self, record: &Record) -> bool {
        self.runtime == Some(record.runtime())
            || (record.thread() != 0 && record.thread() == self.thread)
    }
}

/// How a task that was asked stands.
enum Standing {
    /// Nothing more will come of it, or nothing more is needed.
    Done,
    /// Its next poll makes a capture.
    Marked,
    /// Not marked yet. Or no longer: a dump that gave up takes marks away, also those that others wait for.
    Unmarked,
}

/// A task that is asked for a capture.
struct AskedTask<'a> {
    /// Its place among all that the dump is about.
    at: usize,
    hold: &'a Hold,
    /// Its polls before it was asked.
    polls: u64,
}

impl AskedTask<'_> {
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
        // With the last poll: another dump may have had it captured before this one came to ask.
        let captured = record
            .captured_ago(now)
            .is_some_and(|ago| ago == 0 || ago < now.saturating_sub(self.polls));
        if captured || record.is_finished() {
            return Standing::Done;
        }
        Standing::Unmarked
    }
}

/// What is kept for each task that a dump is about: 5 bytes.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Whether its capture is still to come.
    awaited: Vec<bool>,
    /// The next task of the same runtime that is to be asked, [`END`] for the last.
    next: Vec<u32>,
}

/// After the last task of a runtime.
const END: u32 = u32::MAX;

impl Lines {
    /// Room for so many tasks.
    ///
    /// # Errors
    ///
    /// If there is no memory for them.
    pub(super) fn reserve(&mut self, tasks: usize) -> Result<(), TryReserveError> {
        self.awaited.try_reserve_exact(tasks)?;
        self.next.try_reserve_exact(tasks)
    }
}

/// The tasks of one runtime on their way to a capture.
struct Queue<'a> {
    holds: &'a [Hold],
    /// The first that has not been asked.
    todo: u32,
    asked: Vec<AskedTask<'a>>,
    waiting: CaptureQueue,
    answered_at: Instant,
}

impl<'a> Queue<'a> {
    fn new(holds: &'a [Hold], runtime: u16, now: Instant) -> Queue<'a> {
        Queue {
            holds,
            todo: END,
            asked: Vec::new(),
            waiting: CaptureQueue::new(runtime),
            answered_at: now,
        }
    }

    /// Sees who has answered, asks more, gives up on a runtime that answers nothing. False: all done.
    fn advance(&mut self, now: Instant, stall: Duration, lines: &mut Lines) -> bool {
        let (before, mut marked) = (self.asked.len(), 0);
        let (waiting, starved) = (&self.waiting, self.waiting.is_empty());
        self.asked.retain(|task| match task.standing(stall) {
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
        if self.asked.len() < before {
            self.answered_at = now;
        } else if before > 0 && now.duration_since(self.answered_at) > stall {
            self.give_up();
        }
        if self.asked.len() <= BLOCK / 2 && self.todo != END {
            if self.asked.is_empty() {
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
        !self.asked.is_empty()
    }

    fn take_in(&mut self, next: &[u32]) {
        let from = self.asked.len();
        while self.todo != END && self.asked.len() < BLOCK {
            let at = self.todo as usize;
            let hold = &self.holds[at];
            self.asked.push(AskedTask {
                at,
                hold,
                polls: hold.record().polls(),
            });
            self.todo = next[at];
        }
        let tasks = self.asked[from..].iter().map(|task| task.hold);
        self.waiting.push_all(tasks);
    }

    fn give_up(&mut self) {
        self.todo = END;
        self.waiting.clear();
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

/// Captures every task whose last capture is no longer true, except those in a long poll and those that cannot answer before the caller goes on. `look` is called again and again, and told which
/// tasks are still awaited.
pub(super) fn for_captures(
    holds: &[Hold],
    lines: &mut Lines,
    deadline: Instant,
    stall: Duration,
    mut look: impl FnMut(&[bool]),
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
    // From the last to the first, so that each line begins with its oldest task.
    for (at, hold) in holds.iter().enumerate().rev() {
        // So many records do not fit into any memory.
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
    let _waiter = Waiter::new();
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
        look(&lines.awaited);
        thread::park_timeout(LOOK_AGAIN);
    }
}

/// Whether a task has to be polled for its capture to be true, and can be.
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
