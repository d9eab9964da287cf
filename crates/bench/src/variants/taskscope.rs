//! taskscope with everything on, which is its default; the second variant also works for a scope, as the tasks of a request do.

use std::future::Future;

use taskscope::{JoinHandle, Scope};

use super::Variant;

pub(crate) struct Taskscope;

impl Variant for Taskscope {
    type Join<T: Send + 'static> = JoinHandle<T>;

    #[inline]
    #[track_caller]
    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        taskscope::spawn(future)
    }
}

pub(crate) struct InScope;

impl Variant for InScope {
    type Join<T: Send + 'static> = JoinHandle<T>;

    #[inline]
    #[track_caller]
    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        taskscope::spawn(future)
    }

    async fn root<F: Future>(future: F) -> F::Output {
        Scope::new("bench").run(future).await
    }
}
