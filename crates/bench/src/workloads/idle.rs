//! Memory for each task that waits for one `Notify`. Handles are dropped: what a program keeps of
//! them is its own choice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::variants::Variant;
use crate::worker::{Values, values};
use crate::{Allocator, memory};

pub(crate) async fn idle<V: Variant>(count: u64, allocator: Allocator) -> Values {
    let arrived = Arc::new(AtomicU64::new(0));
    let never = Arc::new(Notify::new());
    // Work that is done once, for the first task, is not counted.
    park::<V>(1, &arrived, &never).await;
    let before = (memory::resident(), (allocator.bytes_in_use)());
    park::<V>(count, &arrived, &never).await;
    let after = (memory::resident(), (allocator.bytes_in_use)());
    let per = |before, after| (after as f64 - before as f64) / count as f64;
    values([
        ("resident_bytes", per(before.0, after.0)),
        ("allocated_bytes", per(before.1, after.1)),
    ])
}

async fn park<V: Variant>(count: u64, arrived: &Arc<AtomicU64>, never: &Arc<Notify>) {
    let expected = arrived.load(Ordering::Acquire) + count;
    for _ in 0..count {
        let (arrived, never) = (arrived.clone(), never.clone());
        drop(V::spawn(async move {
            arrived.fetch_add(1, Ordering::Release);
            V::leaf(never.notified()).await;
        }));
    }
    while arrived.load(Ordering::Acquire) < expected {
        tokio::task::yield_now().await;
    }
}
