//! What a sample costs and what it is worth: busy threads of several kinds, how many samples each should have and has.
//!
//! `sampler [HZ, 99] [SECONDS, 5] [perf|timer]`

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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arg = |n| std::env::args().nth(n);
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
        total.without_room += collected.without_room;
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
