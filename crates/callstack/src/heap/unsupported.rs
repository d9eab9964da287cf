//! Platforms on which allocations are not sampled: nothing is ever due.
//!
//! Not here: 64-bit Linux (`linux/`).

use super::samples::{Allocated, Dropped, Frames, Label, Live, StackId};
use super::weight::Weight;
use crate::Completeness;

pub(super) const SUPPORTED: bool = false;

/// Never exists.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry {}

pub(super) fn is_due(_size: usize) -> bool {
    false
}

pub(super) fn allocated(_address: usize, _size: usize) {}

pub(super) fn may_be_sampled(_address: usize) -> bool {
    false
}

pub(super) fn freed(_address: usize) {}

pub(super) fn taken_out(_address: usize) -> Option<Entry> {
    None
}

pub(super) fn put_back(_address: usize, entry: Entry) {
    match entry {}
}

pub(super) fn set_rate(_bytes: usize) {}

pub(super) fn rate() -> usize {
    0
}

pub(super) fn is_installed() -> bool {
    false
}

pub(super) fn set_label(_label: fn() -> Label) {}

pub(super) fn prepare() {}

pub(super) fn drain(_each: &mut dyn FnMut(Allocated)) {}

pub(super) fn unlabelled(_each: &mut dyn FnMut(StackId, Weight)) {}

pub(super) fn live(_each: &mut dyn FnMut(Live)) {}

pub(super) fn frames(_stack: StackId) -> Frames {
    Frames {
        addresses: Vec::new(),
        completeness: Completeness::Broken,
    }
}

pub(super) fn dropped() -> Dropped {
    Dropped::default()
}
