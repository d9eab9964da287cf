//! tokio-metrics: sums over all tasks of one monitor; nothing about a single task.

use std::future::Future;
use std::sync::LazyLock;

use tokio::task::JoinHandle;
use tokio_metrics::TaskMonitor;

use super::Variant;

static MONITOR: LazyLock<TaskMonitor> = LazyLock::new(TaskMonitor::new);

pub(crate) struct TokioMetrics;

impl Variant for TokioMetrics {
    type Join<T: Send + 'static> = JoinHandle<T>;

    #[inline]
    #[track_caller]
    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(MONITOR.instrument(future))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::{self, Load};

    /// The figures are per poll, so the workloads must poll as often as they say.
    #[test]
    fn one_operation_is_one_poll() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("there is a runtime");
        let load = Load {
            operations: 10_000,
            drivers: 2,
        };
        let polls = |run: &dyn Fn()| {
            let before = MONITOR.cumulative().total_poll_count;
            run();
            MONITOR.cumulative().total_poll_count - before
        };
        let self_wake = polls(&|| runtime.block_on(workloads::self_wake::<TokioMetrics>(load)));
        assert_eq!(self_wake, 10_000);
        let ping_pong = polls(&|| runtime.block_on(workloads::ping_pong::<TokioMetrics>(load)));
        assert!((10_000..10_020).contains(&ping_pong), "{ping_pong}");
    }
}
