//! The shop on a real listener, inside the test's own runtime.

use axum::body::Bytes;
use axum::http::{Response, StatusCode};
use orders::{Client, Mode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A running shop and its only client.
pub(crate) struct Shop {
    pub(crate) client: Client,
    stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

impl Shop {
    pub(crate) async fn open(mode: Mode) -> Shop {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let server = axum::serve(listener, orders::router(mode))
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        Shop {
            client,
            stop,
            server: tokio::spawn(server.into_future()),
        }
    }

    /// Places an order that the shop takes, and gives its id.
    pub(crate) async fn place_order(&self) -> u64 {
        let order = json!({ "customer": "Ada", "lines": [{ "sku": "teapot", "quantity": 10 }] });
        let answer = self
            .client
            .post("/orders", order.to_string())
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED, "{}", text(&answer));
        parse(&answer)["id"].as_u64().unwrap()
    }

    /// Fetches an order that exists.
    pub(crate) async fn show_order(&self, id: u64) -> Value {
        let answer = self.client.get(&format!("/orders/{id}")).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{}", text(&answer));
        parse(&answer)
    }

    /// Ends the client, its connections and the server, so that what is left is the routes' doing.
    pub(crate) async fn close(self) {
        drop(self.client);
        self.stop.cancel();
        self.server.await.unwrap().unwrap();
    }
}

pub(crate) fn parse(answer: &Response<Bytes>) -> Value {
    serde_json::from_slice(answer.body()).unwrap()
}

pub(crate) fn text(answer: &Response<Bytes>) -> &str {
    std::str::from_utf8(answer.body()).unwrap()
}
