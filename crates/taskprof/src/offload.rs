//! Slow synchronous work on a thread of its own, awaited without any particular runtime.
//!
//! Not `spawn_blocking`: it needs a tokio runtime around it, its pool may be full of the very work
//! that is being looked into, and a runtime waits for it at shutdown. Captures and writers are few
//! and slow, so a thread each is cheap.

use std::sync::mpsc;

use tokio::sync::oneshot;

use crate::error::Error;
use crate::worker::Worker;
use crate::{cpu_permit, fork};

/// The thread of [`work`].
static WORKER: Worker = Worker::new("taskprof-work");

/// Tells the thread whether the future that waits for its result still exists.
#[derive(Debug)]
pub(crate) struct CancelCheck {
    dropped: mpsc::Receiver<()>,
}

impl CancelCheck {
    /// Sleeps for this long, or until the future is dropped; true if it is still there.
    pub(crate) fn sleep(&self, time: std::time::Duration) -> bool {
        // Nothing is ever sent: the other end is only dropped.
        matches!(
            self.dropped.recv_timeout(time),
            Err(mpsc::RecvTimeoutError::Timeout)
        )
    }

    /// True once nobody waits for the result any more.
    pub(crate) fn is_cancelled(&self) -> bool {
        !matches!(self.dropped.try_recv(), Err(mpsc::TryRecvError::Empty))
    }
}

/// Runs work that keeps a processor busy and waits for nothing on the one thread for it, when those
/// before it are done.
///
/// One at a time, so that many answers that are due together do not take all processors. Work of a
/// future that was dropped in line is not begun.
///
/// # Errors
///
/// As [`run`].
pub(crate) async fn work<T: Send + 'static>(
    name: &str,
    work: impl FnOnce(&CancelCheck) -> T + Send + 'static,
) -> Result<T, Error> {
    fork::check()?;
    let permit = cpu_permit::WORK.acquire().await;
    let (result_tx, result_rx) = oneshot::channel();
    let (alive, dropped) = mpsc::channel::<()>();
    WORKER.run(move || {
        // Until the work has ended, also if nobody waits for it any more.
        let _permit = permit.begin();
        let result = work(&CancelCheck { dropped });
        // Fails only if nobody waits any more.
        let _ = result_tx.send(result);
    })?;
    let result = result_rx.await;
    drop(alive);
    result.map_err(|_| Error::sampler(format!("{name} panicked; its message is on standard error")))
}

/// Runs `work` on a new thread of this name and gives its result.
///
/// # Errors
///
/// [`is_sampler`](Error::is_sampler) if the thread could not be started, or ended by a panic.
///
/// # Cancel safety
///
/// Dropping the future ends a [`CancelCheck::sleep`] at once; other work goes on until it asks.
pub(crate) async fn run<T: Send + 'static>(
    name: &str,
    work: impl FnOnce(&CancelCheck) -> T + Send + 'static,
) -> Result<T, Error> {
    fork::check()?;
    let (result_tx, result_rx) = oneshot::channel();
    let (alive, dropped) = mpsc::channel::<()>();
    crate::thread::spawn(name, move || {
        let result = work(&CancelCheck { dropped });
        // Fails only if nobody waits any more.
        let _ = result_tx.send(result);
    })
    .map_err(|e| crate::thread::not_started(name, e))?;
    let result = result_rx.await;
    drop(alive);
    result.map_err(|_| {
        Error::sampler(format!(
            "the thread {name} panicked; its message is on standard error"
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    // Through a private door: from outside, threads that wait for each other look like fast ones.
    #[tokio::test]
    async fn work_that_keeps_a_processor_busy_is_done_one_at_a_time() {
        static BUSY: AtomicUsize = AtomicUsize::new(0);
        let one = || {
            work("test", |_| {
                let already = BUSY.fetch_add(1, Ordering::SeqCst);
                // Time for another one to be seen, if it could be there.
                thread::sleep(std::time::Duration::from_millis(1));
                BUSY.fetch_sub(1, Ordering::SeqCst);
                already
            })
        };
        let all: Vec<_> = (0..20).map(|_| tokio::spawn(one())).collect();
        for each in all {
            assert_eq!(each.await.unwrap().unwrap(), 0);
        }
    }

    #[tokio::test]
    async fn a_panic_and_a_client_that_leaves_end_their_turns() {
        assert!(work("test", |_| panic!("half-way")).await.is_err());
        let (begun, begins) = oneshot::channel();
        let mut left = Box::pin(work("test", |_| begun.send(())));
        tokio::select! {
            _ = &mut left => {}
            begun = begins => begun.unwrap(),
        }
        drop(left);
        assert_eq!(work("test", |_| 1).await.unwrap(), 1);
    }
}
