//! The table of what sampling takes from work that keeps all processors busy.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use callstack::sampler::TimerKind;
use tokio::sync::oneshot;

use crate::peers::{Counts, EVERY, Peer, Running};
use crate::work::{Workers, process_cpu_time, threads, turns};
use crate::{cpu, runtime};

const ROUNDS: usize = 20;

#[derive(Debug, Clone, Copy)]
enum Sampled {
    Not,
    /// A whole capture of taskprof.
    Captured(&'static str),
    /// The sampler alone, which is collected.
    Alone(Peer),
}

const VARIANTS: [(Sampled, i32); 9] = [
    (Sampled::Not, 0),
    (Sampled::Captured("ours"), 99),
    (Sampled::Captured("ours"), 999),
    (Sampled::Alone(Peer::Ours(TimerKind::ThreadCpuTimer)), 99),
    (Sampled::Alone(Peer::Ours(TimerKind::ThreadCpuTimer)), 999),
    (Sampled::Captured("pprof-rs"), 99),
    (Sampled::Captured("pprof-rs"), 999),
    (Sampled::Alone(Peer::PerfRecord), 99),
    (Sampled::Alone(Peer::PerfRecord), 999),
];

impl Sampled {
    fn name(self) -> &'static str {
        match self {
            Sampled::Not => "none",
            Sampled::Captured("ours") => "**ours**, perf events",
            Sampled::Captured(name) => name,
            Sampled::Alone(peer) => peer.name(),
        }
    }
}

pub(crate) fn slowdown() {
    let turns = turns(Duration::from_millis(300));
    let mut ratios = [const { (Vec::new(), Vec::new()) }; VARIANTS.len()];
    // The first round is thrown away: the samplers read what they need.
    for round in 0..=ROUNDS {
        let mut times = [None; VARIANTS.len()];
        for at in (0..VARIANTS.len()).map(|at| (at + round) % VARIANTS.len()) {
            let (sampled, hz) = VARIANTS[at];
            times[at] = during(sampled, hz, || Workers::fixed(turns));
        }
        let [Some(without), ..] = times else { continue };
        for (of, time) in ratios.iter_mut().zip(times).filter(|_| round > 0) {
            of.0.extend(time.map(|time| time.0 / without.0));
            of.1.extend(time.map(|time| time.1 / without.1));
        }
    }
    println!(
        "| sampler | Hz | processor time | quartiles | time | quartiles |\n| --- | ---: | ---: | ---: | ---: | ---: |"
    );
    for ((sampled, hz), (mut wall, mut cpu)) in VARIANTS.into_iter().zip(ratios).skip(1) {
        if wall.is_empty() {
            println!("| {} | {hz} | not to be had here | | | |", sampled.name());
            continue;
        }
        for of in [&mut wall, &mut cpu] {
            of.sort_by(f64::total_cmp);
        }
        let text = |of: &[f64]| {
            let at = |quarter: usize| of[quarter * (of.len() - 1) / 4];
            format!("{:.3} | {:.3} to {:.3}", at(2), at(1), at(3))
        };
        println!(
            "| {} | {hz} | {} | {} |",
            sampled.name(),
            text(&cpu),
            text(&wall)
        );
    }
}

/// Seconds on the wall and of this process's processor time for some work.
fn during(sampled: Sampled, hz: i32, work: impl FnOnce()) -> Option<(f64, f64)> {
    match sampled {
        Sampled::Not => Some(timed(work)),
        Sampled::Captured(sampler) => Some(captured(sampler, hz, work)),
        Sampled::Alone(peer) => alone(peer, hz, work),
    }
}

fn timed(work: impl FnOnce()) -> (f64, f64) {
    thread::sleep(Duration::from_millis(100));
    let (began, cpu) = (Instant::now(), process_cpu_time());
    work();
    let took = (began.elapsed(), process_cpu_time() - cpu);
    (took.0.as_secs_f64(), took.1.as_secs_f64())
}

fn captured(sampler: &str, hz: i32, work: impl FnOnce()) -> (f64, f64) {
    let (end, ended) = oneshot::channel::<()>();
    let capture = cpu(sampler).hz(hz).seconds(60).capture();
    let capture = thread::spawn(move || {
        runtime().block_on(async {
            tokio::select! {
                profile = capture => drop(profile.unwrap()),
                _ = ended => {}
            }
        });
    });
    until_sampling(true);
    let took = timed(work);
    drop(end);
    capture.join().unwrap();
    until_sampling(false);
    took
}

fn alone(peer: Peer, hz: i32, work: impl FnOnce()) -> Option<(f64, f64)> {
    let mut running = Running::start(peer, hz.unsigned_abs())?;
    let mut counts = Counts::begin();
    let stop = AtomicBool::new(false);
    let took = thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                thread::sleep(EVERY);
                running.collect(&mut counts);
            }
        });
        let took = timed(work);
        stop.store(true, Relaxed);
        took
    });
    running.finish(&mut counts);
    Some(took)
}

/// Waits until the thread that samples is there, or is not.
fn until_sampling(there: bool) {
    while threads().values().any(|(name, _)| name == "taskprof-cpu") != there {
        thread::sleep(Duration::from_millis(5));
    }
}
