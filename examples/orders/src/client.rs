//! A small HTTP client with keep-alive, for the load and the tests.

use std::net::SocketAddr;

use axum::BoxError;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Sends requests to one address. Clones share their connections.
///
/// # Limitations
///
/// Each open connection is a task of the runtime that made it. They end when the last clone is
/// dropped.
#[derive(Debug, Clone)]
pub struct Client {
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    addr: SocketAddr,
}

impl Client {
    /// A client without a connection yet.
    #[must_use]
    pub fn new(addr: SocketAddr) -> Client {
        Client {
            http: legacy::Client::builder(TokioExecutor::new()).build_http(),
            addr,
        }
    }

    /// Where the requests go.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Gets a path, and reads the answer to its end.
    ///
    /// # Errors
    ///
    /// If there is no answer, or not all of it. Whatever status it has, an answer is no error.
    pub async fn get(&self, path: &str) -> Result<Response<Bytes>, BoxError> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// Posts JSON to a path, and reads the answer to its end.
    ///
    /// # Errors
    ///
    /// See [`Client::get`].
    pub async fn post(
        &self,
        path: &str,
        json: impl Into<Bytes>,
    ) -> Result<Response<Bytes>, BoxError> {
        self.send(Method::POST, path, json.into()).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Bytes>, BoxError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.addr));
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let (head, body) = self
            .http
            .request(request.body(Full::new(body))?)
            .await?
            .into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    }
}
