//! Our CPU sampler beside pprof-rs and `perf record`: samples got, cost of one, slowdown, memory.
//!
//! `sampler_peers counts [HZ, 99]`, `cost`, `slowdown`, `memory [ours|pprof-rs]`. Each prints a
//! table in Markdown; `scripts/sampler-peers` calls them all. Nothing is asserted.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that reports on its output"
)]

mod cost;
mod counts;
mod handler;
mod peers;
mod slowdown;
mod work;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use taskprof::cpu::Cpu;
use taskprof::sampler::PprofSampler;

use self::work::{Workers, status};

fn main() {
    let arg = |n| std::env::args().nth(n);
    match (arg(1).as_deref(), arg(2).as_deref()) {
        (Some("counts"), hz) => counts::counts(hz.map_or(99, |hz| hz.parse().unwrap())),
        (Some("cost"), _) => cost::cost(),
        (Some("slowdown"), _) => slowdown::slowdown(),
        (Some("memory"), sampler) => memory(sampler.unwrap_or("ours")),
        (what, _) => panic!("no table {what:?}: counts, cost, slowdown, memory"),
    }
    // Threads of the workloads may still run.
    std::process::exit(0);
}

fn cpu(sampler: &str) -> Cpu {
    match sampler {
        "ours" => taskprof::cpu(),
        "pprof-rs" => Cpu::with_sampler(PprofSampler::new()),
        other => panic!("no sampler {other}: ours, pprof-rs"),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

/// How long a profile samples, and how long it certainly has no names yet.
const SECONDS: u64 = 5;
const SAMPLING: Duration = Duration::from_millis(4800);
/// Debug information is let go after two seconds.
const LET_GO: Duration = Duration::from_secs(4);

/// Anonymous memory before, during and after a first and a second profile, written as pprof.
fn memory(sampler: &str) {
    static MOST: AtomicU64 = AtomicU64::new(0);
    static STOP: AtomicBool = AtomicBool::new(false);
    let _workers = Workers::equal(2);
    thread::sleep(Duration::from_millis(500));
    let before = status("RssAnon");
    let watcher = thread::spawn(|| {
        while !STOP.load(Relaxed) {
            MOST.fetch_max(status("RssAnon"), Relaxed);
            thread::sleep(Duration::from_millis(1));
        }
    });
    let mut row = format!("| {sampler} | {:.1}", before as f64 / 1024.0);
    for _ in 0..2 {
        MOST.store(0, Relaxed);
        let profile = cpu(sampler).seconds(SECONDS).capture();
        let capture = thread::spawn(|| runtime().block_on(profile).unwrap());
        thread::sleep(SAMPLING);
        let sampling = MOST.load(Relaxed);
        let profile = capture.join().unwrap();
        profile.write_pprof(std::io::sink()).unwrap();
        drop(profile);
        let most = MOST.load(Relaxed);
        thread::sleep(LET_GO);
        for kilobytes in [sampling, most, status("RssAnon")] {
            row += &format!(" | {:+.1}", (kilobytes as f64 - before as f64) / 1024.0);
        }
    }
    STOP.store(true, Relaxed);
    watcher.join().unwrap();
    println!("{row} |");
}
