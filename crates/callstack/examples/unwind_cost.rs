//! Measures one capture: framehop against the unwinder of the platform, on the same stack, in the
//! same run.
//!
//! ```text
//! cargo run --release -p callstack --example unwind_cost
//! ```
//!
//! Read the ratios; the nanoseconds depend on the machine and on what else it does. Every number is
//! the smallest of many rounds, and the two unwinders take turns, so that a disturbance meets both.
//! "raw" is `backtrace::trace` as a program would call it, without this crate. The last part runs
//! on all threads at once: `backtrace::trace` takes a global lock.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use callstack::{MAX_FRAMES, Stack, UnwinderKind, capture, capture_with, symbolize};

const ROUNDS: usize = 60;
const CALLS: u32 = 2_000;

/// Functions that differ, as in a real program: a recursion would hit one entry of the rule cache
/// again and again.
macro_rules! tower {
    ($name:ident) => {
        #[inline(never)]
        fn $name(f: &mut dyn FnMut()) {
            f();
            black_box(stringify!($name));
        }
    };
    ($name:ident $next:ident $($rest:ident)*) => {
        #[inline(never)]
        fn $name(f: &mut dyn FnMut()) {
            $next(f);
            black_box(stringify!($name));
        }
        tower!($next $($rest)*);
    };
}

tower!(f01 f02 f03 f04 f05 f06 f07 f08 f09 f10 f11 f12 f13 f14 f15 f16 f17 f18);

/// Nanoseconds per call.
fn time(mut f: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..CALLS {
        f();
    }
    start.elapsed().as_nanos() as f64 / f64::from(CALLS)
}

fn raw_trace(limit: usize, frames: &mut Vec<usize>) {
    backtrace::trace(|frame| {
        if frame.sp() as usize > limit {
            return false;
        }
        frames.push(frame.ip() as usize);
        true
    });
}

/// The smallest time per capture with framehop, with the platform's unwinder, and with
/// `backtrace::trace` itself.
fn measure() -> ([f64; 3], usize) {
    let local = 0_u8;
    let limit = &raw const local as usize;
    let mut best = [f64::MAX; 3];
    let mut depth = 0;
    f01(&mut || {
        let mut frames = Vec::with_capacity(2 * MAX_FRAMES);
        for _ in 0..ROUNDS {
            let times = [
                time(|| {
                    frames.clear();
                    black_box(capture(limit, &mut frames));
                }),
                time(|| {
                    frames.clear();
                    black_box(capture_with(UnwinderKind::System, limit, &mut frames));
                }),
                time(|| {
                    frames.clear();
                    raw_trace(limit, &mut frames);
                }),
            ];
            for (best, time) in best.iter_mut().zip(times) {
                *best = best.min(time);
            }
        }
        frames.clear();
        capture(limit, &mut frames);
        depth = frames.len();
    });
    (best, depth)
}

fn print(title: &str, [hop, system, raw]: [f64; 3], depth: usize) {
    println!("{title}, {depth} frames:");
    println!("  framehop          {hop:8.0} ns");
    println!(
        "  platform unwinder {system:8.0} ns   {:5.1} x",
        system / hop
    );
    println!("  backtrace::trace  {raw:8.0} ns   {:5.1} x", raw / hop);
}

fn main() {
    let start = Instant::now();
    capture(usize::MAX, &mut Vec::new());
    println!(
        "first capture in the process: {:.0} us",
        start.elapsed().as_nanos() as f64 / 1000.0
    );

    let (best, depth) = measure();
    print("one thread", best, depth);

    let threads = thread::available_parallelism().map_or(2, |n| n.get());
    let barrier = Barrier::new(threads);
    let slowest = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    measure()
                })
            })
            .collect();
        let results = workers.into_iter().filter_map(|worker| worker.join().ok());
        results.fold([0.0; 3], |slowest: [f64; 3], (best, _)| {
            std::array::from_fn(|i| slowest[i].max(best[i]))
        })
    });
    print(
        &format!("{threads} threads, the slowest of them"),
        slowest,
        depth,
    );

    let mut frames = Vec::new();
    f01(&mut || {
        frames.clear();
        capture(usize::MAX, &mut frames);
    });
    let stack = Stack::intern(&frames);
    println!(
        "refresh, nothing changed: {:.0} ns",
        time(callstack::refresh)
    );
    println!(
        "intern a known stack:     {:.0} ns",
        time(|| drop(black_box(Stack::intern(&frames))))
    );
    let start = Instant::now();
    symbolize(frames[0]);
    println!(
        "first symbol:             {:.1} ms",
        start.elapsed().as_secs_f64() * 1e3
    );
    println!(
        "the same symbol again:    {:.0} ns",
        time(|| drop(black_box(symbolize(frames[0]))))
    );
    println!(
        "{} symbols in all, the innermost is {:?}",
        stack.symbols().len(),
        stack.symbols()[0].name
    );
}
