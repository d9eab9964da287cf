//! A row of the table: a future that suspends, and the words that a dump says of it.
//!
//! Every row has a runtime of its own with a single thread for blocking calls, so that a row can
//! hold it.

use std::future::Future;
use std::time::Duration;

use taskscope::{DumpOptions, JoinHandle, TaskDump, dump::Trace};
use tokio::runtime::Builder;

/// Makes a test of each row, `name: words = (what must stay alive meanwhile, future);`.
macro_rules! rows {
    ($($name:ident: $words:literal = $setup:expr;)*) => {
        $(
            #[test]
            fn $name() {
                $crate::row::suspends_in($words, async { $setup });
            }
        )*
    };
}
pub(crate) use rows;

/// In every trace, so that it can be seen to reach the user's code.
async fn my_own_function<F: Future>(leaf: F) {
    leaf.await;
}

/// Spawns the future, and checks the words, one for each branch. Returns the trace as a reader sees
/// it.
pub(crate) fn suspends_in<K, F>(words: &str, setup: impl Future<Output = (K, F)>) -> String
where
    F: Future + Send + 'static,
{
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let (keep, text) = runtime.block_on(async {
        let (keep, future) = setup.await;
        let task = taskscope::spawn_named("subject", my_own_function(future));
        let settled = |dump: &TaskDump| says(dump, words) && dump.verdict.name() == "idle";
        let dump = dump_until(&task, settled).await;
        let trace = dump.trace.unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(branches(&trace), words, "{trace}");
        assert_eq!(dump.verdict.name(), "idle");
        assert!(dump.wakers > 0);
        let mut each: Vec<_> = words.split(" | ").collect();
        each.dedup();
        assert_eq!(trace.wait_reason().to_string(), each.join(" | "));
        for branch in trace.branches() {
            let text = branch.to_string();
            assert!(text.contains("waits::row::my_own_function"), "{text}");
            assert!(text.contains("waits/row.rs:"), "{text}");
            assert!(!text.contains("taskscope_core::capture"), "{text}");
        }
        task.abort();
        let _ = task.await;
        (keep, trace.to_string())
    });
    // Calls that wait for the pool do not run any more.
    runtime.shutdown_background();
    drop(keep);
    text
}

/// The waits of all branches, as text.
pub(crate) fn branches(trace: &Trace) -> String {
    let waits: Vec<_> = trace
        .branches()
        .iter()
        .map(|branch| branch.wait.to_string())
        .collect();
    waits.join(" | ")
}

/// Whether the branches wait for this.
pub(crate) fn says(dump: &TaskDump, words: &str) -> bool {
    dump.trace
        .as_ref()
        .is_ok_and(|trace| branches(trace) == words)
}

/// A dump of the task once it is as expected; the last of many if it never is. A row may need other
/// tasks, threads or processes to get there.
pub(crate) async fn dump_until<T>(
    task: &JoinHandle<T>,
    is_expected: impl Fn(&TaskDump) -> bool,
) -> TaskDump {
    let id = task.id().to_string();
    let runtime = tokio::runtime::Handle::current().id();
    for attempt in 0.. {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        let dump = DumpOptions::new().runtime(runtime).capture().await;
        let task = dump
            .tasks
            .into_iter()
            .find(|task| task.id.to_string() == id)
            .expect("it is alive");
        if is_expected(&task) || attempt == 100 {
            return task;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    unreachable!()
}

/// Far enough in the future.
pub(crate) const LONG: Duration = Duration::from_secs(600);
