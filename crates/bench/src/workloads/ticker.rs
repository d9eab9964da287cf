//! How late the tasks of a runtime are: two tasks that want to run every millisecond.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::variants::Variant;

const PERIOD: Duration = Duration::from_millis(1);

/// The tickers of the current runtime. They are plain tokio tasks, so that no variant has a part in
/// them.
pub(crate) struct Tickers {
    latest: Arc<Latest>,
    tasks: [JoinHandle<()>; 2],
}

/// The longest delays since they were last asked for, in nanoseconds.
#[derive(Default)]
struct Latest {
    tick: AtomicU64,
    /// The time from the tick until a task that was spawned then had been joined: shows a lock in
    /// the way of spawning.
    spawned: AtomicU64,
}

/// The longest delays in some window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lateness {
    pub(crate) tick: Duration,
    pub(crate) spawned: Duration,
}

impl Tickers {
    pub(crate) fn start<V: Variant>() -> Tickers {
        let latest = Arc::<Latest>::default();
        let (one, other) = (latest.clone(), latest.clone());
        Tickers {
            latest,
            tasks: [
                tokio::spawn(tick(move |due: Instant| {
                    one.tick.fetch_max(nanoseconds(due), Ordering::Relaxed);
                    std::future::ready(())
                })),
                tokio::spawn(tick(move |due| {
                    let other = other.clone();
                    async move {
                        V::spawn(async {}).await.expect("a task ends well");
                        other.spawned.fetch_max(nanoseconds(due), Ordering::Relaxed);
                    }
                })),
            ],
        }
    }

    /// Waits until a delay that is still going on has been noted, and begins a new window.
    ///
    /// Blocks: for a thread that is none of the runtime's.
    pub(crate) fn take(&self) -> Lateness {
        std::thread::sleep(5 * PERIOD);
        let take = |of: &AtomicU64| Duration::from_nanos(of.swap(0, Ordering::Relaxed));
        Lateness {
            tick: take(&self.latest.tick),
            spawned: take(&self.latest.spawned),
        }
    }
}

impl Drop for Tickers {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn tick<F: Future<Output = ()>>(mut each: impl FnMut(Instant) -> F) {
    let mut interval = interval(PERIOD);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let due = interval.tick().await;
        each(due).await;
    }
}

fn nanoseconds(since: Instant) -> u64 {
    since.elapsed().as_nanos() as u64
}
