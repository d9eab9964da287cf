//! Segments of two pages of two records each, on the heap: what the pool needs of the real ones.

use std::sync::OnceLock;

use super::Record;
use crate::pages::{MOST_PAGES, PageSet, Pages, each};

const RECORDS: usize = 2;

pub(crate) struct Segment {
    number: usize,
    next: OnceLock<&'static Segment>,
    pages: Pages,
    records: Vec<Record>,
}

impl Segment {
    pub(crate) fn new(number: usize) -> &'static Segment {
        let segment = Box::leak(Box::new(Segment {
            number,
            next: OnceLock::new(),
            pages: Pages::new(0..MOST_PAGES),
            records: (0..MOST_PAGES * RECORDS).map(|_| Record::new()).collect(),
        }));
        for (at, record) in segment.records.iter().enumerate() {
            assert!(record.home.set((segment, at / RECORDS)).is_ok());
        }
        segment
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }

    pub(crate) fn next(&self) -> Option<&'static Segment> {
        self.next.get().copied()
    }

    pub(crate) fn set_next(&self, next: &'static Segment) {
        assert!(self.next.set(next).is_ok(), "one is made at a time");
    }

    pub(crate) fn pages(&self) -> &Pages {
        &self.pages
    }

    pub(crate) fn of(record: &'static Record) -> (&'static Segment, usize) {
        *record.home.get().expect("a record of a segment")
    }

    pub(crate) fn records_in_page(&self) -> usize {
        RECORDS
    }

    pub(crate) fn records(&'static self, page: usize) -> &'static [Record] {
        &self.records[page * RECORDS..][..RECORDS]
    }

    /// As the system does it: a store of zeros, of which nobody is told.
    pub(crate) fn discard(&'static self, pages: PageSet) {
        for record in each(pages).flat_map(|page| self.records(page)) {
            record.zero();
        }
    }
}
