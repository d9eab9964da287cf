//! The table of what a sample costs the thread that is interrupted.
//!
//! The handler is measured on every signal, in rounds with it and rounds without calling it.
//! Interruptions by other threads are rare and do not move a median, so other load matters only for
//! what is in the caches.

use std::thread;
use std::time::{Duration, Instant};

use crate::handler::Measured;
use crate::peers::{Counts, EVERY, OURS, Peer, Running};
use crate::work::{deep, thread_cpu_time};

const ROUNDS: usize = 8;
const HZ: u32 = 999;
/// The clock is read every 20 to 30 ns; an interruption takes more than this.
const SHORTEST: i64 = 600;
/// Signals count from then on, and for so long.
const WARM: Duration = Duration::from_millis(150);
const TIME: Duration = Duration::from_millis(500);

/// One round with one handler.
struct Round {
    /// Nanoseconds in the handler, for each signal.
    handler: Vec<i64>,
    /// Nanoseconds for which the thread did not run, each time.
    gaps: Vec<i64>,
    /// Used by the thread at that depth.
    stack: usize,
    /// Nanoseconds of processor time of whoever collects, for each sample.
    collecting: i64,
}

pub(crate) fn cost() {
    println!(
        "| depth | stack, bytes | sampler | handler, ns | nine of ten below | empty handler, ns | a sample, ns | rounds | signals | whole interruption, µs | our thread, ns |\n\
         | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    let [perf, timer] = OURS;
    for depth in [10, 50, 100] {
        for peer in [perf, timer, Peer::PprofRs] {
            row(depth, peer);
        }
    }
}

fn row(depth: u32, peer: Peer) {
    let (mut handler, mut empty, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
    let (mut samples, mut collecting, mut stack) = (Vec::new(), Vec::new(), 0);
    for n in 0..ROUNDS {
        let mut medians = [0, 0];
        for at in [n % 2, (n + 1) % 2] {
            let mut round = round(peer, depth, at == 0);
            medians[at] = median(&mut round.handler);
            stack = round.stack;
            if at == 0 {
                empty.append(&mut round.handler);
            } else {
                collecting.push(round.collecting);
                handler.append(&mut round.handler);
                gaps.append(&mut round.gaps);
            }
        }
        samples.push(medians[1] - medians[0]);
    }
    let sample = median(&mut samples);
    println!(
        "| {depth} | {stack} | {} | {} | {} | {} | **{sample}** | {} to {} | {} | {:.1} | {} |",
        peer.name(),
        median(&mut handler),
        handler[handler.len() * 9 / 10],
        median(&mut empty),
        samples[0],
        samples[ROUNDS - 1],
        handler.len(),
        median(&mut gaps) as f64 / 1e3,
        match peer {
            Peer::Ours(_) => median(&mut collecting).to_string(),
            _ => "-".into(),
        },
    );
}

fn round(peer: Peer, depth: u32, empty: bool) -> Round {
    let mut running = Running::start(peer, HZ).unwrap();
    let worker = thread::spawn(move || watch(depth));
    // The first samples set the period of the timers: both kinds of rounds have them.
    thread::sleep(WARM * 2 / 3);
    let measured = Measured::new(peer.signal(), empty);
    let mut counts = Counts::begin();
    let began = thread_cpu_time();
    while !worker.is_finished() {
        thread::sleep(EVERY);
        running.collect(&mut counts);
    }
    let collecting = (thread_cpu_time() - began).as_nanos() as i64;
    let handler = measured.times();
    drop(measured);
    let (gaps, stack) = worker.join().unwrap();
    Round {
        collecting: collecting / handler.len().max(1) as i64,
        handler,
        gaps,
        stack,
    }
}

/// The interrupted thread: its interruptions, and the bytes of its stack.
fn watch(depth: u32) -> (Vec<i64>, usize) {
    callstack::sampler::thread_started();
    let top = 0_u8;
    let top = (&raw const top).addr();
    deep(depth, &mut || {
        let here = 0_u8;
        let stack = top - (&raw const here).addr();
        let mut gaps = Vec::with_capacity(1 << 16);
        let began = Instant::now();
        let mut last = began;
        loop {
            let now = Instant::now();
            let gap = (now - last).as_nanos() as i64;
            last = now;
            if now - began > WARM + TIME {
                return (gaps, stack);
            }
            if gap >= SHORTEST && now - began > WARM {
                gaps.push(gap);
            }
        }
    })
}

/// Sorts them.
fn median(of: &mut [i64]) -> i64 {
    of.sort_unstable();
    of.get(of.len() / 2).copied().unwrap_or(0)
}
