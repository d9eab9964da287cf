//! Heap profiles in a program whose allocator samples: known answers by route and task, as Go reads
//! them, and what tasks hold.
//!
//! At a rate of 1 KiB, so that some megabytes are known within a percent. All tests share the
//! process; each has routes of its own.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; the exemption in clippy.toml covers only test functions"
)]

mod answers;
#[path = "../endpoint/ask.rs"]
mod ask;
#[path = "../common/go.rs"]
mod go;
mod holders;

use std::alloc::System;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use taskprof::heap::Sampler;
use taskprof::profile::{LabelValue, Profile};
use taskscope::{Builder, Scope};
use tokio::sync::oneshot;

#[global_allocator]
static ALLOC: Sampler<System> = Sampler::new(System);

/// A test that has the process for itself: at this rate the queue of samples has no room for two.
struct Turn {
    _turn: MutexGuard<'static, ()>,
}

/// Samples closely from now on, on this thread and on those that it starts.
fn sample_closely() -> Turn {
    static TURN: Mutex<()> = Mutex::new(());
    static ONCE: Once = Once::new();
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    taskprof::heap::set_rate(1 << 10);
    ONCE.call_once(|| drop(taskprof::router::<()>()));
    Turn { _turn: turn }
}

/// A task that holds memory until it is told to end.
struct Holder {
    stop: oneshot::Sender<()>,
    task: taskscope::JoinHandle<()>,
}

impl Holder {
    async fn end(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// Allocates so many bytes in a task of this name, twice as much in all: half is freed again.
/// Returns when that is done.
async fn holds(scope: &Scope, name: &'static str, bytes: usize) -> Holder {
    let (stop, stopped) = oneshot::channel();
    let (ready, is_ready) = oneshot::channel();
    let task = Builder::new().name(name).scope(scope).spawn(async move {
        // The countdown of the thread may be one from before.
        taskprof::heap::set_rate(1 << 10);
        let kept = fill(bytes);
        drop(fill(bytes));
        let _ = ready.send(());
        let _ = stopped.await;
        drop(kept);
    });
    is_ready.await.unwrap();
    Holder { stop, task }
}

/// Blocks of 500 to 7499 bytes. The list itself is half a percent of it.
#[inline(never)]
fn fill(bytes: usize) -> Vec<Box<[u8]>> {
    let mut left = bytes;
    let mut blocks = Vec::with_capacity(bytes / 3000);
    while left > 0 {
        let size = (500 + blocks.len() * 37 % 7000).min(left);
        blocks.push(vec![1_u8; size].into_boxed_slice());
        left -= size;
    }
    blocks
}

/// The sum of a column over the samples that have these labels.
fn sum(profile: &Profile, column: &str, labels: &[(&str, &str)]) -> f64 {
    let column = profile.column(column).unwrap();
    let has = |sample: &taskprof::profile::Sample, (key, text): &(&str, &str)| {
        sample.labels.iter().any(|label| {
            label.key == *key && matches!(&label.value, LabelValue::Str(value) if **value == **text)
        })
    };
    let wanted = profile
        .samples
        .iter()
        .filter(|sample| labels.iter().all(|label| has(sample, label)));
    wanted.map(|sample| sample.values[column] as f64).sum()
}

#[track_caller]
fn assert_within_five_percent(estimate: f64, truth: f64) {
    let off = (estimate / truth - 1.0) * 100.0;
    assert!(off.abs() <= 5.0, "{estimate} is {off:+.2} % off {truth}");
}
