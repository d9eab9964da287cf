//! The table of what a capture takes from work that keeps all processors busy.

use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::work::{Workers, process_cpu_time, turns};
use crate::{cpu, runtime};

/// What a capture takes from work on all processors: its time, and processor time of the process.
pub(crate) fn slowdown() {
    const ROUNDS: usize = 25;
    const VARIANTS: [(&str, i32); 5] = [
        ("none", 0),
        ("ours", 99),
        ("ours", 999),
        ("pprof-rs", 99),
        ("pprof-rs", 999),
    ];
    let turns = turns(Duration::from_millis(300));
    let mut ratios = [const { (Vec::new(), Vec::new()) }; VARIANTS.len()];
    // The first round is thrown away: the samplers read what they need.
    for round in 0..=ROUNDS {
        let mut times = [(0.0, 0.0); VARIANTS.len()];
        for at in (0..VARIANTS.len()).map(|at| (at + round) % VARIANTS.len()) {
            let (name, hz) = VARIANTS[at];
            times[at] = captured(name, hz, || Workers::fixed(turns));
        }
        for (of, time) in ratios.iter_mut().zip(times).filter(|_| round > 0) {
            of.0.push(time.0 / times[0].0);
            of.1.push(time.1 / times[0].1);
        }
    }
    println!(
        "| sampler | Hz | processor time | quartiles | time | quartiles |\n| --- | ---: | ---: | ---: | ---: | ---: |"
    );
    for ((name, hz), (mut wall, mut cpu)) in VARIANTS.into_iter().zip(ratios).skip(1) {
        for of in [&mut wall, &mut cpu] {
            of.sort_by(f64::total_cmp);
        }
        let text = |of: &[f64]| {
            let at = |quarter: usize| of[quarter * (ROUNDS - 1) / 4];
            format!("{:.3} | {:.3} to {:.3}", at(2), at(1), at(3))
        };
        println!("| {name} | {hz} | {} | {} |", text(&cpu), text(&wall));
    }
}

/// Seconds on the wall and of processor time for some work, during a capture that is thrown away.
fn captured(sampler: &str, hz: i32, work: impl FnOnce()) -> (f64, f64) {
    let (end, ended) = oneshot::channel::<()>();
    let capture = (hz > 0).then(|| {
        let capture = cpu(sampler).hz(hz).seconds(60).capture();
        thread::spawn(move || {
            runtime().block_on(async {
                tokio::select! {
                    profile = capture => drop(profile.unwrap()),
                    _ = ended => {}
                }
            });
        })
    });
    thread::sleep(Duration::from_millis(150));
    let (began, cpu) = (Instant::now(), process_cpu_time());
    work();
    let took = (began.elapsed(), process_cpu_time() - cpu);
    drop(end);
    capture.map(|capture| capture.join().unwrap());
    // The sampler stops a moment later.
    thread::sleep(Duration::from_millis(50));
    (took.0.as_secs_f64(), took.1.as_secs_f64())
}
