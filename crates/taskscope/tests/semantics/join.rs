//! The handle: output, detaching, completion, what is dropped when.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use tokio::sync::oneshot;
use tokio::task::yield_now;

use crate::table::everywhere;

#[test]
fn the_output_is_the_tasks_and_the_id_is_the_same_on_both_sides() {
    everywhere(&["42", "true"], |lab| async move {
        let task = lab.spawn(async { (tokio::task::id(), 42) });
        let id = task.id();
        let (inside, output) = task.await.unwrap();
        lab.say(output);
        lab.say(inside == id);
    });
}

#[test]
fn two_tasks_have_two_ids() {
    everywhere(&["true"], |lab| async move {
        let (one, two) = (lab.spawn(async {}), lab.spawn(async {}));
        lab.say(one.id() != two.id());
    });
}

#[test]
fn a_task_goes_on_when_its_handle_is_dropped() {
    everywhere(&["went on", "future dropped"], |lab| async move {
        let (go, going) = oneshot::channel::<()>();
        let (ended, end) = oneshot::channel::<()>();
        drop(lab.spawn({
            let lab = lab.clone();
            async move {
                let _ended = ended;
                let _future = lab.loud("future");
                going.await.unwrap();
                lab.say("went on");
            }
        }));
        go.send(()).unwrap();
        end.await.unwrap_err();
    });
}

#[test]
fn it_is_finished_when_it_is_and_not_before() {
    everywhere(&["false", "finished", "7"], |lab| async move {
        let (go, going) = oneshot::channel::<()>();
        let task = lab.spawn(async {
            going.await.unwrap();
            7
        });
        let abort = task.abort_handle();
        lab.say(task.is_finished() || abort.is_finished());
        go.send(()).unwrap();
        while !task.is_finished() {
            yield_now().await;
        }
        assert!(abort.is_finished());
        lab.say("finished");
        lab.say(task.await.unwrap());
    });
}

#[test]
fn a_handle_can_be_awaited_by_another_task_and_by_another_thread() {
    everywhere(&["1", "2"], |lab| async move {
        let first = lab.spawn(async { 1 });
        lab.say(lab.spawn(first).await.unwrap().unwrap());
        let second = lab.spawn(async { 2 });
        let awaited = tokio::task::spawn_blocking(|| futures::executor::block_on(second));
        lab.say(awaited.await.unwrap().unwrap());
    });
}

/// "It is guaranteed that the destructor of the spawned task has finished before task completion is
/// observed."
#[test]
fn the_future_is_gone_before_its_end_is_seen() {
    everywhere(
        &["inner dropped", "outer dropped", "joined"],
        |lab| async move {
            let (outer, inner) = (lab.loud("outer"), lab.loud("inner"));
            let task = lab.spawn(async move {
                let _outer = outer;
                yield_now().await;
                let _inner = inner;
                yield_now().await;
            });
            while !task.is_finished() {
                yield_now().await;
            }
            lab.say("joined");
            task.await.unwrap();
        },
    );
}

#[test]
fn an_output_that_nobody_can_read_is_dropped_at_the_end() {
    everywhere(&["future dropped", "output dropped"], |lab| async move {
        let (go, going) = oneshot::channel::<()>();
        let (ended, end) = oneshot::channel::<()>();
        let (future, output) = (lab.loud("future"), lab.loud("output"));
        drop(lab.spawn(async move {
            let _future = future;
            going.await.unwrap();
            (output, ended)
        }));
        go.send(()).unwrap();
        end.await.unwrap_err();
    });
}

#[test]
fn an_output_that_nobody_has_read_is_dropped_with_the_handle() {
    everywhere(&["finished", "output dropped"], |lab| async move {
        let output = lab.loud("output");
        let task = lab.spawn(async { output });
        while !task.is_finished() {
            yield_now().await;
        }
        lab.say("finished");
        drop(task);
    });
}

#[test]
fn an_output_whose_destructor_panics_harms_nobody_who_drops_the_handle() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("in the destructor of an output");
        }
    }
    everywhere(&["dropped", "1"], |lab| async move {
        let task = lab.spawn(async { Panics });
        while !task.is_finished() {
            yield_now().await;
        }
        drop(task);
        lab.say("dropped");
        lab.say(lab.spawn(async { 1 }).await.unwrap());
    });
}

/// "Awaiting a `&mut JoinHandle<T>` is cancel safe."
#[test]
fn an_await_that_is_given_up_loses_nothing() {
    everywhere(&["gave up", "3"], |lab| async move {
        let (go, going) = oneshot::channel::<()>();
        let mut task = lab.spawn(async {
            going.await.unwrap();
            3
        });
        tokio::select! {
            biased;
            _ = &mut task => lab.say("too early"),
            () = async {} => lab.say("gave up"),
        }
        go.send(()).unwrap();
        lab.say(task.await.unwrap());
    });
}

#[test]
fn a_handle_that_is_polled_after_the_end_panics_with_tokios_words() {
    everywhere(&["JoinHandle polled after completion"], |lab| async move {
        let mut task = lab.spawn(async {});
        (&mut task).await.unwrap();
        let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut task = pin!(task);
            let mut context = Context::from_waker(Waker::noop());
            task.as_mut().poll(&mut context).is_ready()
        }));
        lab.say(again.unwrap_err().downcast::<&str>().unwrap());
    });
}

#[test]
fn handles_can_be_joined_and_raced() {
    everywhere(&["1 2", "3"], |lab| async move {
        let (one, two) = tokio::join!(lab.spawn(async { 1 }), lab.spawn(async { 2 }));
        lab.say(format!("{} {}", one.unwrap(), two.unwrap()));
        let never = lab.spawn(std::future::pending::<i32>());
        let (first, _) = futures::future::select(lab.spawn(async { 3 }), never)
            .await
            .factor_first();
        lab.say(first.unwrap());
    });
}

#[test]
fn a_future_of_many_kilobytes_is_no_different() {
    everywhere(&["65536"], |lab| async move {
        let task = lab.spawn(async {
            let bytes = [1_u8; 65_536];
            yield_now().await;
            bytes.len() - 1 + usize::from(bytes[65_535])
        });
        lab.say(task.await.unwrap());
    });
}
