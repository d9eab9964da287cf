//! Where records live: chunks that are never freed, and the free lists.
//!
//! A record is taken from and put back to a list of the calling thread, so spawning takes no lock except once
//! in [`BATCH`] tasks. The chunks double as the registry: a dump walks them and holds every record that is in use. Nothing has to
//! be inserted or removed, and no lock is held while a dump looks.
//!
//! Memory: one record for every task that was alive at the same time, at the busiest moment so far, plus those
//! whose wakers somebody still keeps. It is reused and not returned to the allocator.

use std::cell::RefCell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::record::{Hold, Record};

/// Records that move between a thread's list and the shared one at a time, and the size of a chunk.
const BATCH: usize = 64;

struct Pool {
    chunks: Vec<&'static [Record]>,
    free: Vec<&'static Record>,
}

static POOL: Mutex<Pool> = Mutex::new(Pool {
    chunks: Vec::new(),
    free: Vec::new(),
});

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The free records of one thread; they go back to the pool when it ends.
struct Local(Vec<&'static Record>);

impl Drop for Local {
    fn drop(&mut self) {
        pool().free.append(&mut self.0);
    }
}

thread_local! {
    static LOCAL: RefCell<Local> = const { RefCell::new(Local(Vec::new())) };
}

/// A free record, for the caller alone.
pub(crate) fn take() -> &'static Record {
    let local = LOCAL.try_with(|local| {
        let mut local = local.try_borrow_mut().ok()?;
        if local.0.is_empty() {
            refill(&mut local.0, BATCH);
        }
        local.0.pop()
    });
    // Without a list of its own (a thread that is ending) a thread takes single records from the pool.
    local.ok().flatten().unwrap_or_else(|| {
        let mut one = Vec::with_capacity(1);
        refill(&mut one, 1);
        one.swap_remove(0)
    })
}

/// Returns a record that nobody refers to any more.
pub(crate) fn put(record: &'static Record) {
    let kept = LOCAL.try_with(|local| {
        let Ok(mut local) = local.try_borrow_mut() else {
            return false;
        };
        local.0.push(record);
        if local.0.len() >= 2 * BATCH {
            let spill = local.0.split_off(BATCH);
            pool().free.extend(spill);
        }
        true
    });
    if !kept.unwrap_or(false) {
        pool().free.push(record);
    }
}

/// Moves up to `count` (at least one) free records to `list`.
fn refill(list: &mut Vec<&'static Record>, count: usize) {
    let mut pool = pool();
    if pool.free.is_empty() {
        let chunk: &'static [Record] = Box::leak((0..BATCH).map(|_| Record::new()).collect());
        pool.chunks.push(chunk);
        pool.free.extend(chunk);
    }
    let keep = pool.free.len().saturating_sub(count);
    list.extend(pool.free.drain(keep..));
}

/// Holds every record that is in use now, in no particular order.
pub(crate) fn in_use() -> impl Iterator<Item = Hold> {
    let chunks = pool().chunks.clone();
    chunks.into_iter().flatten().filter_map(Record::try_hold)
}

/// Records that exist, and how many of them are in use.
pub(crate) fn size() -> (usize, usize) {
    let chunks = pool().chunks.clone();
    (chunks.len() * BATCH, in_use().count())
}
