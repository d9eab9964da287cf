//! Where records come from and go: the lists of the threads, and the pages that all threads share.
//!
//! A record is taken from and put back to a list of the calling thread, so spawning takes no lock
//! except once in `BATCH` tasks. The pages double as the registry: a dump walks them and holds
//! every record that is in use. Nothing has to be inserted or removed, and no lock is held while a
//! dump looks.
//!
//! Memory: one record for every task that is alive, plus those whose wakers somebody still keeps.
//! It is used again, lowest page first, so that high ones become empty; and `trim` gives back
//! what no task needed for a while. What stays, and why: `docs/decisions/records-in-chunks.md`.
//!
//! Not here: the memory itself (`record/arena.rs`); which records of a page are free
//! (`crate::pages`).
//!
//! Circle: `models/mod.rs`, as the real record does, returns a record here when its last reference
//! goes, and only a record can tell what the pool asks: whether it is free, and what is next to it.
//!
//! Circle: `threads.rs` has the slot in which a thread keeps its free records, and gives them back
//! here when the thread ends.

use std::sync::PoisonError;

use crate::pages::{MOST_PAGES, PageSet, each};
use crate::record::{Hold, Record, Segment};
use crate::sync::{Mutex, MutexGuard};
use crate::threads::{self, Slot};

/// Records that move between a thread's list and the pages at a time.
const BATCH: u32 = if cfg!(taskscope_loom) { 2 } else { 64 };

/// Pages without a task that are kept for the next ones: 128 KiB where a page has 4.
const RESERVE: usize = if cfg!(taskscope_loom) { 0 } else { 32 };

struct Pool {
    /// The first segment and the last one.
    ends: Option<(&'static Segment, &'static Segment)>,
    /// No segment before this one has a free record.
    with_free: Option<&'static Segment>,
    /// No segment before this one has a vacant page.
    vacant: Option<&'static Segment>,
    /// Pages all of whose records are free.
    spare: usize,
    /// The fewest that there were since [`trim`] looked.
    least_spare: usize,
}

impl Pool {
    const EMPTY: Pool = Pool {
        ends: None,
        with_free: None,
        vacant: None,
        spare: 0,
        least_spare: 0,
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
        pool().put(record);
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
    let mut one = None;
    pool().take(|record| {
        one = Some(record);
        false
    });
    // There is none only if a page had none, and a page has one.
    one.unwrap_or_else(take_shared)
}

/// Moves records from the pages to a thread, and gives it one more.
#[cold]
#[inline(never)]
fn refill(slot: &Slot) -> &'static Record {
    let mut batch = [None; BATCH as usize];
    let mut count = 0;
    let mut pool = pool();
    while count < batch.len() {
        pool.take(|record| {
            batch[count] = Some(record);
            count += 1;
            count < batch.len()
        });
    }
    drop(pool);
    let mut batch = batch.into_iter().flatten();
    let first = batch.next();
    // The last one in is the first one out: so tasks that are spawned one after the other lie side
    // by side, oldest first.
    for record in batch.rev() {
        slot.free().put(record);
    }
    first.unwrap_or_else(take_shared)
}

/// Moves records from a thread to the pages until it has only `keep`.
#[cold]
#[inline(never)]
fn spill(slot: &Slot, keep: u32) {
    let mut pool = pool();
    while slot.free().count() > keep {
        match slot.free().take() {
            Some(record) => pool.put(record),
            None => return,
        }
    }
}

/// Gives memory back to the system that no task has needed since this was called the last time:
/// pages all of whose records are free, the highest ones, and not the last [`RESERVE`]. The upkeep
/// thread calls it now and then.
pub(crate) fn trim() {
    let (first, mut surplus, mut keep) = pool().surplus();
    for segment in segments(first) {
        if surplus == 0 {
            return;
        }
        let closed = pool().close(segment, &mut keep, &mut surplus);
        // Nobody but this thread can reach those records now: no lock is held while memory is read
        // or given back.
        let mut serials = [0; MOST_PAGES];
        for page in each(closed) {
            let used = segment.records(page).iter().map(Record::serial);
            serials[page] = used.max().unwrap_or(0);
        }
        segment.discard(closed);
        pool().discarded(segment, closed, &serials);
    }
}

