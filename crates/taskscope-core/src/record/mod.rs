//! The record of one task, its reference count and its wakers: all the unsafe code of this crate.
//!
//! # The life of a record
//!
//! Records live in address space that is never unmapped (`arena`), so a `&'static Record` is
//! always valid memory; what changes is whose record it is. The state word (`state`) decides
//! that:
//!
//! ```text
//!            pool::take          publish                 last release
//!   free  ──────────────▶ owned ─────────▶ in use (counts > 0) ─────────▶ owned ──▶ free
//! ```
//!
//! * Its counts are of wakers that are out, and of holders: the task's own future, and dumps that
//!   are looking. A `JoinHandle` is none: it knows record and serial number ([`TaskRef`]), and has
//!   to hold before it touches anything.
//! * `meta` is written between `take` and `publish` and taken out by whoever released the last
//!   reference, before the record returns to the pool. In both windows the counts are 0, so nobody
//!   else can read it: readers must hold a reference, and [`Record::try_hold`] only adds one to a
//!   count that is not zero. The thread that is polling the task may read it, too: the future that
//!   is being polled holds.
//! * The memory of free records may be given back to the system, whereupon it reads as zeros: that
//!   is a free record, too. Its serial number goes on where it was (`Record::renew`), so that no
//!   two tasks ever have the same record and number.
//! * The executor's waker is lent for a poll and kept from the first clone of ours on
//!   (`executor_waker`). Whoever has one of our wakers has a reference, and the kept waker cannot
//!   go away under it: a wake needs no lock. An executor that changes its waker between two polls
//!   is supported through a side table (`crate::replaced_wakers`).
//!
//! # Orderings
//!
//! `publish` releases, its readers acquire. The last release is `AcqRel`, as in `Arc`. The end of a
//! task and the mark for a capture are in one word. A poll's beginning releases the thread that
//! answers the wake. Everything else is a statistic written by the one thread that polls the task,
//! and is relaxed. Times are raw ticks of the coarse clock ([`crate::clock`]).
//!
//! Not here: what a poll does ([`crate::instrument`]), what a capture does ([`crate::capture`]),
//! where free records wait.

#[cfg(not(taskscope_loom))]
mod arena;
#[cfg(not(taskscope_loom))]
mod cell;
#[cfg(not(taskscope_loom))]
mod current;
mod executor_waker;
#[cfg(not(taskscope_loom))]
mod extensions;
#[cfg(not(taskscope_loom))]
mod flags;
#[cfg(not(taskscope_loom))]
mod handles;
mod last_stack;
#[cfg(not(taskscope_loom))]
mod life;
#[cfg(not(taskscope_loom))]
mod meta;
#[cfg(taskscope_loom)]
mod models;
#[cfg(all(tokio_unstable, not(taskscope_loom)))]
mod observed;
#[cfg(not(taskscope_loom))]
mod poll;
#[cfg(not(taskscope_loom))]
mod polling;
#[cfg(not(taskscope_loom))]
pub mod probe;
#[cfg(not(taskscope_loom))]
mod reading;
#[cfg(not(taskscope_loom))]
mod sampled;
mod state;
mod waker;

#[cfg(taskscope_loom)]
pub(crate) use self::models::{AtomicRecordPtr, Hold, Record, Segment};
#[cfg(all(tokio_unstable, not(taskscope_loom)))]
pub use self::observed::{begin_poll, end_poll};
pub(crate) use self::state::Request;
#[cfg(not(taskscope_loom))]
pub(crate) use self::{
    arena::Segment,
    cell::AtomicRecordPtr,
    current::{current, scoped, set_scoped},
    handles::hold_sampled,
    waker::{Identity, capturing_functions},
};
#[cfg(not(taskscope_loom))]
pub use self::{
    current::{Inherited, current_id, inherited, with_current},
    extensions::{Extensions, Label, LongPoll, Missing, TokenLooks},
    handles::{Attached, Hold, TaskGuard, TaskRef},
    life::{Record, of_new_task},
    meta::{Meta, Tags, Traits},
    sampled::Wait,
};
