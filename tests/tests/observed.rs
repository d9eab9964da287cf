//! Tasks that other code spawned, in the views and to a leak check. Needs `--cfg tokio_unstable`.

#![cfg(tokio_unstable)]

use std::future::pending;

use taskscope::DumpOptions;
use tokio::runtime::Builder;
use tokio::task::yield_now;

/// One observed task, in its words.
fn views() -> (String, String, serde_json::Value) {
    let mut builder = Builder::new_current_thread();
    let runtime = taskscope::observe(&mut builder).build().unwrap();
    runtime.block_on(async {
        tokio::spawn(pending::<()>());
        yield_now().await;
    });
    let options = DumpOptions::new().runtime(runtime.handle().id());
    let dump = options.capture_blocking();
    let (mut grouped, mut listed, mut json) = (Vec::new(), Vec::new(), Vec::new());
    taskprof::tasks::grouped(&dump, &mut grouped).unwrap();
    taskprof::tasks::listed(&dump, &mut listed).unwrap();
    taskprof::tasks::json(&dump, &mut json).unwrap();
    (
        String::from_utf8(grouped).unwrap(),
        String::from_utf8(listed).unwrap(),
        serde_json::from_slice(&json).unwrap(),
    )
}

#[test]
fn an_observed_task_is_shown_with_the_reason_why_it_has_no_stack_and_without_guesses() {
    let (grouped, listed, json) = views();
    for text in [&grouped, &listed] {
        assert!(text.starts_with("tasks: 1 tracked, 0 untracked;"), "{text}");
        assert!(text.contains("1 of 1 tasks without a stack: spawned with tokio's own function"));
        assert!(
            text.contains("  no stack: spawned with tokio's own function\n"),
            "{text}"
        );
        assert!(
            text.contains(file!()) && !text.contains("stack was captured"),
            "{text}"
        );
        assert!(!text.contains("wakers"), "{text}");
    }
    let task = &json["tasks"][0];
    assert_eq!(task["kind"], "observed");
    assert_eq!(task["verdict"], "idle");
    assert_eq!(task["wakers"], serde_json::Value::Null);
    assert_eq!(json["missed"]["observed"], 1);
}

#[test]
fn a_leak_check_names_an_observed_task_and_leaves_out_its_own() {
    let mut builder = Builder::new_multi_thread();
    let runtime = taskscope::observe(builder.enable_all().worker_threads(2))
        .build()
        .unwrap();
    let (clean, leaks) = runtime.block_on(async {
        let test = tokio::spawn(async {
            tokio::spawn(yield_now()).await.unwrap();
            let clean = leakcheck::check().await;
            tokio::spawn(pending::<()>());
            let options = leakcheck::Options::new().settle(std::time::Duration::ZERO);
            (clean, leakcheck::check_with(options).await)
        });
        test.await.unwrap()
    });
    assert!(clean.is_ok(), "{clean:?}");
    let leaks = leaks.unwrap_err().to_string();
    assert!(leaks.contains(file!()), "{leaks}");
    assert!(
        leaks.contains("stack      spawned with tokio's own function"),
        "{leaks}"
    );
}