impl Pool {
    /// Takes free records out of one page and shows them to `f`, at least one, until it says no.
    fn take(&mut self, f: impl FnMut(&'static Record) -> bool) {
        let (segment, page) = self.page_with_free();
        if segment.pages().take(page, f) {
            self.spare -= 1;
            self.least_spare = self.least_spare.min(self.spare);
        }
    }

    fn put(&mut self, record: &'static Record) {
        let (segment, page) = Segment::of(record);
        if segment.pages().put(page, record) {
            self.spare += 1;
        }
        self.with_free = lower(self.with_free, segment);
    }

    /// The lowest page that has a free record.
    fn page_with_free(&mut self) -> (&'static Segment, usize) {
        for segment in segments(self.with_free.or(self.first())) {
            if let Some(page) = segment.pages().with_free() {
                self.with_free = Some(segment);
                return (segment, page);
            }
        }
        let (segment, page) = self.vacant_page();
        let records = segment.records(page);
        segment.pages().open(page, apart(records));
        self.spare += 1;
        self.with_free = Some(segment);
        (segment, page)
    }

    /// The lowest page without records.
    fn vacant_page(&mut self) -> (&'static Segment, usize) {
        let mut from = self.vacant.or(self.first());
        loop {
            for segment in segments(from) {
                if let Some(page) = segment.pages().vacant() {
                    self.vacant = Some(segment);
                    return (segment, page);
                }
            }
            from = Some(self.grow());
        }
    }

    fn grow(&mut self) -> &'static Segment {
        let number = self.ends.map_or(0, |(_, last)| last.number() + 1);
        let new = Segment::new(number);
        if let Some((_, last)) = self.ends {
            last.set_next(new);
        }
        self.ends = Some((self.first().unwrap_or(new), new));
        new
    }

    fn first(&self) -> Option<&'static Segment> {
        self.ends.map(|(first, _)| first)
    }

    /// Begins a trim: the first segment, how many spare pages are too many, and how many others
    /// there are.
    fn surplus(&mut self) -> (Option<&'static Segment>, usize, usize) {
        let surplus = self.least_spare.saturating_sub(RESERVE);
        self.least_spare = self.spare;
        (self.first(), surplus, self.spare - surplus)
    }

    /// Closes spare pages of a segment, at most `surplus`, but not the lowest `keep` of all
    /// segments.
    fn close(&mut self, segment: &Segment, keep: &mut usize, surplus: &mut usize) -> PageSet {
        let mut closed = PageSet::default();
        for page in segment.pages().spare_pages() {
            if *keep > 0 {
                *keep -= 1;
            } else if *surplus > 0 {
                *surplus -= 1;
                segment.pages().close(page);
                closed[page / 64] |= 1 << (page % 64);
                self.spare -= 1;
            }
        }
        self.least_spare = self.least_spare.min(self.spare);
        closed
    }

    /// The pages of that segment that were closed are vacant, and records had serial numbers up to
    /// these.
    fn discarded(
        &mut self,
        segment: &'static Segment,
        closed: PageSet,
        serials: &[u32; MOST_PAGES],
    ) {
        for page in each(closed) {
            segment.pages().discarded(page, serials[page]);
            self.vacant = lower(self.vacant, segment);
        }
    }
}

/// Where the search begins now that there is something in this segment, too; `None`: at the first
/// one.
fn lower(from: Option<&'static Segment>, segment: &'static Segment) -> Option<&'static Segment> {
    from.map(|from| {
        if segment.number() < from.number() {
            segment
        } else {
            from
        }
    })
}

fn segments(from: Option<&'static Segment>) -> impl Iterator<Item = &'static Segment> {
    std::iter::successors(from, |segment| segment.next())
}

/// The records of a page in the order in which they are given out: every other one, then the rest.
/// A record is no whole number of cache lines, and tasks that are spawned one after the other often
/// run at the same time: so they do not share one.
fn apart(page: &'static [Record]) -> impl DoubleEndedIterator<Item = &'static Record> {
    let rest = page.iter().skip(1).step_by(2);
    page.iter().step_by(2).chain(rest)
}

/// Every record that may be in use; those of a page in the order in which they were first given
/// out.
pub(crate) fn all() -> impl Iterator<Item = &'static Record> {
    let first = pool().first();
    let pages =
        |segment: &'static Segment| segment.pages().out_pages().map(move |page| (segment, page));
    segments(first)
        .flat_map(pages)
        .flat_map(|(segment, page)| apart(segment.records(page)))
}

/// The record at this address; `None` if there is none.
#[cfg(not(taskscope_loom))]
pub(crate) fn at(address: usize) -> Option<&'static Record> {
    let first = pool().first();
    segments(first).find_map(|segment| segment.record_at(address))
}

/// Holds the records of all live tasks, in no particular order.
pub fn live() -> impl Iterator<Item = Hold> {
    all().filter_map(Record::try_hold)
}

/// Records that have memory.
pub(crate) fn exist() -> usize {
    let first = pool().first();
    segments(first)
        .map(|segment| segment.pages().open_pages() * segment.records_in_page())
        .sum()
}

/// Records that have memory, and those that somebody refers to.
pub fn counts() -> (usize, usize) {
    let in_use = all().filter(|record| record.is_in_use());
    (exist(), in_use.count())
}
