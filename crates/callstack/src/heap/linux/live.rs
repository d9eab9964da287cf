//! The live samples, by address: a table of buckets with eight places each, and two buckets for an
//! address.
//!
//! # Protocol
//!
//! A place is free (key 0), claimed (key 1) or holds an address. The writer of an address claims a
//! free place by compare and swap, writes the details and stores the address; the one that takes it
//! out reads the details and stores 0. Both have the address to themselves (invariant of the parent
//! module). A reader of the whole table sees places that change meanwhile: each has a version that
//! is odd while its details are written, and a place that has changed during the read is left out.
//!
//! Not here: the filter in front of the table ([`super::filter`]).

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

use crate::heap::samples::{Label, Live, StackId};
use crate::heap::weight::Weight;

/// The number of buckets, a power of two.
const BUCKETS: usize = 1 << 14;
/// Places in a bucket: their keys are one line of the processor's cache.
const WAYS: usize = 8;

const FREE: usize = 0;
const CLAIMED: usize = 1;

#[repr(C, align(64))]
struct Bucket {
    keys: [AtomicUsize; WAYS],
}

#[repr(C)]
struct Details {
    version: AtomicU32,
    stack: AtomicU32,
    label: [AtomicU64; 2],
    weight: [AtomicU64; 2],
}

/// At most 131,072 samples: 64 GiB at the default rate.
#[repr(C)]
pub(super) struct LiveTable {
    buckets: [Bucket; BUCKETS],
    details: [[Details; WAYS]; BUCKETS],
}

/// The details of a live sample.
#[derive(Debug, Clone, Copy)]
pub(in crate::heap) struct Entry {
    pub(super) stack: StackId,
    pub(super) label: Label,
    pub(super) weight: Weight,
}

fn buckets_of(address: usize) -> [usize; 2] {
    let hash = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let second = (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    [hash, second].map(|hash| (hash >> 50) as usize)
}

impl LiveTable {
    /// False if both buckets are full.
    pub(super) fn put(&self, address: usize, entry: Entry) -> bool {
        buckets_of(address).into_iter().any(|at| {
            let places = self.buckets[at].keys.iter().zip(&self.details[at]);
            for (key, details) in places {
                // Acquire pairs with the release in `take`: its reads of the details are over.
                let claimed =
                    key.compare_exchange(FREE, CLAIMED, Ordering::Acquire, Ordering::Relaxed);
                if claimed.is_ok() {
                    details.write(entry);
                    // Release: a thread that sees the address sees its details.
                    key.store(address, Ordering::Release);
                    return true;
                }
            }
            false
        })
    }

    pub(super) fn take(&self, address: usize) -> Option<Entry> {
        buckets_of(address).into_iter().find_map(|at| {
            let keys = &self.buckets[at].keys;
            let way = keys
                .iter()
                .position(|key| key.load(Ordering::Acquire) == address)?;
            let entry = self.details[at][way].read();
            keys[way].store(FREE, Ordering::Release);
            Some(entry)
        })
    }

    pub(super) fn for_each(&self, each: &mut dyn FnMut(Live)) {
        for (bucket, details) in self.buckets.iter().zip(&self.details) {
            for (key, details) in bucket.keys.iter().zip(details) {
                let address = key.load(Ordering::Acquire);
                if address <= CLAIMED {
                    continue;
                }
                let version = details.version.load(Ordering::Acquire);
                let entry = details.read();
                // The reads above come before those below.
                fence(Ordering::Acquire);
                let same = details.version.load(Ordering::Relaxed) == version
                    && key.load(Ordering::Relaxed) == address;
                if same && version.is_multiple_of(2) {
                    each(Live {
                        stack: entry.stack,
                        label: entry.label,
                        weight: entry.weight,
                    });
                }
            }
        }
    }
}

impl Details {
    /// Writes the details. Only the thread that has claimed the place may call it.
    fn write(&self, entry: Entry) {
        let version = self.version.load(Ordering::Relaxed);
        self.version
            .store(version.wrapping_add(1), Ordering::Relaxed);
        // A reader that sees one of the words below sees the odd version.
        fence(Ordering::Release);
        self.stack.store(entry.stack.0, Ordering::Relaxed);
        let weight = entry.weight.to_words();
        for (to, word) in self.label.iter().zip(entry.label) {
            to.store(word, Ordering::Relaxed);
        }
        for (to, word) in self.weight.iter().zip(weight) {
            to.store(word, Ordering::Relaxed);
        }
        self.version
            .store(version.wrapping_add(2), Ordering::Release);
    }

    fn read(&self) -> Entry {
        let words =
            |from: &[AtomicU64; 2]| [0, 1].map(|at: usize| from[at].load(Ordering::Relaxed));
        Entry {
            stack: StackId(self.stack.load(Ordering::Relaxed)),
            label: words(&self.label),
            weight: Weight::from_words(words(&self.weight)),
        }
    }
}
