//! Snapshots of tasks that somebody reads page by page, so that scrolling, and mostly sorting and
//! filtering too, is about the same tasks and polls none of them again.
//!
//! Owns how many are stored, in number and bytes, and for how long: a minute after they were last
//! used. Until then a snapshot that holds records keeps those of tasks that have ended. Not here:
//! how a snapshot is taken (`tasks/snapshot.rs`).

use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::tasks::Snapshot;

/// At most this many are stored.
const MAX_SNAPSHOTS: usize = 4;
/// At most this many of them hold records of tasks.
const MAX_HOLDING: usize = 2;
/// Bytes of all of them: room for one of a million tasks. A larger one is stored alone.
const MAX_BYTES: usize = 40 << 20;
/// Time after its last use at which a snapshot is removed.
const LIFETIME: Duration = Duration::from_secs(60);

const THREAD: &str = "taskprof-expire";

/// The stored snapshots of one router, by their numbers.
#[derive(Debug, Default)]
pub(in crate::http) struct SnapshotCache(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// The number that was given last.
    last: u64,
    /// The one that was used last is at the end.
    entries: Vec<Entry>,
    /// Whether the thread that removes expired ones is running.
    has_thread: bool,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    snapshot: Arc<Snapshot>,
    used: Instant,
}

impl SnapshotCache {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Entries are added and removed as a whole.
        crate::sync::lock(&self.0)
    }

    /// Stores a snapshot and returns its number; `None` if there is no thread that would remove it
    /// in time.
    pub(super) fn insert(self: &Arc<Self>, snapshot: Arc<Snapshot>) -> Option<u64> {
        let mut cache = self.lock();
        cache.last += 1;
        let id = cache.last;
        cache.entries.push(Entry {
            id,
            snapshot,
            used: Instant::now(),
        });
        let mut removed = Vec::new();
        while cache.entries.len() > 1 && cache.is_over_full() {
            removed.push(cache.entries.remove(0));
        }
        if !cache.has_thread && !cache.entries.is_empty() {
            let weak = Arc::downgrade(self);
            cache.has_thread = crate::thread::spawn(THREAD, move || expire(&weak)).is_ok();
            if !cache.has_thread {
                removed.append(&mut cache.entries);
            }
        }
        let is_stored = cache.entries.iter().any(|entry| entry.id == id);
        drop(cache);
        // Outside the lock: dropping many tasks takes time.
        drop(removed);
        is_stored.then_some(id)
    }

    /// The snapshot with this number, unless it was removed.
    pub(super) fn get(&self, id: u64) -> Option<Arc<Snapshot>> {
        let mut cache = self.lock();
        let at = cache.entries.iter().position(|entry| entry.id == id)?;
        let mut entry = cache.entries.remove(at);
        entry.used = Instant::now();
        let snapshot = Arc::clone(&entry.snapshot);
        cache.entries.push(entry);
        Some(snapshot)
    }
}

impl Entries {
    fn is_over_full(&self) -> bool {
        let snapshots = || self.entries.iter().map(|entry| &entry.snapshot);
        self.entries.len() > MAX_SNAPSHOTS
            || snapshots()
                .filter(|snapshot| snapshot.holds_records())
                .count()
                > MAX_HOLDING
            || snapshots().map(|snapshot| snapshot.bytes()).sum::<usize>() > MAX_BYTES
    }
}

/// Removes expired snapshots, until none is left or the router is gone.
fn expire(cache: &Weak<SnapshotCache>) {
    loop {
        let Some(strong) = cache.upgrade() else {
            return;
        };
        let mut cache = strong.lock();
        let first_valid = cache
            .entries
            .iter()
            .position(|entry| entry.used.elapsed() < LIFETIME);
        let expired_count = first_valid.unwrap_or(cache.entries.len());
        let removed: Vec<Entry> = cache.entries.drain(..expired_count).collect();
        let next = cache
            .entries
            .first()
            .map(|entry| LIFETIME.saturating_sub(entry.used.elapsed()));
        cache.has_thread = next.is_some();
        drop(cache);
        drop(strong);
        drop(removed);
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
    use crate::tasks::DumpQuery;

    fn snapshot() -> Arc<Snapshot> {
        let query = DumpQuery::all(DumpOptions::new().stacks(Stacks::None));
        Arc::new(Snapshot::of_few(query).unwrap())
    }

    // Through a private door: an answer does not show which snapshot it was made from.
    #[test]
    fn the_ones_that_were_used_last_are_stored_and_no_more_of_them_than_there_is_room_for() {
        let cache = Arc::new(SnapshotCache::default());
        let insert = || cache.insert(snapshot()).unwrap();
        let first = insert();
        let others: Vec<u64> = (1..MAX_SNAPSHOTS).map(|_| insert()).collect();
        assert!(cache.get(first).is_some());
        let newest = insert();
        assert!(cache.get(others[0]).is_none());
        for stored in [first, newest].iter().chain(&others[1..]) {
            assert!(cache.get(*stored).is_some(), "{stored}");
        }
    }
}
