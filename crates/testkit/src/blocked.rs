//! A worker thread of a runtime that is blocked for as long as a test wants.

use std::sync::mpsc;

use tokio::runtime::Handle;

/// Blocks one worker of a multi-thread runtime in a poll, from [`new`](BlockedWorker::new) until
/// it is dropped.
#[derive(Debug)]
pub struct BlockedWorker {
    // Its end lets the worker go.
    _release: mpsc::Sender<()>,
}

impl BlockedWorker {
    /// Returns when a worker is blocked.
    ///
    /// # Panics
    ///
    /// If the runtime is shutting down.
    #[must_use]
    pub fn new(runtime: &Handle) -> Self {
        let (release, released) = mpsc::channel();
        let (begun, begins) = mpsc::channel();
        drop(runtime.spawn(async move {
            let _ = begun.send(());
            let _: Result<(), _> = released.recv();
        }));
        begins.recv().expect("the runtime runs the task");
        BlockedWorker { _release: release }
    }
}

#[cfg(test)]
mod tests {
    use super::BlockedWorker;
    use crate::multi_thread;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn a_runtime_of_one_worker_runs_nothing_until_it_is_dropped() {
        let runtime = multi_thread(1);
        let blocked = BlockedWorker::new(runtime.handle());
        let (ran, runs) = mpsc::channel();
        drop(runtime.spawn(async move {
            let _ = ran.send(());
        }));
        let waited = runs.recv_timeout(Duration::from_millis(50));
        assert_eq!(waited, Err(mpsc::RecvTimeoutError::Timeout));
        drop(blocked);
        assert_eq!(runs.recv_timeout(crate::PATIENCE), Ok(()));
    }
}
