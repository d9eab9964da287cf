//! Ancestors of a task in the views of a dump: its parent, and the scope that a cancellation began
//! at.

use std::future::pending;

use taskscope::{CancelReason, DumpOptions, Scope};
use tokio::runtime::{Builder, Handle};

#[test]
fn a_parent_that_has_ended_is_still_told_by_its_id() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let (parent, text) = runtime.block_on(async {
        let spawns = taskscope::spawn(async {
            drop(taskscope::spawn_named("orphan", pending::<()>()));
        });
        let parent = spawns.id();
        spawns.await.unwrap();
        let here = Handle::current().id();
        let dump = DumpOptions::new().runtime(here).capture().await;
        let mut text = Vec::new();
        taskprof::tasks::listed(&dump, &mut text).unwrap();
        (parent, String::from_utf8(text).unwrap())
    });
    let expected = format!(", by task {parent} (not in this dump)\n");
    assert!(text.contains(&expected), "{text}");
}

#[test]
fn a_cancellation_from_above_is_told_with_the_scope_that_it_began_at() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let (text, json) = runtime.block_on(async {
        let connection = Scope::new("connection");
        let request = connection.child("request");
        drop(request.spawn(pending::<()>()));
        connection.cancel(CancelReason::ClientGone);
        let here = Handle::current().id();
        let dump = DumpOptions::new().runtime(here).capture().await;
        let mut text = Vec::new();
        taskprof::tasks::listed(&dump, &mut text).unwrap();
        let mut json = Vec::new();
        taskprof::tasks::json(&dump, &mut json).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        (String::from_utf8(text).unwrap(), json)
    });
    let expected = "open, cancelled (parent (client gone of connection), ";
    assert!(text.contains(expected), "{text}");
    let scope = &json["tasks"][0]["scope"];
    assert_eq!(scope["cancelled"], "parent", "{json}");
    assert_eq!(scope["cancelled_root_reason"], "client gone");
    assert_eq!(scope["cancelled_root_scope"], "connection");
}
