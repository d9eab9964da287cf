//! `JoinSet`: it behaves as tokio's, and knows its tasks.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use taskscope::{AtEnd, Builder, Scope, TaskDump};
use tokio::runtime;
use tokio::sync::oneshot;

use crate::support::{dumped, named, until};

fn current_thread() -> runtime::Runtime {
    runtime::Builder::new_current_thread().build().unwrap()
}

/// Runs the same body with tokio's set and with ours.
macro_rules! as_tokios {
    ($($name:ident: $body:block)*) => {
        $(
            #[test]
            fn $name() {
                {
                    use tokio::task::JoinSet;
                    current_thread().block_on(async { let _: JoinSet<()> = JoinSet::new(); $body });
                }
                {
                    use taskscope::JoinSet;
                    current_thread().block_on(async { let _: JoinSet<()> = JoinSet::new(); $body });
                }
            }
        )*
    };
}

as_tokios! {
    tasks_are_joined_in_the_order_in_which_they_end: {
        let mut set = JoinSet::default();
        assert!(set.is_empty() && set.join_next().await.is_none());
        let (first, second) = (oneshot::channel::<u8>(), oneshot::channel::<u8>());
        set.spawn(first.1);
        set.spawn(second.1);
        assert_eq!((set.len(), format!("{set:?}").as_str()), (2, "JoinSet { len: 2 }"));
        assert!(set.try_join_next().is_none());
        second.0.send(2).unwrap();
        assert_eq!(set.join_next().await.unwrap().unwrap(), Ok(2));
        first.0.send(1).unwrap();
        tokio::task::yield_now().await;
        assert_eq!(set.try_join_next().unwrap().unwrap(), Ok(1));
        assert!(set.is_empty());
    }

    each_result_can_come_with_the_id_of_its_task: {
        let mut set = JoinSet::new();
        let one = set.spawn(ready(1));
        let (id, output) = set.join_next_with_id().await.unwrap().unwrap();
        assert_eq!((id, output), (one.id(), 1));
        let two = set.spawn(ready(2));
        tokio::task::yield_now().await;
        let (id, output) = set.try_join_next_with_id().unwrap().unwrap();
        assert_eq!((id, output), (two.id(), 2));
        let three = set.spawn(ready(3));
        let joined = poll_fn(|cx| set.poll_join_next_with_id(cx)).await;
        assert_eq!(joined.unwrap().unwrap(), (three.id(), 3));
        let four = set.spawn(pending());
        four.abort();
        assert_eq!(set.join_next_with_id().await.unwrap().unwrap_err().id(), four.id());
        assert!(poll_fn(|cx| set.poll_join_next(cx)).await.is_none());
    }

    all_are_aborted_at_once_and_joined_afterwards: {
        let mut set = JoinSet::new();
        set.spawn(pending::<()>());
        set.spawn(pending::<()>());
        set.abort_all();
        assert_eq!(set.len(), 2);
        while let Some(joined) = set.join_next().await {
            assert!(joined.unwrap_err().is_cancelled());
        }
    }

    a_shutdown_waits_until_all_futures_are_gone: {
        let held = Arc::new(());
        let mut set = JoinSet::new();
        for _ in 0..3 {
            let held = held.clone();
            set.spawn(async move { let _held = held; pending::<()>().await });
        }
        set.shutdown().await;
        assert_eq!((set.len(), Arc::strong_count(&held)), (0, 1));
    }

    all_outputs_are_collected: {
        let set: JoinSet<_> = (0..3).map(ready).collect();
        assert_eq!(set.join_all().await, [0, 1, 2]);
        let mut set = JoinSet::new();
        set.extend((0..3).map(ready));
        set.spawn_blocking(|| 3);
        set.spawn_blocking_on(|| 4, &runtime::Handle::current());
        set.spawn_on(ready(5), &runtime::Handle::current());
        let mut outputs = set.join_all().await;
        outputs.sort_unstable();
        assert_eq!(outputs, [0, 1, 2, 3, 4, 5]);
    }

    collecting_all_panics_as_the_task_did: {
        let mut set = JoinSet::new();
        set.spawn(async { panic!("in a task of the set") });
        let collects = tokio::spawn(async move { set.join_all().await; });
        let panic = collects.await.unwrap_err().into_panic();
        assert_eq!(panic.downcast_ref(), Some(&"in a task of the set"));
    }

    a_set_that_is_dropped_aborts_its_tasks: {
        let held = Arc::new(());
        let mut set = JoinSet::new();
        for _ in 0..3 {
            let held = held.clone();
            set.spawn(async move { let _held = held; pending::<()>().await });
        }
        tokio::task::yield_now().await;
        assert_eq!(Arc::strong_count(&held), 4);
        drop(set);
        tokio::task::yield_now().await;
        assert_eq!(Arc::strong_count(&held), 1);
    }

    tasks_that_are_let_go_run_on: {
        let (sent, received) = oneshot::channel();
        let mut set = JoinSet::new();
        set.spawn(async move { sent.send(7).unwrap() });
        set.detach_all();
        assert!(set.is_empty());
        drop(set);
        assert_eq!(received.await, Ok(7));
    }

    tasks_that_cannot_be_sent_are_taken: {
        let here = tokio::task::LocalSet::new();
        let there = tokio::task::LocalSet::new();
        here.run_until(async {
            let mut set = JoinSet::new();
            set.spawn_local(async { Rc::new(1) });
            set.spawn_local_on(async { Rc::new(2) }, &there);
            assert_eq!(*set.join_next().await.unwrap().unwrap(), 1);
            there.run_until(async {
                assert_eq!(*set.join_next().await.unwrap().unwrap(), 2);
            }).await;
        }).await;
    }
}

