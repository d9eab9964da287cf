//! Where records live: chunks that are never freed, and the free lists.
//!
//! A record is taken from and put back to a list of the calling thread, so spawning takes no lock except once
//! in [`BATCH`] tasks. The chunks double as the registry: a dump walks them and holds every record that is in use. Nothing has to
//! be inserted or removed, and no lock is held while a dump looks.
//!
//! Memory: one record for every task that was alive at the same time, at the busiest moment so far, plus those
//! whose wakers somebody still keeps. It is reused and not returned to the allocator.

use std::sync::PoisonError;

use crate::record::{Hold, Record};
use crate::sync::{Mutex, MutexGuard};
use crate::threads::{self, Slot};

/// Records that move between a thread's list and the shared one at a time, and the size of a chunk.
const BATCH: u32 = if cfg!(taskscope_loom) { 2 } else { 64 };

struct Pool {
    chunks: Vec<&'static [Record]>,
    free: Vec<&'static Record>,
}

impl Pool {
    const EMPTY: Pool = Pool {
        chunks: Vec::new(),
        free: Vec::new(),
    };
}

#[cfg(not(taskscope_loom))]
static POOL: Mutex<Pool> = Mutex::new(Pool::EMPTY);

#[cfg(taskscope_loom)]
loom::lazy_static! {
    static ref POOL: Mutex<Pool> = Mutex::new(Pool::EMPTY);
}

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A free record, for the caller alone.
#[inline]
pub(crate) fn take() -> &'static Record {
    let slot = threads::slot();
    if slot.is_shared() {
        return take_shared();
    }
    slot.free().take().unwrap_or_else(|| refill(slot))
}

/// Returns a record that nobody refers to any more.
#[inline]
pub(crate) fn put(record: &'static Record) {
    let slot = threads::slot();
    if slot.is_shared() {
        pool().free.push(record);
    } else if slot.free().put(record) >= 2 * BATCH {
        spill(slot, BATCH);
    }
}

/// Returns all free records of a thread that ends.
pub(crate) fn give_back(slot: &Slot) {
    spill(slot, 0);
}

/// A thread that is ending takes single records.
#[cold]
fn take_shared() -> &'static Record {
    let mut pool = pool();
    pool.grow_if_empty();
    pool.free.swap_remove(0)
}

/// Moves records from the pool to a thread, and gives it one more.
#[cold]
#[inline(never)]
fn refill(slot: &Slot) -> &'static Record {
    let mut pool = pool();
    pool.grow_if_empty();
    let keep = pool.free.len().saturating_sub(BATCH as usize);
    let mut batch = pool.free.drain(keep..);
    let first = batch.next();
    // The last one in is the first one out: so tasks that are spawned one after the other lie side by side, oldest first.
    for record in batch.rev() {
        slot.free().put(record);
    }
    drop(pool);
    // There was at least one: the pool had grown.
    first.unwrap_or_else(take_shared)
}

/// Moves records from a thread to the pool until it has only `keep`.
#[cold]
#[inline(never)]
fn spill(slot: &Slot, keep: u32) {
    let mut pool = pool();
    while slot.free().count() > keep {
        match slot.free().take() {
            Some(record) => pool.free.push(record),
            None => return,
        }
    }
}

impl Pool {
    fn grow_if_empty(&mut self) {
        if self.free.is_empty() {
            let chunk: &'static [Record] = Box::leak((0..BATCH).map(|_| Record::new()).collect());
            self.chunks.push(chunk);
            self.free.extend(apart(chunk));
        }
    }
}

/// The records of a chunk in the order in which they are given out: every other one, then the rest. A record is no whole number of cache
/// lines, and tasks that are spawned one after the other often run at the same time: so they do not share one.
fn apart(chunk: &'static [Record]) -> impl Iterator<Item = &'static Record> {
    let rest = chunk.iter().skip(1).step_by(2);
    chunk.iter().step_by(2).chain(rest)
}

/// Every record that exists, in use or not; those of a chunk in the order in which they were first given out.
pub(crate) fn all() -> impl Iterator<Item = &'static Record> {
    let chunks = pool().chunks.clone();
    chunks.into_iter().flat_map(apart)
}

/// The record at this address; `None` if there is none.
#[cfg(not(taskscope_loom))]
pub(crate) fn at(address: usize) -> Option<&'static Record> {
    let pool = pool();
    let chunks = pool.chunks.iter();
    chunks
        .map(|chunk| (chunk, chunk.as_ptr_range()))
        .find(|(_, range)| (range.start.addr()..range.end.addr()).contains(&address))
        .and_then(|(chunk, range)| {
            let offset = address - range.start.addr();
            let exact = offset.is_multiple_of(size_of::<Record>());
            exact.then(|| &chunk[offset / size_of::<Record>()])
        })
}

/// Holds the records of all live tasks, in no particular order.
pub(crate) fn live() -> impl Iterator<Item = Hold> {
    all().filter_map(Record::try_hold)
}

/// Records that exist, and those that somebody refers to.
pub(crate) fn counts() -> (usize, usize) {
    all().fold((0, 0), |(exist, in_use), record| {
        (exist + 1, in_use + usize::from(record.is_in_use()))
    })
}
