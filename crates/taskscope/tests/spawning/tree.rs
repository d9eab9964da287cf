//! The tree of tasks by who spawned them.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::mpsc;

use taskscope::{Dump, DumpOptions, Stacks, TaskDump};
use tokio::runtime::{Builder, Handle};

fn dumped_here() -> Dump {
    DumpOptions::new()
        .runtime(Handle::current().id())
        .stacks(Stacks::None)
        .capture_blocking()
}

fn name(task: &TaskDump) -> &str {
    task.name.as_deref().unwrap_or("?")
}

#[test]
fn a_tree_is_walked_from_its_roots_and_a_parent_that_has_ended_is_still_known() {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let _acceptor = taskscope::spawn_named("acceptor", async {
            for connection in ["one", "two"] {
                drop(taskscope::spawn_named(connection, async move {
                    drop(taskscope::spawn_named("stream", pending::<()>()));
                    pending::<()>().await;
                }));
            }
            pending::<()>().await;
        });
        let ends = taskscope::spawn_named("ends", async {
            drop(taskscope::spawn_named("orphan", pending::<()>()));
            drop(taskscope::spawn_named("orphan too", pending::<()>()));
        });
        let ended: u64 = ends.id().to_string().parse().unwrap();
        ends.await.unwrap();
        while dumped_here().tasks.len() < 7 {
            tokio::task::yield_now().await;
        }

        let dump = dumped_here();
        let tree = dump.tree();
        let lines: Vec<_> = tree
            .walk()
            .map(|(depth, task)| format!("{}{}", " ".repeat(depth), name(task)))
            .collect();
        let expected = [
            "acceptor",
            " one",
            "  stream",
            " two",
            "  stream",
            "orphan",
            "orphan too",
        ];
        assert_eq!(lines, expected);
        let roots: Vec<_> = tree.roots().map(name).collect();
        assert_eq!(roots, ["acceptor", "orphan", "orphan too"]);
        assert!(tree.task(ended).is_none());
        let orphans: Vec<_> = tree.children(ended).map(name).collect();
        assert_eq!(orphans, ["orphan", "orphan too"]);
        for task in tree.children(ended) {
            assert_eq!(
                (task.parent, tree.ancestors(task).count()),
                (Some(ended), 0)
            );
        }
        let stream = dump
            .tasks
            .iter()
            .find(|task| name(task) == "stream")
            .unwrap();
        let above: Vec<_> = tree.ancestors(stream).map(name).collect();
        assert_eq!(above, ["one", "acceptor"]);
        assert_eq!(tree.children(stream.id).count(), 0);
    });
}

/// Each task spawns the next.
fn chain(left: usize, done: mpsc::Sender<()>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if left > 0 {
            drop(taskscope::spawn(chain(left - 1, done)));
        } else {
            done.send(()).unwrap();
        }
        pending::<()>().await;
    })
}

#[test]
fn a_chain_of_many_tasks_overflows_no_stack() {
    const LENGTH: usize = 20_000;
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (done, is_done) = mpsc::channel();
        drop(taskscope::spawn(chain(LENGTH - 1, done)));
        while is_done.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        let dump = dumped_here();
        let tree = dump.tree();
        assert_eq!(tree.roots().count(), 1);
        let (depth, last) = tree.walk().last().unwrap();
        assert_eq!((depth, tree.walk().count()), (LENGTH - 1, LENGTH));
        assert_eq!(tree.ancestors(last).count(), LENGTH - 1);
    });
}
