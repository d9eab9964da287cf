//! Calls on the blocking pool.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use taskscope::{
    Scope, TaskKind, Verdict,
    dump::{NoTrace, State},
    verdict::BLOCKING_THRESHOLD,
};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::support::{named, until};

/// A runtime with a single thread for calls.
fn one_thread() -> Runtime {
    Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
        .unwrap()
}

/// A call that runs until the sender is dropped.
fn runs(name: &'static str) -> (mpsc::Sender<()>, taskscope::JoinHandle<()>) {
    let (release, released) = mpsc::channel::<()>();
    let (begun, begins) = mpsc::channel();
    let call = taskscope::Builder::new()
        .name(name)
        .spawn_blocking(move || {
            begun.send(()).unwrap();
            let _ = released.recv();
        });
    begins.recv().unwrap();
    (release, call)
}

#[test]
fn a_call_runs_on_its_thread_and_the_next_waits_for_it() {
    let runtime = one_thread();
    runtime.block_on(async {
        let (release, first) = runs("runs");
        let queued = taskscope::Builder::new().name("queued");
        let second = queued.spawn_blocking(|| 7);

        let task = named("runs").unwrap();
        let State::Running {
            thread: Some(thread),
            ..
        } = &task.state
        else {
            panic!("{:?}", task.state);
        };
        assert_ne!(Some(&*thread.name), std::thread::current().name());
        assert_eq!((task.kind, task.polls), (TaskKind::Blocking, 1));
        assert_eq!(task.trace.unwrap_err(), NoTrace::Call);
        let task = named("queued").unwrap();
        assert_eq!((task.state.name(), task.polls), ("scheduled", 0));
        assert_eq!(task.id.to_string(), second.id().to_string());

        drop(release);
        first.await.unwrap();
        assert_eq!(second.await.unwrap(), 7);
        assert!(named("runs").is_none() && named("queued").is_none());
    });
}

#[test]
fn a_call_that_is_aborted_in_the_queue_never_runs_and_leaves_no_record() {
    let runtime = one_thread();
    runtime.block_on(async {
        let (release, first) = runs("in the way");
        let ran = Arc::new(AtomicBool::new(false));
        let sets = ran.clone();
        let aborted = taskscope::Builder::new()
            .name("aborted in the queue")
            .spawn_blocking(move || sets.store(true, Ordering::SeqCst));
        assert!(named("aborted in the queue").is_some());
        aborted.abort();
        // One that runs cannot be aborted.
        first.abort();
        // Tokio takes it out of the queue when its turn comes.
        assert!(named("in the way").is_some() && named("aborted in the queue").is_some());
        drop(release);
        first.await.unwrap();
        assert!(aborted.await.unwrap_err().is_cancelled());
        assert!(named("aborted in the queue").is_none());
        assert!(!ran.load(Ordering::SeqCst));
        assert_eq!(Arc::strong_count(&ran), 1);
    });
}

#[test]
fn a_call_that_panics_says_so_to_its_handle_and_leaves_no_record() {
    let runtime = one_thread();
    runtime.block_on(async {
        let call = taskscope::Builder::new().name("panics in a call");
        let error = call.spawn_blocking(|| panic!("in a call")).await;
        let payload = error.unwrap_err().into_panic();
        assert_eq!(payload.downcast_ref(), Some(&"in a call"));
        assert!(named("panics in a call").is_none());
        // Its thread goes on with the next call, which is not taken for a child of the first.
        let next = taskscope::spawn_blocking(|| {
            drop(taskscope::spawn_named("after the panic", pending::<()>()));
        });
        let id: u64 = next.id().to_string().parse().unwrap();
        next.await.unwrap();
        assert_eq!(named("after the panic").unwrap().parent, Some(id));
    });
}

#[test]
fn what_a_call_spawns_has_it_as_parent_and_belongs_to_its_scope() {
    let runtime = one_thread();
    runtime.block_on(async {
        let scope = Scope::new("of the call");
        let call = scope
            .run(async {
                taskscope::spawn_blocking(|| {
                    drop(taskscope::spawn_named("of a call", pending::<()>()));
                    assert_eq!(Scope::current().unwrap().name(), "of the call");
                })
            })
            .await;
        let id: u64 = call.id().to_string().parse().unwrap();
        call.await.unwrap();
        let task = named("of a call").unwrap();
        assert_eq!(
            (task.parent, task.scope),
            (Some(id), Some(scope.to_ref().into()))
        );

        // The control: a call of tokio's own, which knows nothing.
        let call = scope.run(async {
            tokio::task::spawn_blocking(|| {
                drop(taskscope::spawn_named("of a bare call", pending::<()>()));
            })
        });
        call.await.await.unwrap();
        let task = named("of a bare call").unwrap();
        assert_eq!((task.parent, task.scope), (None, None));
    });
}

/// The pool is there to be blocked.
#[test]
fn a_call_is_never_called_blocking_however_long_it_takes() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let (release, released) = mpsc::channel::<()>();
    let _entered = runtime.enter();
    let (ends, _call) = runs("takes long");
    let _task = taskscope::spawn_named("blocks a worker", async move {
        let _ = released.recv();
    });
    let task = until(|| named("blocks a worker").filter(|task| task.verdict == Verdict::Blocking));
    assert!(task.state.since() >= BLOCKING_THRESHOLD);
    // It has been running for longer.
    let call = named("takes long").unwrap();
    assert!(call.state.since() >= BLOCKING_THRESHOLD);
    assert_eq!(call.verdict, Verdict::Active);
    drop((release, ends));
}

#[test]
fn a_call_is_shown_on_the_runtime_whose_pool_it_runs_on() {
    let (here, there) = (one_thread(), one_thread());
    let numbers = [&here, &there].map(|runtime| runtime.handle().id().to_string());
    let on = there.handle().clone();
    here.block_on(taskscope::instrument(async {
        let ended = taskscope::spawn(async move {
            let calls = {
                let (release, call) = {
                    let _entered = on.enter();
                    runs("on another pool")
                };
                vec![(release, call)]
            };
            let (release, released) = mpsc::channel::<()>();
            let call = taskscope::Builder::new()
                .name("on another pool, by its handle")
                .spawn_blocking_on(&on, move || {
                    let _ = released.recv();
                });
            let own = runs("on its own pool");
            let runtime = |name| named(name).unwrap().runtime.to_string();
            assert_eq!(runtime("on another pool"), numbers[1]);
            assert_eq!(runtime("on another pool, by its handle"), numbers[1]);
            assert_eq!(runtime("on its own pool"), numbers[0]);
            assert_eq!(Handle::current().id().to_string(), numbers[0]);
            drop((calls, own, release, call));
        });
        ended.await.unwrap();
    }));
}
