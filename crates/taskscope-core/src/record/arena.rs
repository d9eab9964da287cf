//! The memory of records: segments of address space that are never unmapped, so that a
//! `&'static Record` can always be read.
//!
//! Apart from the application's heap, because a record outlives the task that it was made for: one
//! at the top of the heap would keep everything below it from going back to the system.
//!
//! ```text
//!  2 MiB, aligned          1 MiB
//!  ├─ header ─┬─ pages ────┼─ the same places again ─────────┤
//!     Segment    records     what few tasks have (`Extensions`), at the same distance from each record
//! ```
//!
//! The pages of a segment can be [discarded](Segment::discard): the system takes their memory, and
//! they read as zeros. Zeros are a free record to everybody who may look at one without a
//! reference: its counts are 0.
//!
//! Not here: which records are free ([`crate::pages`]); when memory is given back
//! ([`crate::pool`]).

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use super::{Extensions, Record};
use crate::pages::{MOST_PAGES, PageSet, Pages, each};

/// Bytes of records, and again of their extensions beside them.
const HALF: usize = 1 << 20;
const SEGMENT: usize = 2 * HALF;

// The extensions of a record have as much room, and so the same index.
const _: () = assert!(size_of::<Extensions>() <= size_of::<Record>());
const _: () = assert!(align_of::<Extensions>() <= align_of::<Record>());
const _: () = assert!(HALF.is_multiple_of(MOST_PAGES));

/// The beginning of a segment.
pub(crate) struct Segment {
    /// Counts the segments, from 0.
    number: usize,
    next: OnceLock<&'static Segment>,
    /// The size of a page is 2 to the power of it.
    page_shift: u32,
    /// Whether it is a mapping of its own, and not a piece of the heap.
    mapped: bool,
    pages: Pages,
}

impl Segment {
    /// Makes a segment, which is there for ever. Its pages are vacant.
    pub(crate) fn new(number: usize) -> &'static Segment {
        let (base, mapped) = match system::map() {
            Some(base) => (base, true),
            None => (heap(), false),
        };
        // Never fewer bytes than there are places for.
        let page_size = system::page_size().max(HALF / MOST_PAGES);
        let page_shift = page_size.ilog2();
        let first = size_of::<Segment>().div_ceil(page_size);
        let segment = base.cast::<Segment>();
        // A record's segment, and its extensions, are found by address.
        segment.as_ptr().expose_provenance();
        // SAFETY: `base` is the beginning of `SEGMENT` zeroed bytes that are ours, aligned to as
        // much, and nothing of it is ever freed.
        unsafe {
            segment.write(Segment {
                number,
                next: OnceLock::new(),
                page_shift,
                mapped,
                pages: Pages::new(first..HALF / page_size),
            });
            segment.as_ref()
        }
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// The one that was made after this one.
    pub(crate) fn next(&self) -> Option<&'static Segment> {
        self.next.get().copied()
    }

    pub(crate) fn set_next(&self, next: &'static Segment) {
        let set = self.next.set(next);
        debug_assert!(set.is_ok(), "one is made at a time");
    }

    pub(crate) fn pages(&self) -> &Pages {
        &self.pages
    }

    fn page_size(&self) -> usize {
        1 << self.page_shift
    }

    /// The segment of a record, and its page there.
    pub(crate) fn of(record: &'static Record) -> (&'static Segment, usize) {
        let address = ptr::from_ref(record).addr();
        let base = address & !(SEGMENT - 1);
        // SAFETY: records are made in segments only, which are aligned, and whose provenance was
        // exposed. A header is written once, before the first record of the segment is there, and
        // never freed.
        let segment = unsafe { &*ptr::with_exposed_provenance::<Segment>(base) };
        (segment, (address - base) >> segment.page_shift)
    }

    /// Records that a page has room for.
    pub(crate) fn records_in_page(&self) -> usize {
        self.page_size() / size_of::<Record>()
    }

    /// The places of a page for records. Those of a page that has never been opened, or was
    /// discarded, read as zeros.
    pub(crate) fn records(&self, page: usize) -> &'static [Record] {
        assert!(page < HALF / self.page_size() && page * self.page_size() >= size_of::<Segment>());
        let base = ptr::from_ref(self).addr();
        let first = ptr::with_exposed_provenance::<Record>(base + page * self.page_size());
        // SAFETY: within the half of the segment that is for records, apart from its header, and
        // there for ever. All that anybody reads of a record without owning it or holding it are
        // atomics, for which zeros are a value; the rest is written by `Record::renew` before
        // somebody owns it.
        unsafe { std::slice::from_raw_parts(first, self.records_in_page()) }
    }

    /// The record at this address, in use or not; `None` if there is none in this segment.
    pub(crate) fn record_at(&self, address: usize) -> Option<&'static Record> {
        let offset = address.checked_sub(ptr::from_ref(self).addr())?;
        let (page, in_page) = (offset >> self.page_shift, offset & (self.page_size() - 1));
        let has_records = offset < HALF && page * self.page_size() >= size_of::<Segment>();
        if !has_records || !in_page.is_multiple_of(size_of::<Record>()) {
            return None;
        }
        self.records(page).get(in_page / size_of::<Record>())
    }

    /// Gives the memory of these pages back to the system. Nobody refers to their records, which
    /// are closed.
    pub(crate) fn discard(&self, pages: PageSet) {
        if !self.mapped {
            return;
        }
        let base = ptr::from_ref(self).addr();
        let mut pages = each(pages).peekable();
        while let Some(first) = pages.next() {
            let mut end = first + 1;
            while pages.next_if_eq(&end).is_some() {
                end += 1;
            }
            let length = (end - first) * self.page_size();
            for half in [base, base + HALF] {
                let start = half + first * self.page_size();
                // SAFETY: whole pages of a mapping of ours, without its header. Who reads them from
                // now on reads zeros in place of records that nobody refers to, and nobody has a
                // reference to what is beside such a record.
                unsafe { system::discard(ptr::with_exposed_provenance_mut(start), length) };
            }
        }
    }
}

