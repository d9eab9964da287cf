//! Looks at tasks that somebody is reading page by page: so that scrolling is about the same tasks, and sorting and filtering, too, unless they are too many; and the tasks
//! are not asked again for each of them.
//!
//! Bounded in number and memory, and forgotten a minute after they were last used. For so long the records of tasks that have ended stay in use, if a look holds them. Not here: how a look is taken.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::tasks::Snapshot;

/// How many are kept.
const MAX_LOOKS: usize = 4;
/// Of those that hold the records of tasks.
const MAX_HOLDING: usize = 2;
/// Bytes of all of them, so that one of a million tasks has room. A larger one is kept alone.
const MAX_BYTES: usize = 40 << 20;
/// How long after its last use one is forgotten.
const KEPT: Duration = Duration::from_secs(60);

const THREAD: &str = "taskprof-forget";

/// The looks of one router.
#[derive(Debug, Default)]
pub(in crate::http) struct Looks(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    last: u64,
    /// The last used one at the end.
    looks: Vec<Look>,
    /// Whether there is a thread that forgets.
    forgets: bool,
}

#[derive(Debug)]
struct Look {
    id: u64,
    snapshot: Arc<Snapshot>,
    used: Instant,
}

impl Looks {
    fn lock(&self) -> MutexGuard<'_, Shelf> {
        // Entries are added and removed as a whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a look for a while, and gives its number. `None`: nothing can be kept, because there is no thread that would forget it.
    pub(super) fn keep(self: &Arc<Self>, snapshot: Arc<Snapshot>) -> Option<u64> {
        let mut shelf = self.lock();
        shelf.last += 1;
        let id = shelf.last;
        shelf.looks.push(Look {
            id,
            snapshot,
            used: Instant::now(),
        });
        let mut forgotten = Vec::new();
        while shelf.looks.len() > 1 && shelf.is_over_full() {
            forgotten.push(shelf.looks.remove(0));
        }
        if !shelf.forgets && !shelf.looks.is_empty() {
            let looks = Arc::downgrade(self);
            // Without a thread nothing is forgotten in time, so nothing is kept.
            shelf.forgets = crate::thread::spawn(THREAD, move || forget(&looks)).is_ok();
            if !shelf.forgets {
                forgotten.append(&mut shelf.looks);
            }
        }
        let is_kept = shelf.looks.iter().any(|look| look.id == id);
        drop(shelf);
        // Outside the lock: it may be much.
        drop(forgotten);
        is_kept.then_some(id)
    }

    /// The look of this number, unless it was forgotten.
    pub(super) fn get(&self, id: u64) -> Option<Arc<Snapshot>> {
        let mut shelf = self.lock();
        let at = shelf.looks.iter().position(|look| look.id == id)?;
        let mut look = shelf.looks.remove(at);
        look.used = Instant::now();
        let snapshot = Arc::clone(&look.snapshot);
        shelf.looks.push(look);
        Some(snapshot)
    }
}

impl Shelf {
    fn is_over_full(&self) -> bool {
        let snapshots = || self.looks.iter().map(|look| &look.snapshot);
        self.looks.len() > MAX_LOOKS
            || snapshots().filter(|snapshot| snapshot.holds()).count() > MAX_HOLDING
            || snapshots().map(|snapshot| snapshot.bytes()).sum::<usize>() > MAX_BYTES
    }
}

/// Until nothing is left to forget, or the router is gone.
fn forget(looks: &Weak<Looks>) {
    loop {
        let Some(looks) = looks.upgrade() else {
            return;
        };
        let mut shelf = looks.lock();
        let mut forgotten = Vec::new();
        // The last used one is at the end.
        while shelf
            .looks
            .first()
            .is_some_and(|look| look.used.elapsed() >= KEPT)
        {
            forgotten.push(shelf.looks.remove(0));
        }
        let next = shelf
            .looks
            .first()
            .map(|look| KEPT.saturating_sub(look.used.elapsed()));
        shelf.forgets = next.is_some();
        drop(shelf);
        drop(looks);
        drop(forgotten);
        match next {
            Some(next) => thread::sleep(next),
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use taskscope::{DumpOptions, Stacks};

    use super::*;
    use crate::tasks::Chosen;

    fn snapshot() -> Arc<Snapshot> {
        let chosen = Chosen::all(DumpOptions::new().stacks(Stacks::None));
        Arc::new(Snapshot::of_few(chosen).unwrap())
    }

    // Through a private door: from outside, nobody sees which look an answer was made from.
    #[test]
    fn the_ones_that_were_used_last_are_kept_and_no_more_of_them_than_there_is_room_for() {
        let looks = Arc::new(Looks::default());
        let keep = || looks.keep(snapshot()).unwrap();
        let first = keep();
        let others: Vec<u64> = (1..MAX_LOOKS).map(|_| keep()).collect();
        assert!(looks.get(first).is_some());
        let newest = keep();
        assert!(looks.get(others[0]).is_none());
        for kept in [first, newest].iter().chain(&others[1..]) {
            assert!(looks.get(*kept).is_some(), "{kept}");
        }
    }
}
