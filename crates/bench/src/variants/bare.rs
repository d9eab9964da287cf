//! Plain tokio: what all others are compared to.

use std::future::Future;

use tokio::task::JoinHandle;

use super::Variant;

pub(crate) struct Bare;

impl Variant for Bare {
    type Join<T: Send + 'static> = JoinHandle<T>;

    #[inline]
    #[track_caller]
    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(future)
    }
}
