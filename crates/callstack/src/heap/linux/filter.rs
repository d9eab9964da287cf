//! Tells whether an address may be one of a live sample: a table of counters that every free reads.
//!
//! A counter of 0 says for certain that no sampled address with that remainder is live; any other
//! says "look it up" ([`super::live`]). Neighbours in memory are neighbours in the table, so that
//! frees of memory that is in the processor's cache find their counters there, too. A counter that
//! has reached its end stays there for ever: that costs time and no correctness.
//!
//! All accesses are relaxed: the thread that frees has got the address from the one that allocated,
//! by something that orders the two, or the program has a data race of its own. Not here: the live
//! samples themselves ([`super::live`]).

use std::sync::atomic::{AtomicU8, Ordering};

/// The number of counters: one for 16 bytes, in 16 MiB of addresses. 64 GiB of memory at the
/// default rate have a sample in every eighth.
const COUNTERS: usize = 1 << 20;

/// All zero at first, so it takes memory only where samples are.
static FILTER: [AtomicU8; COUNTERS] = [const { AtomicU8::new(0) }; COUNTERS];

#[inline(always)]
fn counter(address: usize) -> &'static AtomicU8 {
    // The higher bits, too: allocators give large memory at the same offset of a page each time.
    &FILTER[((address ^ (address >> 18)) >> 4) & (COUNTERS - 1)]
}

/// False for nearly all addresses that are not sampled, and for none that is.
#[inline(always)]
pub(in crate::heap) fn may_be_sampled(address: usize) -> bool {
    counter(address).load(Ordering::Relaxed) != 0
}

pub(super) fn add(address: usize) {
    let more = |count: u8| count.checked_add(1);
    let _ = counter(address).fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
}

pub(super) fn remove(address: usize) {
    let less = |count: u8| (count != u8::MAX).then(|| count.saturating_sub(1));
    let _ = counter(address).fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
}

#[cfg(test)]
mod tests {
    use super::{add, counter, may_be_sampled, remove};
    use std::sync::atomic::Ordering;

    #[test]
    fn a_counter_at_its_end_stays_there() {
        // No allocator gives such an address to this process.
        let address = 0x10;
        for _ in 0..300 {
            add(address);
        }
        for _ in 0..300 {
            remove(address);
        }
        assert!(may_be_sampled(address));
        counter(address).store(0, Ordering::Relaxed);
    }

    #[test]
    fn what_is_removed_as_often_as_added_is_gone() {
        let address = 0x1000;
        add(address);
        add(address);
        remove(address);
        assert!(may_be_sampled(address));
        remove(address);
        assert!(!may_be_sampled(address));
    }
}
