//! [`Weight`]: the bytes and objects that a sample stands for.
//!
//! Not here: which allocations are sampled (`linux/thread.rs`).

use std::ops::{Add, AddAssign, Sub};

/// Objects are counted in parts of this many: a sample of a large allocation stands for one and a
/// half, say.
const PARTS: f64 = 1024.0;

/// Estimated bytes and objects. Sums of weights are unbiased.
///
/// An allocation of `s` bytes is sampled with the chance `p = 1 - exp(-s / rate)`, so it stands for
/// `s / p` bytes in `1 / p` objects.
///
/// # Examples
///
/// ```
/// use callstack::heap::Weight;
///
/// let small = Weight::of(64, 512 << 10);
/// assert_eq!((small.bytes(), small.count().round()), (524_320, 8193.0));
/// let large = Weight::of(64 << 20, 512 << 10);
/// assert_eq!((large.bytes(), large.count()), (64 << 20, 1.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weight {
    bytes: u64,
    parts: u64,
}

impl Weight {
    /// The weight of an allocation of `size` bytes that was sampled at this rate. A rate of 0
    /// counts it once.
    #[must_use]
    pub fn of(size: usize, rate: usize) -> Self {
        let size = size.max(1) as f64;
        let chance = if rate == 0 {
            1.0
        } else {
            -(-size / rate as f64).exp_m1()
        };
        Weight {
            bytes: (size / chance).round() as u64,
            parts: (PARTS / chance).round() as u64,
        }
    }

    /// Estimated bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.bytes
    }

    /// Estimated number of objects; not a whole number, unless they are large.
    #[must_use]
    pub fn count(self) -> f64 {
        self.parts as f64 / PARTS
    }

    /// The weight as words, for the tables.
    #[cfg_attr(
        not(all(
            target_os = "linux",
            target_pointer_width = "64",
            any(target_arch = "x86_64", target_arch = "aarch64")
        )),
        expect(dead_code, reason = "there are no tables")
    )]
    pub(super) fn to_words(self) -> [u64; 2] {
        [self.bytes, self.parts]
    }

    #[cfg_attr(
        not(all(
            target_os = "linux",
            target_pointer_width = "64",
            any(target_arch = "x86_64", target_arch = "aarch64")
        )),
        expect(dead_code, reason = "there are no tables")
    )]
    pub(super) fn from_words([bytes, parts]: [u64; 2]) -> Self {
        Weight { bytes, parts }
    }
}

impl Add for Weight {
    type Output = Weight;

    fn add(self, other: Weight) -> Weight {
        Weight {
            bytes: self.bytes.saturating_add(other.bytes),
            parts: self.parts.saturating_add(other.parts),
        }
    }
}

impl AddAssign for Weight {
    fn add_assign(&mut self, other: Weight) {
        *self = *self + other;
    }
}

/// Subtracts, but never below 0.
impl Sub for Weight {
    type Output = Weight;

    fn sub(self, other: Weight) -> Weight {
        Weight {
            bytes: self.bytes.saturating_sub(other.bytes),
            parts: self.parts.saturating_sub(other.parts),
        }
    }
}
