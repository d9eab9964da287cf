//! The bits of a record's small fields.
//!
//! Not here: the fields themselves (`life.rs`); the state word, which has bits of its own
//! (`state.rs`).

/// Bits of `flags`. Only whoever polls the future changes them, so no read-modify-write is needed.
pub(super) const REPLACED: u8 = 1;
pub(super) const ENDING: u8 = 2;
/// The other bits begin here: what the wait that is going on stands for, if sampling chose it.
pub(super) const CHOSEN: u32 = 2;

/// Bits of `woken_by`, since a dump last asked.
pub(super) const ITSELF: u8 = 1;
pub(super) const OTHERS: u8 = 2;

/// Bits of `hints`: sampling would like to know where the task waits; it ended in a poll that only
/// a capture had asked for.
pub(super) const STACK_WELCOME: u8 = 1;
pub(super) const ENDED_UNWOKEN: u8 = 2;
