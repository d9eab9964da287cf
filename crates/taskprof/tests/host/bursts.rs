//! Works in short bursts that timers start, in step with the kernel's tick: a timer on that tick
//! never sees them.

use std::time::{Duration, Instant};

use crate::samples;

#[inline(never)]
fn refresh_index() {
    let end = Instant::now() + Duration::from_millis(1);
    let mut x = 1_u64;
    while Instant::now() < end {
        for _ in 0..500 {
            x = std::hint::black_box(x.wrapping_mul(31));
        }
    }
}

async fn ticker() {
    let mut every = tokio::time::interval(Duration::from_millis(5));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        refresh_index();
    }
}

pub(crate) fn seen() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for _ in 0..4 {
            drop(taskscope::spawn(ticker()));
        }
    });
    let profile = samples(99, Duration::from_secs(5));
    if profile
        .comments
        .iter()
        .any(|comment| comment.contains("thread timer"))
    {
        println!("not to be seen with timers on the kernel's tick");
        return;
    }
    // CPU time since a thread's last sample is in no sample: less than a period, 10 ms, for each
    // of at most ten threads.
    let missing = profile.comments.iter().find_map(|comment| {
        let seconds = comment.strip_suffix(" s of CPU time are not in the profile")?;
        seconds.parse::<f64>().ok()
    });
    assert!(
        missing.is_none_or(|seconds| seconds < 0.1),
        "{missing:?} s of some 2.6 s"
    );
    let nanoseconds = |wanted: bool| -> i64 {
        let of_task = |sample: &&taskprof::profile::Sample| {
            let mut labels = sample.labels.iter();
            labels.any(|label| *label == taskprof::profile::Label::str("where", "task")) == wanted
        };
        profile
            .samples
            .iter()
            .filter(of_task)
            .map(|sample| sample.values[1])
            .sum()
    };
    // Nearly everything is in the tasks.
    assert!(nanoseconds(true) > 4 * nanoseconds(false));
    runtime.shutdown_background();
}
