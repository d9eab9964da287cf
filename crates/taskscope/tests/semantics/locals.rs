//! Task-locals, thread-locals, the id and the runtime, as a task finds them in a poll and in a
//! destructor.

use std::cell::Cell;
use std::future::pending;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{self, Id, yield_now};

use crate::table::{
    ALONE, EVERYWHERE, Lab, RUNTIMES, Setting, everywhere, undisturbed, with_a_runtime,
};

tokio::task_local! {
    static NUMBER: u32;
}

thread_local! {
    static VISITS: Cell<u32> = const { Cell::new(0) };
}

#[test]
fn a_task_local_is_not_handed_on_to_a_task() {
    everywhere(&["Ok(1)", "Err(AccessError)"], |lab| async move {
        NUMBER
            .scope(1, async move {
                lab.say(format!("{:?}", NUMBER.try_with(|number| *number)));
                let task = lab.spawn(async { NUMBER.try_with(|number| *number) });
                let inside = task.await.unwrap();
                lab.say(format!("{:?}", inside.map_err(|_| AccessError)));
            })
            .await;
    });
    #[derive(Debug)]
    struct AccessError;
}

#[test]
fn a_task_local_of_the_task_stays_with_it_and_is_there_for_its_destructors() {
    struct Reads(Lab);
    impl Drop for Reads {
        fn drop(&mut self) {
            self.0.say(NUMBER.with(|number| *number));
        }
    }
    everywhere(&["2", "2", "2", "2", "gone"], |lab| async move {
        for aborted in [false, true] {
            let (begun, begins) = oneshot::channel();
            let says = lab.clone();
            let task = lab.spawn(NUMBER.scope(2, async move {
                let reads = Reads(says);
                yield_now().await;
                reads.0.say(NUMBER.with(|number| *number));
                begun.send(()).unwrap();
                if aborted {
                    pending::<()>().await;
                }
            }));
            begins.await.unwrap();
            if aborted {
                task.abort();
            }
            let _ = task.await;
        }
        assert!(NUMBER.try_with(|_| ()).is_err());
        lab.say("gone");
    });
}

#[test]
fn tasks_of_one_thread_share_its_thread_locals() {
    undisturbed(ALONE, &["3"], |lab| async move {
        VISITS.set(0);
        for _ in 0..3 {
            lab.spawn(async {
                yield_now().await;
                VISITS.set(VISITS.get() + 1);
            })
            .await
            .unwrap();
        }
        lab.say(VISITS.get());
    });
}

#[test]
fn a_task_knows_its_runtime() {
    everywhere(&["true"], |lab| async move {
        let here = Handle::current().id();
        let there = lab.spawn(async {
            yield_now().await;
            Handle::current().id()
        });
        lab.say(there.await.unwrap() == here);
    });
}

#[test]
fn blocking_work_is_refused_where_tokio_refuses_it() {
    let expected = ["Cannot start a runtime from within a runtime"];
    everywhere(&expected, |lab| async move {
        let task = lab.spawn(async { Handle::current().block_on(async {}) });
        let payload = task.await.unwrap_err().into_panic();
        let message = payload.downcast_ref::<&str>().unwrap();
        lab.say(message.split('.').next().unwrap());
    });
}

#[test]
fn blocking_in_place_and_elsewhere_works() {
    undisturbed(
        &[Setting::OneWorker, Setting::TwoWorkers],
        &["6", "7"],
        |lab| async move {
            let inner = lab.clone();
            let task = lab.spawn(async move {
                let other = inner.spawn(async { 6 });
                task::block_in_place(|| Handle::current().block_on(other)).unwrap()
            });
            lab.say(task.await.unwrap());
            let task = lab.spawn(async { task::spawn_blocking(|| 7).await.unwrap() });
            lab.say(task.await.unwrap());
        },
    );
}

/// Says, in its destructor, which task tokio takes the destructor for.
struct WhoAmI(Lab, Option<Id>);

impl WhoAmI {
    fn is(&mut self, own: Id) {
        self.1 = Some(own);
    }
}

impl Drop for WhoAmI {
    fn drop(&mut self) {
        let now = task::try_id();
        self.0.say(match (now, self.1) {
            (Some(now), Some(own)) if now == own => "itself",
            (Some(_), _) => "another or unknown",
            (None, _) => "nobody",
        });
    }
}

#[test]
fn the_id_is_there_in_polls_and_in_destructors() {
    everywhere(&["itself", "itself", "itself"], |lab| async move {
        for end in 0..3 {
            let (begun, begins) = oneshot::channel();
            let mut guard = WhoAmI(lab.clone(), None);
            let task = lab.spawn(async move {
                guard.is(task::id());
                yield_now().await;
                begun.send(()).unwrap();
                match end {
                    0 => {}
                    1 => std::panic::panic_any(()),
                    _ => pending::<()>().await,
                }
            });
            begins.await.unwrap();
            task.abort();
            let _ = task.await;
        }
    });
}

#[test]
fn the_id_is_there_when_the_runtime_ends() {
    with_a_runtime(RUNTIMES, &["itself"], |lab, runtime| {
        let (begun, begins) = oneshot::channel();
        let mut guard = WhoAmI(lab.clone(), None);
        let _task = {
            let _entered = runtime.enter();
            lab.spawn(async move {
                guard.is(task::id());
                begun.send(()).unwrap();
                pending::<()>().await;
            })
        };
        runtime.block_on(begins).unwrap();
        drop(runtime);
    });
}

#[test]
fn tasks_in_turns_each_have_their_own_id() {
    undisturbed(EVERYWHERE, &["true"], |lab| async move {
        let spawn = || {
            lab.spawn(async {
                let own = task::id();
                for _ in 0..20 {
                    yield_now().await;
                    assert_eq!(task::id(), own);
                }
            })
        };
        let (one, two) = tokio::join!(spawn(), spawn());
        lab.say(one.is_ok() && two.is_ok());
    });
}