fn all_named(name: &str) -> Vec<TaskDump> {
    let mut tasks = dumped().tasks;
    tasks.retain(|task| task.name.as_deref() == Some(name));
    tasks
}

#[test]
fn only_the_tasks_that_are_alive_and_of_that_set_are_detached() {
    let runtime = current_thread();
    runtime.block_on(async {
        let (mut goes, mut stays) = (taskscope::JoinSet::new(), taskscope::JoinSet::new());
        for number in 0..100 {
            goes.spawn(ready(()));
            // Tasks that end leave their records to those that come: none of these may be taken for
            // one of the set.
            assert!(goes.join_next().await.is_some());
            let set = if number % 2 == 0 {
                &mut goes
            } else {
                &mut stays
            };
            let task = Builder::new().name("let go or not");
            task.label("goes", (number % 2 == 0).to_string())
                .in_set(set)
                .spawn(pending());
        }
        goes.detach_all();
        let tasks = all_named("let go or not");
        assert_eq!(tasks.len(), 100);
        for task in tasks {
            assert_eq!(task.detached.is_some(), &*task.labels[0].1 == "true");
        }
        assert_eq!((goes.len(), stays.len()), (0, 50));
    });
}

#[test]
fn a_call_that_runs_on_after_its_set_was_dropped_is_detached() {
    let runtime = current_thread();
    runtime.block_on(async {
        let mut set = taskscope::JoinSet::new();
        let (begun, begins) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        Builder::new()
            .name("runs on")
            .in_set(&mut set)
            .spawn_blocking(move || {
                begun.send(()).unwrap();
                let _ = released.recv();
            });
        begins.recv().unwrap();
        assert!(named("runs on").unwrap().detached.is_none());
        drop(set);
        assert!(named("runs on").unwrap().detached.is_some());
        drop(release);
        until(|| named("runs on").is_none().then_some(()));
    });
}

#[test]
fn collecting_all_that_is_given_up_aborts_the_tasks() {
    let runtime = current_thread();
    runtime.block_on(async {
        let mut set = taskscope::JoinSet::new();
        let task = Builder::new().name("given up").in_set(&mut set);
        task.spawn(pending::<()>());
        let all = set.join_all();
        assert!(named("given up").unwrap().detached.is_none());
        drop(all);
        tokio::task::yield_now().await;
        assert!(named("given up").is_none());
    });
}

