//! Aborting: at the next suspension, the destructors run, and a task that ends first has ended.

use std::future::pending;
use std::sync::Arc;

use tokio::sync::{Mutex, oneshot};
use tokio::task::{AbortHandle, JoinError, yield_now};

use crate::table::{ALONE, Lab, everywhere, undisturbed};

/// A task that never ends, and word from it that it has begun.
fn endless(lab: &Lab) -> (crate::table::Joined<()>, oneshot::Receiver<()>) {
    let (begun, begins) = oneshot::channel();
    let future = lab.loud("future");
    let task = lab.spawn(async move {
        let _future = future;
        begun.send(()).unwrap();
        pending::<()>().await;
    });
    (task, begins)
}

/// The text of an error, without the number of the task.
fn text(error: &JoinError) -> String {
    error.to_string().replace(&error.id().to_string(), "N")
}

#[test]
fn an_idle_task_is_dropped_and_its_handle_says_cancelled() {
    everywhere(
        &[
            "future dropped",
            "true false",
            "task N was cancelled",
            "true",
        ],
        |lab| async move {
            let (task, begins) = endless(&lab);
            let id = task.id();
            begins.await.unwrap();
            task.abort();
            let error = task.await.unwrap_err();
            lab.say(format!("{} {}", error.is_cancelled(), error.is_panic()));
            lab.say(text(&error));
            lab.say(error.id() == id);
        },
    );
}

#[test]
fn a_task_that_was_never_polled_is_dropped_without_a_poll() {
    undisturbed(
        ALONE,
        &["false", "future dropped", "cancelled"],
        |lab| async move {
            let future = lab.loud("future");
            let says = lab.clone();
            let task = lab.spawn(async move {
                let _future = future;
                says.say("polled");
            });
            task.abort();
            // "`is_finished` does not return `true` until the cancellation has finished."
            lab.say(task.is_finished());
            assert!(task.await.unwrap_err().is_cancelled());
            lab.say("cancelled");
        },
    );
}

#[test]
fn a_task_that_has_ended_keeps_its_output() {
    everywhere(&["5"], |lab| async move {
        let task = lab.spawn(async { 5 });
        while !task.is_finished() {
            yield_now().await;
        }
        task.abort();
        lab.say(task.await.unwrap());
    });
}

#[test]
fn aborting_twice_is_aborting_once() {
    everywhere(&["future dropped", "cancelled"], |lab| async move {
        let (task, begins) = endless(&lab);
        begins.await.unwrap();
        let again = task.abort_handle();
        task.abort();
        again.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        again.abort();
        lab.say("cancelled");
    });
}

/// A task that aborts itself in the middle of a poll and may suspend once more.
fn aborts_itself(lab: &Lab, suspends: bool) -> crate::table::Joined<()> {
    let (own, its_own) = oneshot::channel::<AbortHandle>();
    let (says, future) = (lab.clone(), lab.loud("future"));
    let task = lab.spawn(async move {
        let _future = future;
        its_own.await.unwrap().abort();
        says.say("goes on");
        if suspends {
            yield_now().await;
            says.say("too far");
        }
    });
    own.send(task.abort_handle()).unwrap();
    task
}

#[test]
fn a_task_that_is_being_polled_goes_on_to_its_next_suspension() {
    everywhere(
        &["goes on", "future dropped", "cancelled"],
        |lab| async move {
            assert!(aborts_itself(&lab, true).await.unwrap_err().is_cancelled());
            lab.say("cancelled");
        },
    );
}

#[test]
fn a_task_that_does_not_suspend_any_more_ends_in_good_order() {
    everywhere(&["goes on", "future dropped", "ended"], |lab| async move {
        aborts_itself(&lab, false).await.unwrap();
        lab.say("ended");
    });
}

#[test]
fn an_abort_handle_works_without_the_handle_and_knows_the_task() {
    everywhere(
        &["true", "false", "future dropped", "finished"],
        |lab| async move {
            let (task, begins) = endless(&lab);
            begins.await.unwrap();
            let abort = task.abort_handle();
            lab.say(abort.id() == task.id());
            drop(task);
            lab.say(abort.is_finished());
            abort.abort();
            while !abort.is_finished() {
                yield_now().await;
            }
            lab.say("finished");
        },
    );
}

#[test]
fn what_the_task_holds_is_given_back() {
    everywhere(&["true", "locked"], |lab| async move {
        let mutex = Arc::new(Mutex::new(()));
        let (begun, begins) = oneshot::channel();
        let guarded = mutex.clone();
        let task = lab.spawn(async move {
            let _guard = guarded.lock().await;
            begun.send(()).unwrap();
            pending::<()>().await;
        });
        begins.await.unwrap();
        lab.say(mutex.try_lock().is_err());
        task.abort();
        drop(mutex.lock().await);
        lab.say("locked");
    });
}

#[test]
fn a_task_that_waits_in_a_select_drops_all_its_branches() {
    everywhere(
        &["second dropped", "first dropped", "cancelled"],
        |lab| async move {
            let (begun, begins) = oneshot::channel();
            let (first, second) = (lab.loud("first"), lab.loud("second"));
            let task = lab.spawn(async move {
                let first = std::pin::pin!(async move {
                    let _first = first;
                    pending::<()>().await;
                });
                let second = std::pin::pin!(async move {
                    let _second = second;
                    begun.send(()).unwrap();
                    pending::<()>().await;
                });
                tokio::select! { biased; () = first => {}, () = second => {} }
            });
            begins.await.unwrap();
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
            lab.say("cancelled");
        },
    );
}

#[test]
fn a_destructor_that_panics_makes_it_a_panic() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            std::panic::panic_any("in drop");
        }
    }
    everywhere(&["false true", "in drop"], |lab| async move {
        let (begun, begins) = oneshot::channel();
        let task = lab.spawn(async move {
            let _panics = Panics;
            begun.send(()).unwrap();
            pending::<()>().await;
        });
        begins.await.unwrap();
        task.abort();
        let error = task.await.unwrap_err();
        lab.say(format!("{} {}", error.is_cancelled(), error.is_panic()));
        lab.say(error.into_panic().downcast::<&str>().unwrap());
    });
}