/// The place beside a record for what few tasks have. Only whoever makes it may write there.
pub(super) fn beside(record: &Record) -> *mut Extensions {
    let address = ptr::from_ref(record).addr() + HALF;
    ptr::with_exposed_provenance_mut(address)
}

/// A segment out of the heap, where there is nothing else.
#[cold]
fn heap() -> NonNull<u8> {
    const LAYOUT: Layout = match Layout::from_size_align(SEGMENT, SEGMENT) {
        Ok(layout) => layout,
        Err(_) => panic!("a power of two"),
    };
    // SAFETY: the size is not zero.
    let memory = unsafe { alloc_zeroed(LAYOUT) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(LAYOUT))
}

#[cfg(all(target_os = "linux", not(miri)))]
mod system {
    use std::ptr::{self, NonNull};

    use super::SEGMENT;

    pub(super) fn page_size() -> usize {
        // SAFETY: a question.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        // It is never refused. 64 KiB is a whole number of pages everywhere.
        usize::try_from(size).unwrap_or(1 << 16)
    }

    /// A segment of address space, aligned. `None`: the system gives none.
    pub(super) fn map() -> Option<NonNull<u8>> {
        let start = map_aligned()?;
        // A page that is given back must not come back as a part of a huge one. A kernel without
        // huge pages refuses, and does not need to be told. SAFETY: a mapping of ours, in which
        // nothing is yet.
        unsafe { libc::madvise(start.as_ptr().cast(), SEGMENT, libc::MADV_NOHUGEPAGE) };
        Some(start)
    }

    fn map_aligned() -> Option<NonNull<u8>> {
        // Mostly the next one is beside the one before.
        let start = map_anywhere(SEGMENT)?;
        if start.addr().get().is_multiple_of(SEGMENT) {
            return Some(start);
        }
        unmap(start, SEGMENT);
        let start = map_anywhere(2 * SEGMENT)?;
        let before = start.addr().get().next_multiple_of(SEGMENT) - start.addr().get();
        // SAFETY: within the mapping that was made just now.
        let (segment, after) = unsafe { (start.add(before), start.add(before + SEGMENT)) };
        unmap(start, before);
        unmap(after, SEGMENT - before);
        Some(segment)
    }

    fn map_anywhere(size: usize) -> Option<NonNull<u8>> {
        // Most of a segment is never used at the same time: no memory is set aside for it.
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: at an address that the system chooses.
        let start = unsafe { libc::mmap(ptr::null_mut(), size, access, flags, -1, 0) };
        let start = NonNull::<u8>::new(start.cast())?;
        (start.as_ptr().cast::<libc::c_void>() != libc::MAP_FAILED).then_some(start)
    }

    fn unmap(start: NonNull<u8>, size: usize) {
        if size > 0 {
            // SAFETY: a part of a mapping that was made by this module and that nobody was told of.
            unsafe { libc::munmap(start.as_ptr().cast(), size) };
        }
    }

    /// # Safety
    ///
    /// Whole pages of a segment, whose contents nobody needs.
    pub(super) unsafe fn discard(start: *mut u8, size: usize) {
        // A refusal, as for memory that the application has locked, costs memory and nothing else.
        // SAFETY: as the caller promises.
        unsafe { libc::madvise(start.cast(), size, libc::MADV_DONTNEED) };
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod system {
    use std::ptr::NonNull;

    pub(super) fn page_size() -> usize {
        4096
    }

    pub(super) fn map() -> Option<NonNull<u8>> {
        None
    }

    /// # Safety
    ///
    /// None: nothing happens.
    pub(super) unsafe fn discard(_: *mut u8, _: usize) {}
}
