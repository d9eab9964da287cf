//! await-tree: a tree of annotated awaits, with times.

use std::future::Future;
use std::sync::LazyLock;

use await_tree::{Config, InstrumentAwait, Registry};
use tokio::task::JoinHandle;

use super::Variant;

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::new(Config::default()));

pub(crate) struct AwaitTree;

impl Variant for AwaitTree {
    type Join<T: Send + 'static> = JoinHandle<T>;

    #[inline]
    #[track_caller]
    fn spawn<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        REGISTRY.spawn_anonymous("task", future)
    }

    fn leaf<F: Future + Send>(future: F) -> impl Future<Output = F::Output> + Send {
        future.instrument_await("leaf")
    }
}
