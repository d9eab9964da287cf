//! The task of a sample: what a sampler's key says while the task lives and after it has ended.
#![cfg(feature = "enable")]

use std::sync::mpsc;

use taskscope::attribution::{self, TaskKey};
use taskscope::{Builder, Scope, TaskKind};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap()
}

#[test]
fn a_live_task_and_one_that_has_ended_both_have_their_facts() {
    let runtime = runtime();
    let (tell, told) = mpsc::channel();
    let (let_go, gone) = tokio::sync::oneshot::channel::<()>();
    let scope = Scope::new("POST /orders").label("request_id", "7");
    let task = Builder::new().name("audit").label("table", "orders");
    let _entered = runtime.enter();
    let line = line!() + 1;
    let task = task.scope(&scope).spawn(async move {
        tell.send(attribution::current()).unwrap();
        let _ = gone.await;
    });
    let key = told.recv().unwrap();
    assert_eq!(TaskKey::from_words(key.to_words()), key);
    let check = |ended| {
        let facts = attribution::facts(key).unwrap();
        assert_eq!(facts.name.as_deref(), Some("audit"));
        assert_eq!(&*facts.labels[0].1, "orders");
        assert_eq!((facts.kind, facts.ended), (TaskKind::Task, ended));
        assert_eq!(facts.site.line(), line);
        assert_ne!(facts.id, 0);
        let scope = facts.scope.as_ref().unwrap();
        assert_eq!(scope.name(), "POST /orders");
        assert_eq!(&*scope.labels()[0].1, "7");
    };
    check(false);
    drop(let_go);
    runtime.block_on(task).unwrap();
    check(true);
}

#[test]
fn a_record_that_has_gone_to_another_task_keeps_them_apart() {
    let runtime = runtime();
    let key_of = |name: &'static str| {
        let task = async { attribution::current() };
        let task = async { taskscope::spawn_named(name, task).await };
        runtime.block_on(task).unwrap()
    };
    let (first, second) = (key_of("first"), key_of("second"));
    assert_ne!(first, second);
    let name = |key| attribution::facts(key).and_then(|facts| facts.name.clone());
    assert_eq!(name(first).as_deref(), Some("first"));
    assert_eq!(name(second).as_deref(), Some("second"));
}

#[test]
fn outside_of_a_task_and_for_words_that_are_no_key_there_is_nothing() {
    assert!(attribution::current().is_none());
    for words in [[0, 0], [8, 1], [u64::MAX, u64::MAX]] {
        assert!(attribution::facts(TaskKey::from_words(words)).is_none());
    }
}
