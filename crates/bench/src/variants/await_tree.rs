//! await-tree: a tree of annotated awaits, with times.

use std::fmt::Write;
use std::future::Future;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use await_tree::{Config, InstrumentAwait, Registry};
use tokio::task::JoinHandle;

use super::{Dumped, Variant};

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

    /// A tree and a text for each task; nothing is grouped.
    fn dump() -> Option<Dumped> {
        let began = Instant::now();
        let trees = REGISTRY.collect_all();
        let captured = Instant::now();
        let mut text = String::new();
        for (_, tree) in &trees {
            let _ = writeln!(text, "{tree}");
        }
        Some(Dumped {
            capture: captured - began,
            group: Duration::ZERO,
            print: captured.elapsed(),
            tasks: trees.len(),
            missed: 0,
            groups: 0,
            text_bytes: text.len(),
            held: Box::new((trees, text)),
        })
    }
}
