//! Polls that come late are drawn apart from those that do not. In a process of its own, because
//! that depends on how many there are.
#![cfg(feature = "enable")]
#![allow(missing_docs, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use taskscope::sampling::{self, Activity};

#[test]
fn a_task_that_waits_is_not_lost_among_those_that_only_yield() {
    sampling::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let _in_runtime = runtime.enter();
    let done = Arc::new(AtomicBool::new(false));
    let theirs = done.clone();
    let yields = taskscope::spawn(async move {
        while !theirs.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
    });
    // Until they are so many that few are chosen.
    let begun = Instant::now();
    while sampling::report().sampling_rate[1] < 8 {
        assert!(begun.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(5));
    }
    let sleeps = Arc::new(AtomicU64::new(0));
    let counted = sleeps.clone();
    let sleeper = taskscope::spawn(async move {
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let line = line!() - 6;
    runtime.block_on(sleeper).unwrap();
    let report = sampling::report();
    assert!(report.sampling_rate[1] >= 8, "{:?}", report.sampling_rate);
    let waits = |row: &&sampling::Row| {
        row.site.line() == line && row.activity == Activity::Waiting && row.trace.is_ok()
    };
    let told: u64 = report.rows.iter().filter(waits).map(|row| row.count).sum();
    let slept = sleeps.load(Ordering::Relaxed);
    // Each of them was chosen, or nearly. Of the others' draws it would have been none, or many
    // times as many.
    assert!((slept / 2..=2 * slept).contains(&told), "{told} of {slept}");
    done.store(true, Ordering::Relaxed);
    runtime.block_on(yields).unwrap();
}
