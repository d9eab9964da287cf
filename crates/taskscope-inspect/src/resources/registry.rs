//! The registry of tracked resources: slots for pointers to entries, in shards.
//!
//! A shard's lock is held for a push or a take, and while a dump copies a batch of pointers; never
//! while something is formatted, read or dropped.

use std::cell::Cell;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Entry;

/// Number of shards: more than the threads of most machines that acquire at the same moment.
const SHARDS: usize = 32;

/// Entries that a dump copies while it holds a shard's lock.
const BATCH: usize = 256;

/// Slots that a shard without resources keeps.
const FEW: usize = 64;

/// Slots of one shard. Its memory is that of the busiest moment, eight bytes a slot, until no
/// resource of the shard is left.
struct Slots {
    entries: Vec<Option<Arc<Entry>>>,
    free: Vec<usize>,
}

/// A shard, on a cache line of its own, so that neighbours do not share one.
#[repr(align(64))]
struct Shard(Mutex<Slots>);

static REGISTRY: [Shard; SHARDS] = [const {
    Shard(Mutex::new(Slots {
        entries: Vec::new(),
        free: Vec::new(),
    }))
}; SHARDS];

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The shard of this thread.
fn shard() -> usize {
    thread_local! {
        static SHARD: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    if SHARD.get() == usize::MAX {
        SHARD.set(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
    }
    SHARD.get()
}

/// An entry's place, until it is dropped.
pub(super) struct Place {
    shard: usize,
    slot: usize,
}

impl Place {
    pub(super) fn of(entry: Arc<Entry>) -> Place {
        let shard = shard();
        let mut slots = REGISTRY[shard].lock();
        let slot = slots.free.pop().unwrap_or(slots.entries.len());
        match slots.entries.get_mut(slot) {
            Some(free) => *free = Some(entry),
            None => slots.entries.push(Some(entry)),
        }
        Place { shard, slot }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut slots = REGISTRY[self.shard].lock();
        let entry = slots.entries.get_mut(self.slot).and_then(Option::take);
        slots.free.push(self.slot);
        let empty = slots.free.len() == slots.entries.len() && slots.free.len() > FEW;
        let old = empty.then(|| (mem::take(&mut slots.entries), mem::take(&mut slots.free)));
        drop(slots);
        // Dropped without the lock: this may be the last reference to a scope.
        drop((entry, old));
    }
}

/// Every entry there is.
pub(super) fn entries() -> Vec<Arc<Entry>> {
    let mut all = Vec::new();
    for shard in &REGISTRY {
        let mut from = 0;
        loop {
            let slots = shard.lock();
            let Some(rest) = slots.entries.get(from..).filter(|rest| !rest.is_empty()) else {
                break;
            };
            all.extend(rest.iter().take(BATCH).flatten().cloned());
            from += BATCH;
        }
    }
    all
}

/// How many resources are held.
pub fn count() -> usize {
    let held = |shard: &Shard| {
        let slots = shard.lock();
        slots.entries.len() - slots.free.len()
    };
    REGISTRY.iter().map(held).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::Registered;

    #[test]
    fn slots_are_used_again() {
        for number in 0..1000 {
            drop((Registered::new("slot"), number));
        }
        let slots = REGISTRY[shard()].lock().entries.len();
        assert!(slots < 100, "{slots}");
    }
}
