//! Measures the cost and the accuracy of CPU samples: busy threads of several kinds, and how many
//! samples each should have and has.
//!
//! `sampler [HZ, 99] [SECONDS, 5] [perf|timer]`
//!
//! `sampler cost [DEPTH, 50]`: the processor time of one sample on the interrupted thread, beyond
//! that of a signal whose handler returns at once because there is no room: the same work at 10,000
//! Hz with somebody who collects, and without.
#![allow(clippy::print_stdout, reason = "what it is for")]

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use callstack::sampler::{Options, Sampler, TimerKind};

fn burn(time: Duration) {
    let began = Instant::now();
    let mut x = 0_u64;
    while began.elapsed() < time {
        for _ in 0..200 {
            x = black_box(x + 1);
        }
    }
}

/// Calls itself and then works for a fixed number of turns; the processor time of that.
#[inline(never)]
fn deep(depth: u32, turns: u64) -> Duration {
    if depth > 0 {
        return black_box(deep(black_box(depth - 1), turns));
    }
    let began = cpu_time();
    for n in 0..turns {
        black_box(n);
    }
    cpu_time() - began
}

/// Processor time of the calling thread, as the kernel has it.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

fn cost(depth: u32) -> Result<(), Box<dyn std::error::Error>> {
    const TURNS: u64 = 200_000_000;
    const HZ: u32 = 10_000;
    let work = move || {
        std::thread::spawn(move || {
            callstack::sampler::thread_started();
            deep(depth, TURNS)
        })
    };
    let mut rounds = Vec::new();
    for _ in 0..7 {
        let mut times = [Duration::ZERO; 3];
        for (at, time) in times.iter_mut().enumerate() {
            let sampler = Sampler::start(Options {
                hz: HZ,
                ..Options::default()
            })?;
            let mut sampler = (at > 0).then_some(sampler);
            let worker = work();
            while !worker.is_finished() {
                std::thread::sleep(Duration::from_millis(2));
                if let Some(sampler) = sampler.as_mut().filter(|_| at == 2) {
                    sampler.collect(&mut |_| {});
                } else if let Some(sampler) = &sampler {
                    // Arms the thread, and leaves no room for its samples.
                    black_box(sampler.threads());
                }
            }
            *time = worker.join().map_err(|_| "the worker panicked")?;
        }
        let per_sample = |time: Duration, bare: Duration| {
            let samples = time.as_secs_f64() * f64::from(HZ);
            (time.as_secs_f64() - bare.as_secs_f64()) / samples * 1e9
        };
        rounds.push([
            per_sample(times[1], times[0]),
            per_sample(times[2], times[0]),
        ]);
    }
    rounds.sort_by(|a, b| (a[1] - a[0]).total_cmp(&(b[1] - b[0])));
    let [signal, sample] = rounds[rounds.len() / 2];
    println!(
        "depth {depth}: signal {signal:.0} ns, with its sample {sample:.0} ns: {:.0} ns a sample",
        sample - signal
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arg = |n| std::env::args().nth(n);
    if arg(1).as_deref() == Some("cost") {
        return cost(arg(2).map_or(Ok(50), |arg| arg.parse())?);
    }
    let hz: u32 = arg(1).map_or(Ok(99), |arg| arg.parse())?;
    let seconds: u64 = arg(2).map_or(Ok(5), |arg| arg.parse())?;
    let timer = match arg(3).as_deref() {
        Some("perf") => Some(TimerKind::PerfEvent),
        Some("timer") => Some(TimerKind::ThreadCpuTimer),
        _ => None,
    };
    for name in ["equal-1", "equal-2"] {
        let thread = std::thread::Builder::new().name(name.into());
        thread.spawn(|| {
            loop {
                burn(Duration::from_millis(1));
            }
        })?;
    }
    let thread = std::thread::Builder::new().name("bursts".into());
    thread.spawn(|| {
        loop {
            std::thread::sleep(Duration::from_millis(4));
            burn(Duration::from_millis(1));
        }
    })?;
    let thread = std::thread::Builder::new().name("kernel".into());
    thread.spawn(|| {
        loop {
            black_box(std::fs::read("/proc/self/stat").ok());
        }
    })?;
    let mut sampler = Sampler::start(Options {
        hz,
        timer,
        ..Options::default()
    })?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut counts, mut depth, mut spent) = (HashMap::new(), 0, Duration::ZERO);
    let mut total = callstack::sampler::Collected::default();
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
        let began = Instant::now();
        let collected = sampler.collect(&mut |sample| {
            *counts.entry(sample.thread).or_insert(0) += sample.count;
            depth += sample.frames.len();
        });
        spent += began.elapsed();
        total.samples += collected.samples;
        total.dropped += collected.dropped;
        total.foreign += collected.foreign;
        total.unarmed = collected.unarmed;
    }
    for thread in sampler.threads() {
        let name = std::fs::read_to_string(format!("/proc/self/task/{}/comm", thread.thread))?;
        let counted = counts.get(&thread.thread).copied().unwrap_or(0);
        let expected = thread.used.as_secs_f64() * f64::from(hz);
        println!(
            "{:>15} {:12} used {:?}: {counted} of {expected:.1} samples, {:.1} %",
            name.trim(),
            thread.timer.name(),
            thread.used,
            counted as f64 / expected * 100.0
        );
    }
    println!(
        "{total:?}\nframes a sample: {:.1}; collecting took {:?} a sample",
        depth as f64 / total.samples as f64,
        spent / total.samples.max(1) as u32
    );
    drop(sampler);
    Ok(())
}
