//! How long waits, delays and polls were, told by sampling. In a process of its own, so that all
//! that is counted is known.
#![cfg(feature = "enable")]
#![allow(missing_docs, reason = "tests")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use taskscope::sampling::{self, Histogram, Histograms};

const TASKS: usize = 20;
const WAITS: usize = 6;
/// Longer than what `report` cuts: here the whole length counts.
const WAIT: Duration = Duration::from_millis(250);
const POLL: Duration = Duration::from_millis(6);

/// How many took longer than that.
fn longer(histogram: &Histogram, than: Duration) -> u64 {
    let buckets = histogram.buckets.iter();
    let longer = buckets.filter(|(bound, _)| *bound > than);
    longer.map(|(_, count)| count).sum::<u64>() + histogram.above
}

/// The histograms without the counts that were there before.
fn since(before: &Histograms) -> Histograms {
    let mut all = sampling::histograms();
    for (now, then) in [
        (&mut all.waiting, &before.waiting),
        (&mut all.scheduled, &before.scheduled),
        (&mut all.running, &before.running),
    ] {
        for (now, then) in now.buckets.iter_mut().zip(&then.buckets) {
            now.1 -= then.1;
        }
        now.above -= then.above;
        now.sum -= then.sum;
    }
    all
}

#[test]
fn every_wait_and_every_poll_of_a_few_tasks_is_counted_with_its_whole_length() {
    assert_eq!(sampling::histograms().waiting.count(), 0);
    assert!(sampling::start());
    // One thread: the first poll of a thread is never chosen, nor is the first that comes late.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let warm_up = async {
        for _ in 0..3 {
            tokio::task::yield_now().await;
            tokio::time::sleep(POLL).await;
        }
    };
    runtime.block_on(async { taskscope::spawn(warm_up).await.unwrap() });
    let before = sampling::histograms();
    // The lengths that the tasks themselves have measured.
    let waited = Arc::new(Mutex::new(Vec::new()));
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for _ in 0..TASKS {
            let waited = Arc::clone(&waited);
            tasks.push(taskscope::spawn(async move {
                for _ in 0..WAITS {
                    let began = Instant::now();
                    tokio::time::sleep(WAIT).await;
                    waited.lock().unwrap().push(began.elapsed());
                }
                std::thread::sleep(POLL);
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    let all = since(&before);
    let losses = sampling::dropped();
    assert_eq!(losses.rows + losses.without_room, 0, "{losses:?}");
    assert_eq!(losses.histograms, 0, "{losses:?}");

    let (count, one) = ((TASKS * WAITS) as u64, TASKS as u64);
    assert_eq!(all.waiting.count(), count);
    // The clock of waits stands still while the thread that keeps it has no processor: then one is
    // told as too short, and the next as too long.
    let long = longer(&all.waiting, WAIT / 2);
    assert!(long >= count / 4 * 3, "{all:?}");
    let least = WAIT * count as u32;
    let most: Duration = waited.lock().unwrap().iter().sum();
    let waiting = all.waiting.sum;
    assert!(waiting > least / 4 * 3, "{waiting:?} of {least:?}");
    assert!(waiting < most + least / 4, "{waiting:?} of {most:?}");

    // A delay before each poll, and a poll before and after each wait.
    assert_eq!(all.scheduled.count(), count + one);
    assert_eq!(all.running.count(), count + one);
    assert!(
        longer(&all.running, Duration::from_millis(5)) >= one,
        "{all:?}"
    );
    assert!(all.running.sum >= POLL * TASKS as u32);

    // Nothing is sampled, nothing is added, from the moment on when a thread has looked.
    assert!(sampling::stop());
    let yields = async {
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
    };
    runtime.block_on(async { taskscope::spawn(yields).await.unwrap() });
    let polls = since(&before).running.count();
    assert!(polls < count + one + 10, "{polls}");
}
