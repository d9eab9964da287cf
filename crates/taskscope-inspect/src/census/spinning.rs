//! Finds tasks that spin, from two censuses in a row.
//!
//! Only tasks that do not wait and were woken by nobody but themselves are remembered from one
//! census to the next: mostly none.

use std::time::{Duration, Instant};

use crate::evidence;
use crate::record::{Hold, Record, TaskRef};

/// Tasks that are remembered; more of them spinning would not change the message.
const REMEMBERED: usize = 1024;

/// Tasks that may spin, as of one moment, and their polls then.
pub(super) struct Suspects {
    at: Instant,
    tasks: Vec<(TaskRef, u64)>,
}

impl Suspects {
    pub(super) fn new() -> Suspects {
        Suspects {
            at: Instant::now(),
            tasks: Vec::new(),
        }
    }

    /// Remembers a task that does not wait, if nobody else wakes it.
    pub(super) fn add(&mut self, hold: &Hold, polls: u64) {
        if self.tasks.len() < REMEMBERED && hold.record().only_wakes_itself() {
            self.tasks.push((hold.task_ref(), polls));
        }
    }

    /// The tasks that have been spinning ever since.
    pub(super) fn spinning(&self) -> Spinning {
        let watched = self.at.elapsed();
        let spins = |(task, polls): &(TaskRef, u64)| spins(*task, *polls, watched);
        let mut found: Vec<_> = self.tasks.iter().filter_map(spins).collect();
        found.sort_unstable();
        Spinning(found)
    }
}

fn spins(task: TaskRef, polls: u64, watched: Duration) -> Option<*const Record> {
    let hold = task.hold()?;
    let record = hold.record();
    let since = record.polls().saturating_sub(polls);
    evidence::spins(record, since, watched).then_some(std::ptr::from_ref(record))
}

/// Records of tasks that spin. Valid for a moment only: a record may go to another task.
#[derive(Default)]
pub(super) struct Spinning(Vec<*const Record>);

impl Spinning {
    pub(super) fn has(&self, record: &Record) -> bool {
        !self.0.is_empty() && self.0.binary_search(&std::ptr::from_ref(record)).is_ok()
    }
}
