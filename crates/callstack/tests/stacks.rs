//! Shared stacks, their branches, and counting them.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashSet;
use std::hint::black_box;
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;

use callstack::{Stack, Symbol, capture, group, trim, trim_leaf, trim_root};
use support::names;

/// `Stack::live_count` counts the stacks of the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[inline(never)]
fn first() -> Vec<usize> {
    let mut frames = Vec::new();
    let limit = 0_u8;
    capture(&raw const limit as usize, &mut frames);
    black_box(frames)
}

#[inline(never)]
fn second() -> Vec<usize> {
    let mut frames = Vec::new();
    let limit = 1_u8;
    capture(&raw const limit as usize, &mut frames);
    black_box(frames)
}

#[test]
fn equal_stacks_are_one() {
    let _alone = alone();
    let [a, b, c] = [[1, 2, 3], [1, 2, 3], [1, 2, 4]].map(|frames| Stack::intern(&frames));
    assert!(Arc::ptr_eq(&a, &b));
    assert_eq!(a, b);
    assert_ne!(a, c);
    assert_eq!(a.id(), b.id());
    assert_ne!(a.id(), c.id());
    assert_eq!(a.frames(), [1, 2, 3]);
    assert_eq!(HashSet::from([a, b, c]).len(), 2);
}

#[test]
fn only_stacks_that_are_held_take_memory() {
    let _alone = alone();
    let before = Stack::live_count();
    let held: Vec<_> = (1..=1000).map(|ip| Stack::intern(&[ip, 77])).collect();
    let twins: Vec<_> = (1..=1000).map(|ip| Stack::intern(&[ip, 77])).collect();
    assert_eq!(Stack::live_count(), before + 1000);
    drop(held);
    assert_eq!(Stack::live_count(), before + 1000);
    drop(twins);
    assert_eq!(Stack::live_count(), before);
    // Seen again, it is a new stack with the old id.
    assert_eq!(Stack::intern(&[1, 77]).id(), Stack::intern(&[1, 77]).id());
}

#[test]
fn threads_that_intern_and_drop_the_same_stack_leave_nothing() {
    let _alone = alone();
    let before = Stack::live_count();
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                for round in 0..20_000 {
                    let stack = Stack::intern(&[round % 3 + 1, 99]);
                    assert_eq!(stack.frames(), [round % 3 + 1, 99]);
                }
            });
        }
    });
    assert_eq!(Stack::live_count(), before);
}

#[test]
fn branches_are_separated_by_zero() {
    let _alone = alone();
    let stack = Stack::intern(&[1, 2, 0, 3, 0, 0, 4, 5]);
    let branches: Vec<_> = stack.branches().collect();
    assert_eq!(branches, [&[1, 2][..], &[3], &[4, 5]]);
    assert_eq!(Stack::intern(&[]).branches().count(), 0);
    assert_eq!(Stack::intern(&[]).symbols().len(), 0);
}

#[test]
fn each_branch_has_its_symbols() {
    let _alone = alone();
    let frames = [first(), vec![0], second()].concat();
    let stack = Stack::intern(&frames);
    let symbols = stack.branch_symbols();
    let branches: Vec<_> = symbols.iter().map(|branch| names(branch)).collect();
    assert_eq!(branches, [["stacks::first"], ["stacks::second"]]);
    assert_eq!(names(&stack.symbols()), ["stacks::first", "stacks::second"]);
    assert!(Arc::ptr_eq(&stack.symbols()[0], &stack.symbols()[0]));
}

#[test]
fn trimming_by_name_keeps_what_is_between_machinery_and_root() {
    let _alone = alone();
    let named =
        |name: &'static str| move |symbol: &Arc<Symbol>| symbol.name.as_deref() == Some(name);
    let stack = Stack::intern(&[first(), second(), first()].concat());
    let symbols = &stack.symbols()[..];
    assert_eq!(
        names(trim_leaf(symbols, named("stacks::first"))),
        ["stacks::second", "stacks::first"]
    );
    assert_eq!(
        names(trim_root(symbols, named("stacks::second"))),
        ["stacks::first"]
    );
    // The root directly above the machinery would leave nothing.
    assert_eq!(
        trim(symbols, named("stacks::first"), named("stacks::second")),
        symbols
    );
    assert!(trim::<u8>(&[], |_| true, |_| true).is_empty());
}

#[test]
fn groups_are_sorted_by_size_and_then_by_first_appearance() {
    let _alone = alone();
    let [a, b, c, d] = [1, 2, 3, 4].map(|ip| Stack::intern(&[ip]));
    let groups =
        group([&c, &a, &b, &a, &d, &b].map(|stack| (stack.frames()[0], Arc::clone(stack))));
    let counted: Vec<_> = groups
        .iter()
        .map(|group| (group.key, group.count))
        .collect();
    assert_eq!(counted, [(1, 2), (2, 2), (3, 1), (4, 1)]);
    assert!(
        groups
            .iter()
            .all(|group| group.stack.frames() == [group.key])
    );
}

#[test]
fn everything_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Stack>();
    shared::<Symbol>();
    shared::<callstack::Module>();
    shared::<callstack::Completeness>();
}
