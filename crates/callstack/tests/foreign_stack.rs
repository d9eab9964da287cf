//! Code that runs on another stack than the one of its thread, as coroutines and `stacker` do.
#![cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
#![allow(clippy::unwrap_used)]

#[path = "support/other_stack.rs"]
mod other_stack;
mod support;

use std::cell::{Cell, RefCell};
use std::hint::black_box;

use callstack::{Completeness, Stack, capture};
use other_stack::on_another_stack;
use support::names;

thread_local! {
    /// Where the thread itself is, and what was captured on the other stack.
    static OUTSIDE: Cell<usize> = const { Cell::new(0) };
    static TRACES: RefCell<Vec<(Completeness, Vec<usize>)>> = const { RefCell::new(Vec::new()) };
}

extern "C" fn coroutine() {
    let limit = 0_u8;
    for limit in [&raw const limit as usize, OUTSIDE.get(), usize::MAX] {
        leaf(limit);
    }
    black_box(limit);
}

#[inline(never)]
fn leaf(limit: usize) {
    let mut frames = Vec::new();
    let end = capture(limit, &mut frames);
    TRACES.with_borrow_mut(|traces| traces.push((end, frames)));
}

#[test]
fn only_frames_that_are_surely_on_the_same_stack_are_walked() {
    let outside = 0_u8;
    OUTSIDE.set(&raw const outside as usize);
    on_another_stack(coroutine);
    let traces = TRACES.take();
    let traces: Vec<_> = traces
        .into_iter()
        .map(|(end, frames)| (end, Stack::intern(&frames).symbols()))
        .collect();
    let seen: Vec<_> = traces
        .iter()
        .map(|(end, symbols)| (*end, names(symbols)))
        .collect();
    let leaf = vec!["foreign_stack::leaf"];
    assert_eq!(
        seen[0],
        (
            Completeness::Complete,
            vec!["foreign_stack::leaf", "foreign_stack::coroutine"]
        )
    );
    assert_eq!(seen[1], (Completeness::Broken, leaf.clone()));
    assert_eq!(seen[2], (Completeness::Broken, leaf));
}
