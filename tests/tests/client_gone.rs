//! Tasks whose client has gone, in the views of a dump.

use axum::Router;
use axum::routing::get;
use serde_json::Value;
use taskscope::{AtEnd, DumpOptions, Scope, ScopeLayer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

#[tokio::test]
async fn a_task_that_its_client_has_left_alone_says_so() {
    let (called, mut calls) = mpsc::channel(2);
    let handler = |waits: bool| {
        let called = called.clone();
        move || async move {
            let name = if waits { "left alone" } else { "left over" };
            drop(taskscope::spawn_named(name, std::future::pending::<()>()));
            called.send(Scope::current().unwrap()).await.unwrap();
            if waits {
                std::future::pending::<()>().await;
            }
        }
    };
    let app = Router::new()
        .route("/wait", get(handler(true)))
        .route("/answer", get(handler(false)))
        .layer(ScopeLayer::new().at_end(AtEnd::Cancel));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    for path in ["/answer", "/wait"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let scope = calls.recv().await.unwrap();
        if path == "/answer" {
            scope.token().cancelled().await;
        }
        drop(stream);
        scope.token().cancelled().await;
    }

    let dump = DumpOptions::new().capture().await;
    let mut text = Vec::new();
    taskprof::tasks::listed(&dump, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let scope_of = |name: &str| {
        let task = text.split("\n\n").find(|task| task.contains(name)).unwrap();
        let scope = task.lines().find(|line| line.starts_with("  scope "));
        scope.unwrap().to_owned()
    };
    let alone = scope_of("left alone");
    assert!(
        alone.contains(" ago (client gone), cancelled (client gone, "),
        "{alone}"
    );
    let over = scope_of("left over");
    assert!(over.contains(" ago, cancelled (scope ended, "), "{over}");

    let mut json = Vec::new();
    taskprof::tasks::json(&dump, &mut json).unwrap();
    let json: Value = serde_json::from_slice(&json).unwrap();
    let tasks = json["tasks"].as_array().unwrap();
    for (name, reason) in [("left alone", "client gone"), ("left over", "scope ended")] {
        let task = tasks.iter().find(|task| task["name"] == name).unwrap();
        assert_eq!(task["scope"]["end_reason"], reason);
    }
}
