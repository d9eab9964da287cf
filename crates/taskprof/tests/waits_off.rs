//! Tests that without sampling there are no waits to show, and that whoever asks is told so.
//!
//! It has a process of its own: sampling is one switch for all.
#![allow(missing_docs, reason = "tests")]

#[tokio::test]
async fn before_sampling_is_switched_on_whoever_asks_is_told_how() {
    for source in [
        taskprof::block,
        taskprof::lock,
        taskprof::sched,
        taskprof::busy,
    ] {
        let error = source().capture().await.unwrap_err();
        assert!(error.is_unavailable());
        assert!(error.to_string().contains("taskscope::sampling::start()"));
    }
    // The control, and what the documentation promises of the router.
    let _router: axum::Router = taskprof::router();
    assert!(taskscope::sampling::is_on());
    taskprof::block().capture().await.unwrap();
}
