//! Which records of a segment are free, page by page: the pool's books.
//!
//! A page is the system's, because that is the unit in which memory is given back. Its records are
//! free all together, when nobody has taken one out of its list, or some of them are.
//!
//! ```text
//!            open                 the last free one is taken
//!   vacant ────────▶ with free ◀────────────────────────────▶ full
//!      ▲                 │ none of its records is out, and too many pages are like that
//!      └── discarded ◀───┘ close
//! ```
//!
//! All of it is written under the lock of the pool. What a dump reads without that lock is the
//! number of records that are out. Not here: the memory itself (`record/arena.rs`); which page is
//! next ([`crate::pool`]).

use std::sync::atomic::{AtomicU32 as Plain, AtomicU64, Ordering};

use crate::free_list::FreeList;
use crate::record::{AtomicRecordPtr, Record};
use crate::sync::atomic::AtomicU32;

/// The most pages that a segment has.
pub(crate) const MOST_PAGES: usize = if cfg!(taskscope_loom) { 2 } else { 256 };

const WORDS: usize = MOST_PAGES.div_ceil(64);

/// Pages, a bit each.
pub(crate) type PageSet = [u64; WORDS];

pub(crate) struct Page {
    /// Free records that no thread has in a list of its own.
    free: FreeList,
    /// Records that are not in that list.
    out: AtomicU32,
    /// The serial number of the page's records when it was last opened. None of them had it, or a
    /// higher one, before.
    serial: Plain,
}

/// The pages of one segment.
pub(crate) struct Pages {
    pages: [Page; MOST_PAGES],
    /// Pages that have a free record.
    with_free: Bits,
    /// Pages that are not vacant, and those that are not for records.
    taken: Bits,
    /// How many bits `taken` has for pages that are not for records.
    reserved: usize,
}

struct Bits([AtomicU64; WORDS]);

impl Bits {
    fn none() -> Bits {
        Bits(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    fn set(&self, at: usize) {
        let word = &self.0[at / 64];
        word.store(
            word.load(Ordering::Relaxed) | (1 << (at % 64)),
            Ordering::Relaxed,
        );
    }

    fn clear(&self, at: usize) {
        let word = &self.0[at / 64];
        word.store(
            word.load(Ordering::Relaxed) & !(1 << (at % 64)),
            Ordering::Relaxed,
        );
    }

    fn snapshot(&self) -> PageSet {
        std::array::from_fn(|word| self.0[word].load(Ordering::Relaxed))
    }

    fn count(&self) -> usize {
        let ones = |word: u64| word.count_ones() as usize;
        self.snapshot().into_iter().map(ones).sum()
    }
}

/// The lowest page in the set.
fn lowest(set: PageSet) -> Option<usize> {
    let at = set.iter().position(|word| *word != 0)?;
    Some(at * 64 + set[at].trailing_zeros() as usize)
}

/// The pages in the set, lowest first.
pub(crate) fn each(mut set: PageSet) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let page = lowest(set)?;
        set[page / 64] &= set[page / 64] - 1;
        Some(page)
    })
}

impl Pages {
    /// Vacant pages, of which only those in `usable` are for records.
    pub(crate) fn new(usable: std::ops::Range<usize>) -> Pages {
        let pages = Pages {
            pages: std::array::from_fn(|_| Page {
                free: FreeList::of(AtomicRecordPtr::new(), AtomicU32::new(0)),
                out: AtomicU32::new(0),
                serial: Plain::new(0),
            }),
            with_free: Bits::none(),
            taken: Bits::none(),
            reserved: MOST_PAGES - usable.len(),
        };
        let reserved = (0..MOST_PAGES).filter(|page| !usable.contains(page));
        reserved.for_each(|page| pages.taken.set(page));
        pages
    }

    /// The lowest page with a free record.
    pub(crate) fn with_free(&self) -> Option<usize> {
        lowest(self.with_free.snapshot())
    }

    /// The lowest page without records.
    pub(crate) fn vacant(&self) -> Option<usize> {
        lowest(self.taken.snapshot().map(|word| !word)).filter(|page| *page < MOST_PAGES)
    }

    /// Pages with records.
    pub(crate) fn open_pages(&self) -> usize {
        self.taken.count() - self.reserved
    }

    /// Whether somebody has taken a record out of the page.
    pub(crate) fn is_out(&self, page: usize) -> bool {
        self.pages[page].out.load(Ordering::Relaxed) != 0
    }

    /// Pages of which somebody may have taken a record out.
    pub(crate) fn out_pages(&self) -> impl Iterator<Item = usize> {
        each(self.taken.snapshot()).filter(|page| self.is_out(*page))
    }

    /// Pages all of whose records are free.
    pub(crate) fn spare_pages(&self) -> impl Iterator<Item = usize> {
        each(self.with_free.snapshot()).filter(|page| !self.is_out(*page))
    }

    /// A vacant page has these records now, in the order in which they are to be given out.
    pub(crate) fn open(
        &self,
        page: usize,
        records: impl DoubleEndedIterator<Item = &'static Record>,
    ) {
        let serial = self.pages[page].serial.load(Ordering::Relaxed);
        // The last one in is the first one out.
        for record in records.rev() {
            record.renew(serial);
            self.pages[page].free.put(record);
        }
        self.taken.set(page);
        self.with_free.set(page);
    }

    /// Takes records out of the page and shows them to `f` until it says no or there are none.
    /// Returns whether the page was spare.
    pub(crate) fn take(&self, page: usize, mut f: impl FnMut(&'static Record) -> bool) -> bool {
        let Page { free, out, .. } = &self.pages[page];
        let before = free.count();
        while let Some(record) = free.take() {
            if !f(record) {
                break;
            }
        }
        let left = free.count();
        if left == 0 {
            self.with_free.clear(page);
        }
        let was_out = out.load(Ordering::Relaxed);
        out.store(was_out + (before - left), Ordering::Relaxed);
        was_out == 0
    }

    /// Puts a record of the page back. Returns whether that makes it a spare one.
    pub(crate) fn put(&self, page: usize, record: &'static Record) -> bool {
        let Page { free, out, .. } = &self.pages[page];
        if free.put(record) == 1 {
            self.with_free.set(page);
        }
        let left = out.load(Ordering::Relaxed) - 1;
        out.store(left, Ordering::Relaxed);
        left == 0
    }

    /// Takes all records of a spare page out of the books. They are the caller's, who calls
    /// [`Pages::discarded`] in the end.
    pub(crate) fn close(&self, page: usize) {
        self.pages[page].free.clear();
        self.with_free.clear(page);
    }

    /// A page that was closed has no records any more. They had serial numbers up to this one.
    pub(crate) fn discarded(&self, page: usize, serial: u32) {
        self.pages[page].serial.store(serial, Ordering::Relaxed);
        self.taken.clear(page);
    }
}
