//! Sums are accurate: bytes and objects, allocated and held, whatever the sizes, and while the rate
//! changes.

use callstack::heap::{self, Weight};

use crate::{LABEL, Turn, allocated, assert_within, held, own_label};

const TOTAL: usize = 256 << 20;

/// Sizes as programs have them: many small ones, few large ones, every power of two with about as
/// many bytes.
struct Sizes(u64);

impl Sizes {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // 16 B to 1 MiB. A size of 2^n is 2^n times as rare as one of 1.
        let mut power = 4;
        let mut bits = self.0;
        while power < 20 && bits & 1 == 1 {
            power += 1;
            bits >>= 1;
        }
        (1 << power) + (self.0 >> 40) as usize % (1 << power)
    }
}

struct Truth {
    label: u64,
    bytes: usize,
    objects: usize,
    held_bytes: usize,
    held_objects: usize,
    held: Vec<Vec<u8>>,
    /// The weight of the samples of what was allocated.
    estimate: Weight,
}

/// Allocates that many bytes, and keeps every fourth block.
fn allocate(total: usize, seed: u64, mut each: impl FnMut(usize)) -> Truth {
    // Allocations of the test itself have another label.
    LABEL.set(0);
    let held = Vec::with_capacity(1 << 20);
    let mut truth = Truth {
        label: own_label(),
        bytes: 0,
        objects: 0,
        held_bytes: 0,
        held_objects: 0,
        held,
        estimate: Weight::default(),
    };
    let mut sizes = Sizes(seed);
    while truth.bytes < total {
        let size = sizes.next();
        let block: Vec<u8> = Vec::with_capacity(size);
        truth.bytes += size;
        truth.objects += 1;
        if truth.objects.is_multiple_of(4) {
            truth.held_bytes += size;
            truth.held_objects += 1;
            truth.held.push(block);
        }
        if truth.objects.is_multiple_of(10_000) {
            // Before the queue is full.
            truth.estimate += allocated(truth.label);
        }
        each(truth.objects);
    }
    truth.estimate += allocated(truth.label);
    truth
}

/// Bytes are estimated from some 16,000 samples that are held: 5 % are six times their spread.
/// Objects that are small stand for hundreds each, so their number is not known as well.
#[track_caller]
fn assert_sums(truth: &Truth) {
    let held = held(truth.label);
    assert_within(5.0, truth.estimate.bytes() as f64, truth.bytes as f64);
    assert_within(5.0, held.bytes() as f64, truth.held_bytes as f64);
    assert_within(10.0, truth.estimate.count(), truth.objects as f64);
    assert_within(20.0, held.count(), truth.held_objects as f64);
}

#[test]
fn sums_of_mixed_sizes_are_within_five_percent() {
    let _turn = Turn::with_rate(4 << 10);
    let truth = allocate(TOTAL, 0x9e37_79b9_7f4a_7c15, |_| ());
    assert_sums(&truth);
    let label = truth.label;
    drop(truth);
    assert_eq!(held(label).bytes(), 0);
}

#[test]
fn a_rate_that_changes_meanwhile_keeps_the_sums_true() {
    let _turn = Turn::with_rate(1 << 10);
    let truth = allocate(TOTAL, 0x0123_4567_89ab_cdef, |objects| {
        heap::set_rate((1 << 10) << (objects / 1000 % 4));
    });
    assert_sums(&truth);
}

#[test]
fn what_is_allocated_while_sampling_is_off_is_not_in_the_sums() {
    let _turn = Turn::with_rate(1);
    let number = own_label();
    let before = vec![0_u8; 1000];
    heap::set_rate(0);
    assert_eq!(heap::rate(), 0);
    let while_off = vec![0_u8; 1000];
    assert_eq!(held(number).bytes(), 1000);
    drop(before);
    // A sample from before is forgotten when its memory is freed, though sampling is off.
    assert_eq!(held(number).bytes(), 0);
    heap::set_rate(1);
    let after = vec![0_u8; 1000];
    assert_eq!(held(number).bytes(), 1000);
    drop((while_off, after));
    assert_eq!(held(number).bytes(), 0);
}

#[test]
fn the_first_allocation_of_a_thread_counts() {
    let _turn = Turn::with_rate(64 << 10);
    let numbers: Vec<u64> = (0..8)
        .map(|_| {
            std::thread::spawn(|| {
                let number = own_label();
                // 1000 times the rate: the chance that it is missed is 0 for all purposes.
                let block = Vec::<u8>::with_capacity(64 << 20);
                assert_eq!(held(number).bytes(), 64 << 20);
                drop(block);
                number
            })
            .join()
            .unwrap()
        })
        .collect();
    for number in numbers {
        assert_eq!(held(number).bytes(), 0);
    }
}
