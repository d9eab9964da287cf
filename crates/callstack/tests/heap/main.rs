//! The sampling allocator as the allocator of a program.
//!
//! All tests share the process and its rate, so those that change it take turns. Each counts what
//! is its own by a label.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#![allow(clippy::unwrap_used)]

mod estimates;
mod forks;
mod hostile;
mod owners;
mod signals;
mod stacks;

use std::alloc::System;
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use callstack::heap::{self, Label, StackId, Weight};

#[global_allocator]
static ALLOC: heap::Sampler<System> = heap::Sampler::new(System);

thread_local! {
    static LABEL: Cell<u64> = const { Cell::new(0) };
}

fn label() -> Label {
    [LABEL.get(), 7]
}

/// A test that has the process for itself, at a rate of its own choice.
struct Turn {
    _turn: MutexGuard<'static, ()>,
}

impl Turn {
    fn with_rate(rate: usize) -> Turn {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        heap::set_label(label);
        heap::prepare();
        heap::drain(&mut |_| {});
        heap::set_rate(rate);
        Turn { _turn: turn }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        heap::set_rate(heap::DEFAULT_RATE);
    }
}

/// A number that nobody else uses, on what this thread allocates from now on.
fn own_label() -> u64 {
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    LABEL.set(number);
    number
}

fn held(number: u64) -> Weight {
    let mut sum = Weight::default();
    heap::live(&mut |sample| {
        if sample.label == [number, 7] {
            sum += sample.weight;
        }
    });
    sum
}

fn held_by_stack(number: u64) -> HashMap<StackId, Weight> {
    // Allocations of this function are not part of the test.
    let own = LABEL.replace(0);
    let mut sums: HashMap<StackId, Weight> = HashMap::new();
    let mut live = Vec::with_capacity(200_000);
    heap::live(&mut |sample| live.push(sample));
    for sample in live {
        if sample.label == [number, 7] {
            *sums.entry(sample.stack).or_default() += sample.weight;
        }
    }
    LABEL.set(own);
    sums
}

/// The memory that has been allocated since the last call of this function or the start of the
/// test.
fn allocated(number: u64) -> Weight {
    let mut sum = Weight::default();
    heap::drain(&mut |event| {
        if event.label == [number, 7] {
            sum += event.weight;
        }
    });
    sum
}

#[track_caller]
fn assert_within(percent: f64, estimate: f64, truth: f64) {
    let off = (estimate / truth - 1.0) * 100.0;
    assert!(
        off.abs() <= percent,
        "{estimate} is {off:+.2} % off {truth}"
    );
}
