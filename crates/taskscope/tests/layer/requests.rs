//! The record of a request: what is seen of a handler that spawns nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use taskscope::{Dump, DumpOptions, Scope, ScopeLayer, TaskDump, TaskKind};
use tokio::sync::Notify;
use tower::{Layer as _, Service as _};

use super::support::{read_until, send, serve};

async fn waits_for_the_stock(arrived: Arc<Notify>) {
    arrived.notified().await;
}

/// The tasks of the scopes of that name.
async fn of(name: &str) -> Vec<TaskDump> {
    let Dump { tasks, .. } = DumpOptions::new().capture().await;
    let is_of = |task: &TaskDump| task.scope.as_ref().is_some_and(|own| own.name() == name);
    tasks.into_iter().filter(is_of).collect()
}

#[tokio::test]
async fn a_handler_that_waits_is_in_dumps_until_it_has_answered() {
    const ROUTE: &str = "GET /stock/{id}";
    let arrived = Arc::new(Notify::new());
    let layer = ScopeLayer::new();
    let line = line!() - 1;
    let handler = {
        let arrived = arrived.clone();
        move || async {
            let helps = taskscope::spawn_named("helps", std::future::pending::<()>());
            waits_for_the_stock(arrived).await;
            helps.abort();
            let _ = helps.await;
            "answered"
        }
    };
    let app = Router::new().route("/stock/{id}", get(handler));
    let mut stream = serve(app.layer(layer)).await;
    send(&mut stream, "GET /stock/17").await;

    let of_both = async || {
        let mut tasks = of(ROUTE).await;
        tasks.sort_by_key(|task| task.kind == TaskKind::Task);
        <[TaskDump; 2]>::try_from(tasks).ok()
    };
    let [request, helps] = loop {
        match of_both().await {
            Some(both) if both[0].trace.is_ok() => break both,
            _ => tokio::task::yield_now().await,
        }
    };
    assert_eq!(request.kind, TaskKind::Driven);
    assert_eq!(request.name.as_deref(), Some("request"));
    assert!(request.site.file().ends_with("tests/layer/requests.rs"));
    assert_eq!(request.site.line(), line);
    assert_eq!(request.wait_reason().to_string(), "notify");
    let trace = request.trace.unwrap().to_string();
    assert!(trace.contains("waits_for_the_stock"), "{trace}");
    assert_eq!(helps.parent, Some(request.id));

    arrived.notify_one();
    read_until(&mut stream, "answered").await;
    assert!(of(ROUTE).await.is_empty());
}

// A middleware may do that; a record that stayed would look like a poll that never ends.
#[tokio::test]
async fn whoever_keeps_the_future_of_a_request_keeps_no_record_of_it() {
    let layer = ScopeLayer::new().route(|_| Some("/kept".into()));
    let (seen, see) = tokio::sync::oneshot::channel();
    let mut seen = Some(seen);
    let mut service = layer.layer(tower::service_fn(move |_: http::Request<()>| {
        let seen = seen.take();
        async move {
            tokio::task::yield_now().await;
            let tasks = of(Scope::current().unwrap().name()).await;
            seen.unwrap().send(tasks.len()).unwrap();
            Ok::<_, String>(http::Response::new(axum::body::Body::empty()))
        }
    }));
    let mut kept = Box::pin(service.call(http::Request::new(())));
    let response = kept.as_mut().await.unwrap();
    assert_eq!(see.await.unwrap(), 1);
    let name = "GET /kept";
    assert!(of(name).await.is_empty());
    drop((kept, response));
}

#[tokio::test]
async fn a_handler_may_finish_the_scope_that_its_request_is_in() {
    for others in 0..2 {
        let server = Scope::new("server");
        let layer = ScopeLayer::new().parent(&server.to_ref());
        for _ in 0..others {
            drop(server.spawn(std::future::pending::<()>()));
        }
        let mut server = Some(server);
        let mut service = layer.layer(tower::service_fn(move |_: http::Request<()>| {
            let server = server.take();
            async move {
                // As for a graceful shutdown that somebody asks for.
                let left = server.unwrap().finish(Duration::from_millis(10)).await;
                let count = left.map_or_else(|left| left.dump().tasks.len(), |()| 0);
                Ok::<_, String>(http::Response::new(count.to_string()))
            }
        }));
        let response = service.call(http::Request::new(())).await.unwrap();
        let body = axum::body::to_bytes(axum::body::Body::new(response.into_body()), 100).await;
        assert_eq!(body.unwrap(), others.to_string());
    }
}
