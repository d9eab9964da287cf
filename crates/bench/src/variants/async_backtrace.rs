//! async-backtrace: a tree of annotated functions, without times.

use std::future::Future;

use tokio::task::JoinHandle;

use super::Variant;

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
}
