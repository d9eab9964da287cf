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
