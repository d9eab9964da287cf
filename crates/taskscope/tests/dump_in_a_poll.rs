//! A dump that is taken on the only thread of a runtime does not wait for those that cannot answer
//! meanwhile.
#![cfg(feature = "enable")]
#![allow(missing_docs, reason = "tests")]

use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use taskscope::{Dump, DumpOptions, NoTrace, TaskDump};
use tokio::runtime::{Builder, Runtime};

/// A dump that waits for anybody who does not answer takes as long as this.
const NEVER: Duration = Duration::from_secs(20);

/// One at a time: a dump waits for all runtimes, and two would wait for each other.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn dump() -> Dump {
    let begun = Instant::now();
    let dump = DumpOptions::new()
        .deadline(NEVER)
        .stall(NEVER)
        .capture_blocking();
    assert!(begun.elapsed() < NEVER, "it waited in vain");
    dump
}

fn named<'a>(dump: &'a Dump, name: &str) -> &'a TaskDump {
    let mut tasks = dump.tasks.iter();
    tasks
        .find(|task| task.name.as_deref() == Some(name))
        .unwrap()
}

/// A thread with a runtime whose task waits; ends with the sender.
fn another_runtime(name: &'static str) -> (mpsc::Sender<()>, std::thread::JoinHandle<()>) {
    let (end, ended) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let _in_runtime = runtime.enter();
        let task = taskscope::spawn_named(name, std::future::pending::<()>());
        let waits = taskscope::spawn_named("other receiver", async move {
            // A task without its first poll is not asked.
            tell.send(()).unwrap();
            let (_open, receiver) = tokio::sync::oneshot::channel::<()>();
            let _ = receiver.await;
        });
        let _ = ended.recv();
        task.abort();
        waits.abort();
    });
    told.recv().unwrap();
    (end, thread)
}

#[test]
fn called_in_a_task_it_asks_neither_that_task_nor_the_others_of_its_runtime() {
    let _turn = turn();
    let (end, other) = another_runtime("other");
    let dump = current_thread().block_on(async {
        let waits = taskscope::spawn_named("waits", async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        });
        tokio::task::yield_now().await;
        let caller = taskscope::spawn_named("caller", async { dump() });
        let dump = caller.await.unwrap();
        waits.abort();
        dump
    });
    assert_eq!(named(&dump, "caller").state.name(), "running");
    let why = |name| named(&dump, name).trace.as_ref().err().copied();
    assert_eq!(why("caller"), Some(NoTrace::Running));
    assert_eq!(why("waits"), Some(NoTrace::NoAnswer));
    // The control: another runtime answers.
    assert_eq!(why("other receiver"), None);
    drop(end);
    other.join().unwrap();
}

#[test]
fn called_beside_the_tasks_of_block_on_it_asks_none_of_them() {
    let _turn = turn();
    let dump = current_thread().block_on(async {
        let waits = taskscope::spawn_named("waits for block_on", async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        });
        tokio::task::yield_now().await;
        let dump = dump();
        waits.abort();
        dump
    });
    let task = named(&dump, "waits for block_on");
    assert_eq!(task.trace.as_ref().err(), Some(&NoTrace::NoAnswer));
}

/// The control: from outside they are asked, and answer.
#[test]
fn called_on_another_thread_it_asks_them() {
    let _turn = turn();
    let trace = current_thread().block_on(async {
        let waits = taskscope::spawn_named("answers", async {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        });
        tokio::task::yield_now().await;
        let dump = DumpOptions::new()
            .deadline(NEVER)
            .stall(NEVER)
            .capture()
            .await;
        waits.abort();
        named(&dump, "answers").trace.is_ok()
    });
    assert!(trace);
}
