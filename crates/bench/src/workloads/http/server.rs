//! The service: an axum router, and an accept loop that spawns each connection the way that is
//! measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

use crate::variants::Variant;

/// How many requests have been answered.
#[derive(Clone, Default)]
pub(super) struct Requests(Arc<AtomicU64>);

impl Requests {
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub(super) async fn serve<V: Variant>(listener: TcpListener, requests: Requests) {
    let service = Router::new()
        .route("/", get(hello::<V>))
        .with_state(requests);
    let service = TowerToHyperService::new(service);
    loop {
        let (stream, _) = listener.accept().await.expect("a client connects");
        stream.set_nodelay(true).expect("a stream takes options");
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
        drop(V::spawn(V::leaf(async move {
            // The clients are killed at the end.
            let _ = connection.await;
        })));
    }
}

async fn hello<V: Variant>(State(requests): State<Requests>) -> &'static str {
    requests.0.fetch_add(1, Ordering::Relaxed);
    let task = async { V::spawn(V::leaf(async { "hello" })).await };
    // Only a runtime that shuts down cancels the task, and then nobody reads the answer.
    V::request(task).await.unwrap_or_default()
}
