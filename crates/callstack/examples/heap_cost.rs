//! Measures the cost of sampling for an allocation: the system's allocator bare and sampled, in the
//! same run.
//!
//! ```text
//! cargo run --release -p callstack --example heap_cost
//! ```
//!
//! Read the differences: the nanoseconds of the allocator itself depend on the machine. Every
//! number is the smallest of many rounds, and the variants take turns, so that a disturbance meets
//! all of them. "box64" allocates 64 bytes and frees them; "churn" replaces one of 1024 blocks of
//! 16 to 2047 bytes, so its frees are of memory that is long out of the cache's sight.
#![allow(clippy::print_stdout)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::time::Instant;

use callstack::heap::{self, Sampler};

static BARE: System = System;
static SAMPLED: Sampler<System> = Sampler::new(System);

const ROUNDS: usize = 300;
const CALLS: u32 = 20_000;

fn box64(allocator: &impl GlobalAlloc) {
    let layout = Layout::new::<[u64; 8]>();
    for _ in 0..CALLS {
        // SAFETY: the layout has a size, and the memory is freed with it.
        unsafe {
            let memory = black_box(allocator.alloc(black_box(layout)));
            allocator.dealloc(memory, layout);
        }
    }
}

fn churn(allocator: &impl GlobalAlloc) {
    const SLOTS: usize = 1024;
    let mut slots: Vec<(*mut u8, Layout)> = Vec::with_capacity(SLOTS);
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for call in 0..CALLS as usize {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let Ok(layout) = Layout::from_size_align(16 + (random % 2032) as usize, 8) else {
            return;
        };
        // SAFETY: the layout has a size; each block is freed once, with its own layout.
        unsafe {
            let memory = allocator.alloc(layout);
            if slots.len() < SLOTS {
                slots.push((memory, layout));
            } else {
                let (old, layout) = std::mem::replace(&mut slots[call % SLOTS], (memory, layout));
                allocator.dealloc(old, layout);
            }
        }
    }
    for (memory, layout) in slots {
        // SAFETY: as above.
        unsafe { allocator.dealloc(memory, layout) };
    }
}

/// Nanoseconds for an allocation and a free.
fn time(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64 / f64::from(CALLS)
}

fn main() {
    let rates = [
        ("off", 0),
        ("512 KiB", heap::DEFAULT_RATE),
        ("64 KiB", 64 << 10),
    ];
    for workload in ["box64", "churn"] {
        let run = |sampled: bool| match (workload, sampled) {
            ("box64", false) => time(|| box64(&BARE)),
            ("box64", true) => time(|| box64(&SAMPLED)),
            (_, false) => time(|| churn(&BARE)),
            (_, true) => time(|| churn(&SAMPLED)),
        };
        let mut best = [f64::MAX; 4];
        for _ in 0..ROUNDS {
            best[0] = best[0].min(run(false));
            for (best, (_, rate)) in best[1..].iter_mut().zip(rates) {
                heap::set_rate(rate);
                *best = best.min(run(true));
            }
        }
        println!("{workload}: bare {:.2} ns", best[0]);
        for (best_of_rate, (name, _)) in best[1..].iter().zip(rates) {
            println!(
                "  sampled, {name:<8} {best_of_rate:6.2} ns   {:+5.2} ns   {:.3} x",
                best_of_rate - best[0],
                best_of_rate / best[0]
            );
        }
    }
    // One sample, with its walk.
    heap::set_rate(1);
    let every = (0..20)
        .map(|_| time(|| box64(&SAMPLED)))
        .fold(f64::MAX, f64::min);
    println!("every allocation sampled and forgotten: {every:.0} ns");
    println!("{:?}", heap::dropped());
}
