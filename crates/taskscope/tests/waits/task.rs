//! `tokio::task`, and the tasks of this crate.

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, LocalSet};

use crate::pool::busy_pool;
use crate::row::{branches, dump_until, rows, says};

rows! {
    joining_a_task: "join" = {
        let task = tokio::spawn(std::future::pending::<()>());
        (task.abort_handle(), task)
    };
    joining_a_task_with_a_record: "join" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, taskscope::spawn(rx))
    };
    // A handle of tokio does not tell what it is the handle of.
    joining_a_call_on_the_blocking_pool: "join" = {
        let pool = busy_pool();
        (pool, tokio::task::spawn_blocking(|| {}))
    };
    joining_a_call_with_a_record: "blocking pool" = {
        let pool = busy_pool();
        (pool, taskscope::spawn_blocking(|| {}))
    };
    joining_a_call_with_a_record_by_tokios_handle: "join" = {
        let pool = busy_pool();
        (pool, taskscope::spawn_blocking(|| {}).into_inner())
    };
    joining_the_next_of_a_set_of_tasks_with_records: "join set" = {
        let mut set = taskscope::JoinSet::new();
        set.spawn(std::future::pending::<()>());
        ((), async move { set.join_next().await; })
    };
    joining_all_of_a_set_of_tasks_with_records: "join set" = {
        let mut set = taskscope::JoinSet::new();
        set.spawn(std::future::pending::<()>());
        ((), async move { set.join_all().await; })
    };
    joining_the_next_of_a_set_of_tasks: "join set" = {
        let mut set = JoinSet::new();
        set.spawn(std::future::pending::<()>());
        ((), async move { set.join_next().await; })
    };
    joining_all_of_a_set_of_tasks: "join set" = {
        let mut set = JoinSet::new();
        set.spawn(std::future::pending::<()>());
        ((), async move { set.join_all().await; })
    };
}

/// Tasks that are due again at once are caught as well.
fn is_due_again_after(words: &str, future: impl Future<Output = ()> + Send + 'static) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let task = taskscope::spawn(future);
        let dump = dump_until(&task, |dump| says(dump, words)).await;
        let trace = dump.trace.unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(branches(&trace), words, "{trace}");
    });
}

#[test]
fn yielding() {
    is_due_again_after("yield", async {
        loop {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn consuming_the_whole_budget() {
    is_due_again_after("budget used up", async {
        loop {
            tokio::task::consume_budget().await;
        }
    });
}

#[test]
fn receiving_until_the_budget_is_used_up() {
    let (tx, mut rx) = mpsc::unbounded_channel();
    is_due_again_after("budget used up", async move {
        loop {
            tx.send(1).unwrap();
            rx.recv().await;
        }
    });
}

#[test]
fn selecting_with_the_budget_used_up() {
    let (tx, mut rx) = mpsc::unbounded_channel();
    is_due_again_after("budget used up", async move {
        loop {
            tx.send(1).unwrap();
            // The last of the budget is taken here, so that there is none left in the `select!`.
            rx.recv().await;
            tokio::select! {
                () = std::future::ready(()) => {}
                () = std::future::pending() => {}
            }
        }
    });
}

#[test]
fn polling_a_set_of_local_tasks() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let outer = LocalSet::new();
    outer.block_on(&runtime, async {
        let inner = LocalSet::new();
        inner.spawn_local(std::future::pending::<()>());
        let task = taskscope::spawn_local(inner);
        let dump = dump_until(&task, |dump| says(dump, "local set")).await;
        assert_eq!(dump.wait_reason().to_string(), "local set");
    });
}

#[test]
fn a_future_in_a_set_of_local_tasks_shows_both() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let outer = LocalSet::new();
    outer.block_on(&runtime, async {
        let (_tx, rx) = oneshot::channel::<u8>();
        let task = taskscope::spawn_local(async move {
            let _ = LocalSet::new().run_until(rx).await;
        });
        let dump = dump_until(&task, |dump| says(dump, "oneshot recv | local set")).await;
        assert_eq!(dump.wait_reason().to_string(), "oneshot recv | local set");
    });
}
