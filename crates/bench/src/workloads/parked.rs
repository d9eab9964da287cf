//! Idle tasks for other workloads: a few async functions deep, waiting for what never comes.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::time::sleep;

use crate::variants::Variant;

const FOR_EVER: Duration = Duration::from_secs(100_000);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kinds {
    /// All wait for one `Notify`: one stack.
    Alike,
    /// A sixth each: `Notify`, `mpsc`, `oneshot`, `Semaphore`, `sleep`, and a `select!` of the last
    /// but three and a `sleep`.
    Mixed,
}

/// The other ends of whatever keeps them waiting. Dropping it would wake those that wait for a
/// channel.
pub(crate) struct Parked {
    senders: Vec<Box<dyn Any + Send>>,
}

impl Parked {
    /// Spawns them, detached, and returns when all are waiting.
    pub(crate) async fn spawn<V: Variant>(count: u64, kinds: Kinds) -> Parked {
        let mut parked = Parked {
            senders: Vec::new(),
        };
        let notify = Arc::new(Notify::new());
        let none_left = Arc::new(Semaphore::new(0));
        let arrived = Arc::new(AtomicU64::new(0));
        for at in 0..count {
            let arrived = arrived.clone();
            let kind = match kinds {
                Kinds::Alike => 0,
                Kinds::Mixed => at % 6,
            };
            match kind {
                0 => drop(V::spawn(task::<V>(arrived, notified(notify.clone())))),
                1 => drop(V::spawn(task::<V>(arrived, received(parked.channel())))),
                2 => drop(V::spawn(task::<V>(arrived, answered(parked.oneshot())))),
                3 => drop(V::spawn(task::<V>(arrived, permitted(none_left.clone())))),
                4 => drop(V::spawn(task::<V>(arrived, sleep(FOR_EVER)))),
                _ => drop(V::spawn(task::<V>(arrived, either(parked.channel())))),
            }
        }
        // Each counts itself in the poll at whose end it waits.
        while arrived.load(Ordering::Acquire) < count {
            tokio::task::yield_now().await;
        }
        parked
    }

    fn channel(&mut self) -> mpsc::Receiver<u8> {
        let (sender, receiver) = mpsc::channel(1);
        self.senders.push(Box::new(sender));
        receiver
    }

    fn oneshot(&mut self) -> oneshot::Receiver<u8> {
        let (sender, receiver) = oneshot::channel();
        self.senders.push(Box::new(sender));
        receiver
    }
}

async fn task<V: Variant>(arrived: Arc<AtomicU64>, wait: impl Future<Output = ()> + Send) {
    arrived.fetch_add(1, Ordering::Release);
    work(V::leaf(wait)).await;
}

async fn work(wait: impl Future<Output = ()>) {
    step(wait).await;
}

async fn step(wait: impl Future<Output = ()>) {
    wait.await;
}

async fn notified(notify: Arc<Notify>) {
    notify.notified().await;
}

async fn received(mut receiver: mpsc::Receiver<u8>) {
    receiver.recv().await;
}

async fn answered(receiver: oneshot::Receiver<u8>) {
    let _ = receiver.await;
}

async fn permitted(semaphore: Arc<Semaphore>) {
    let _ = semaphore.acquire().await;
}

async fn either(mut receiver: mpsc::Receiver<u8>) {
    tokio::select! {
        biased;
        _ = receiver.recv() => {}
        () = sleep(FOR_EVER) => {}
    }
}
