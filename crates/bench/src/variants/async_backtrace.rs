//! async-backtrace: a tree of annotated functions, without times.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::{Dumped, Variant};

pub(crate) struct AsyncBacktrace;

impl Variant for AsyncBacktrace {
    type Join<T: Send + 'static> = JoinHandle<T>;

    #[inline]
    #[track_caller]
    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(async_backtrace::frame!(future))
    }

    fn leaf<F: Future + Send>(future: F) -> impl Future<Output = F::Output> + Send {
        async_backtrace::frame!(future)
    }

    /// One text of all tasks; nothing is grouped.
    fn dump() -> Option<Dumped> {
        let began = Instant::now();
        let text = async_backtrace::taskdump_tree(false);
        Some(Dumped {
            capture: began.elapsed(),
            group: Duration::ZERO,
            print: Duration::ZERO,
            tasks: text.lines().filter(|line| line.starts_with('╼')).count(),
            missed: 0,
            groups: 0,
            text_bytes: text.len(),
            held: Box::new(text),
        })
    }
}