#[test]
fn extending_a_set_tells_the_callers_line() {
    let runtime = current_thread();
    runtime.block_on(async {
        let mut set = taskscope::JoinSet::new();
        let line = line!() + 1;
        set.extend([pending::<()>(), pending()]);
        let tasks = dumped().tasks;
        let sites = tasks
            .iter()
            .map(|task| (task.site.file(), task.site.line()));
        assert_eq!(sites.filter(|site| *site == (file!(), line)).count(), 2);
    });
}

#[test]
fn a_scope_aborts_those_of_its_tasks_that_are_in_a_set() {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let scope = Scope::new("aborts").at_end(AtEnd::Abort {
            grace: Duration::ZERO,
        });
        let mut set = taskscope::JoinSet::new();
        let within = scope.run(async { set.spawn(pending::<()>()) }).await;
        // The control belongs to nobody.
        set.spawn(pending::<()>());
        drop(scope);
        let (ended, left) = (set.join_next().await.unwrap().unwrap_err(), set.len());
        assert!(ended.is_cancelled());
        assert_eq!((ended.id(), left), (within.id(), 1));
    });
}

/// Compiles if the type lacks the promise: otherwise it is unclear which trait is meant.
macro_rules! lacks {
    ($($type:ty: $promise:path;)*) => {
        $(
            const _: fn() = || {
                trait Unclear<T> {
                    fn which() {}
                }
                impl<T: ?Sized> Unclear<()> for T {}
                impl<T: ?Sized + $promise> Unclear<u8> for T {}
                let _ = <$type as Unclear<_>>::which;
            };
        )*
    };
}

fn of_all<T: Send + Sync + Unpin>() {}
fn after_panics<T: UnwindSafe + RefUnwindSafe>() {}

/// Compiled is passed. An output that can be sent is enough for both; with one that cannot, they
/// stay on their thread.
#[test]
fn sets_and_handles_promise_what_tokios_do() {
    of_all::<tokio::task::JoinSet<Cell<()>>>();
    of_all::<taskscope::JoinSet<Cell<()>>>();
    of_all::<tokio::task::JoinHandle<Cell<()>>>();
    of_all::<taskscope::JoinHandle<Cell<()>>>();
    // Not checked for sets: there it depends on the mutex that tokio was built with.
    after_panics::<tokio::task::JoinHandle<Rc<()>>>();
    after_panics::<taskscope::JoinHandle<Rc<()>>>();
}

lacks! {
    tokio::task::JoinSet<Rc<()>>: Send;
    tokio::task::JoinSet<Rc<()>>: Sync;
    taskscope::JoinSet<Rc<()>>: Send;
    taskscope::JoinSet<Rc<()>>: Sync;
    tokio::task::JoinHandle<Rc<()>>: Send;
    tokio::task::JoinHandle<Rc<()>>: Sync;
    taskscope::JoinHandle<Rc<()>>: Send;
    taskscope::JoinHandle<Rc<()>>: Sync;
}

/// Our handle has the methods of tokio's, under the same names.
#[test]
fn a_handle_can_do_what_tokios_can() {
    let runtime = current_thread();
    runtime.block_on(async {
        macro_rules! can {
            ($handle:ident) => {{
                let handle = $handle(pending::<()>());
                let id: tokio::task::Id = handle.id();
                assert!(format!("{handle:?}").contains("JoinHandle"));
                assert!(!handle.is_finished());
                let abort: tokio::task::AbortHandle = handle.abort_handle();
                assert_eq!(abort.id(), id);
                handle.abort();
                let error = handle.await.unwrap_err();
                assert!(error.is_cancelled() && error.id() == id && abort.is_finished());
            }};
        }
        fn tokios(
            future: impl Future<Output = ()> + Send + 'static,
        ) -> tokio::task::JoinHandle<()> {
            tokio::spawn(future)
        }
        fn ours(future: impl Future<Output = ()> + Send + 'static) -> taskscope::JoinHandle<()> {
            taskscope::spawn(future)
        }
        fn taken_apart(
            future: impl Future<Output = ()> + Send + 'static,
        ) -> tokio::task::JoinHandle<()> {
            taskscope::spawn(future).into_inner()
        }
        can!(tokios);
        can!(ours);
        can!(taken_apart);
    });
}
