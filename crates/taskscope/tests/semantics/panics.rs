//! Panics: caught, with their payload, after the task's destructors, and nobody else's business.

use std::any::Any;
use std::future::Future;
use std::panic::{panic_any, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use tokio::task::yield_now;

use crate::table::{Lab, everywhere};

/// How a task that runs `end` has ended, in words.
async fn end_of(lab: &Lab, end: impl FnOnce() + Send + 'static) -> Box<dyn Any + Send> {
    let error = lab
        .spawn(async {
            yield_now().await;
            end();
        })
        .await
        .unwrap_err();
    assert!(error.is_panic() && !error.is_cancelled());
    let text = error.to_string();
    lab.say(text.replace(&error.id().to_string(), "N"));
    error.into_panic()
}

#[test]
fn the_payload_comes_out_as_it_was_thrown() {
    let expected = [
        "task N panicked with message \"a str\"",
        "a str",
        "task N panicked with message \"a string of parts\"",
        "a string of parts",
        "task N panicked",
        "77",
        "task N panicked with message \"resumed\"",
        "resumed",
    ];
    everywhere(&expected, |lab| async move {
        let payload = end_of(&lab, || panic!("a str")).await;
        lab.say(payload.downcast::<&str>().unwrap());
        let rest = std::hint::black_box("parts");
        let payload = end_of(&lab, move || panic!("a string of {rest}")).await;
        lab.say(payload.downcast::<String>().unwrap());
        let payload = end_of(&lab, || panic_any(77_u8)).await;
        lab.say(payload.downcast::<u8>().unwrap());
        let payload = end_of(&lab, || resume_unwind(Box::new("resumed"))).await;
        lab.say(payload.downcast::<&str>().unwrap());
    });
}

#[test]
fn a_cancelled_task_has_no_payload() {
    everywhere(&["true"], |lab| async move {
        let task = lab.spawn(std::future::pending::<()>());
        task.abort();
        let error = task.await.unwrap_err().try_into_panic().unwrap_err();
        lab.say(error.is_cancelled());
    });
}

#[test]
fn what_the_task_holds_is_dropped_before_its_end_is_seen() {
    everywhere(
        &["second dropped", "first dropped", "joined"],
        |lab| async move {
            let (first, second) = (lab.loud("first"), lab.loud("second"));
            let task = lab.spawn(async move {
                let _first = first;
                yield_now().await;
                let _second = second;
                panic_any(());
            });
            assert!(task.await.unwrap_err().is_panic());
            lab.say("joined");
        },
    );
}

#[test]
fn other_tasks_and_later_ones_go_on() {
    everywhere(&["1", "2"], |lab| async move {
        let (go, going) = tokio::sync::oneshot::channel::<()>();
        let other = lab.spawn(async {
            going.await.unwrap();
            1
        });
        assert!(
            lab.spawn(async { panic_any(()) })
                .await
                .unwrap_err()
                .is_panic()
        );
        go.send(()).unwrap();
        lab.say(other.await.unwrap());
        lab.say(lab.spawn(async { 2 }).await.unwrap());
    });
}

#[test]
fn a_task_can_catch_its_own() {
    everywhere(&["caught", "9"], |lab| async move {
        let says = lab.clone();
        let task = lab.spawn(async move {
            let inner = std::panic::AssertUnwindSafe(async {
                yield_now().await;
                panic_any(());
            });
            inner.catch_unwind().await.unwrap_err();
            says.say("caught");
            yield_now().await;
            9
        });
        lab.say(task.await.unwrap());
    });
}

#[test]
fn a_destructor_that_panics_after_the_end_makes_it_a_panic() {
    struct Ready;
    impl Future for Ready {
        type Output = i32;
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<i32> {
            Poll::Ready(4)
        }
    }
    impl Drop for Ready {
        fn drop(&mut self) {
            panic_any(6);
        }
    }
    everywhere(&["6", "5"], |lab| async move {
        let payload = lab.spawn(Ready).await.unwrap_err().into_panic();
        lab.say(payload.downcast_ref::<i32>().unwrap());
        lab.say(lab.spawn(async { 5 }).await.unwrap());
    });
}
