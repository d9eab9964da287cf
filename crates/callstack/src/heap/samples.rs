//! Samples as they are handed out, and the constants of sampling.
//!
//! Not here: what a sample stands for ([`super::weight`]), and where samples are kept (`linux`).

use super::weight::Weight;
use crate::Completeness;

/// The mean distance between two samples: 512 KiB of allocated memory, as in Go.
///
/// A smaller one costs more and sees smaller allocations; one of 64 KiB costs eight times as much.
pub const DEFAULT_RATE: usize = 512 << 10;

/// The most samples that wait for [`drain`](super::drain).
pub const QUEUE: usize = 1 << 15;

/// Two words that say on whose behalf something was allocated; `[0, 0]` is nobody.
pub type Label = [u64; 2];

/// A distinct stack that has allocated. Valid as long as the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StackId(pub(super) u32);

/// The stack of a sampled allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frames {
    /// Return addresses, leaf first, without those of the allocator; empty if the stack could not
    /// be taken.
    pub addresses: Vec<usize>,
    /// How the walk ended. [`Completeness::Broken`] with no address: there was no room for the
    /// stack, or no unwinder.
    pub completeness: Completeness,
}

/// A sampled allocation at the moment when it was made, to be added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Allocated {
    /// The stack that allocated.
    pub stack: StackId,
    /// The label at that moment.
    pub label: Label,
    /// The bytes and objects that it stands for.
    pub weight: Weight,
}

/// A sampled allocation that has not been freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Live {
    /// The stack that allocated.
    pub stack: StackId,
    /// The label at that moment.
    pub label: Label,
    /// The bytes and objects that it stands for.
    pub weight: Weight,
}

/// How many samples were dropped, or are incomplete, since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Dropped {
    /// Not taken: the allocation was made by the sampler itself, or by a signal handler that
    /// interrupted it.
    pub nested: u64,
    /// Not taken: there was no memory for the tables.
    pub no_tables: u64,
    /// Not among the held ones: the table of live samples had no place.
    pub no_place: u64,
    /// Without a stack: all unwinders were busy, or the program has no unwind tables.
    pub no_stack: u64,
    /// Without a stack: the table of stacks was full.
    pub no_room_for_stack: u64,
    /// Without a label in [`drain`](super::drain): nobody has drained in time. They are in
    /// [`unlabelled`](super::unlabelled).
    pub no_label: u64,
}
