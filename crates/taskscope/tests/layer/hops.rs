//! A deadline that crosses hops: what the client's layer writes, and what the next service makes of
//! it.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use taskscope::{DeadlineHeader, ForwardDeadlineLayer, Scope, ScopeLayer};
use tokio::net::TcpStream;
use tower::{Layer, ServiceExt};

use super::support::{listen, read_until, send, send_with};

const HEADERS: [DeadlineHeader; 2] = [DeadlineHeader::Grpc, DeadlineHeader::Request];

/// The headers that are sent when a client behind the layer is called inside of `scope`.
async fn sent(header: DeadlineHeader, headers: HeaderMap, scope: Option<&Scope>) -> HeaderMap {
    let client = tower::service_fn(|request: Request<()>| {
        std::future::ready(Ok::<_, ()>(request.headers().clone()))
    });
    let client = ForwardDeadlineLayer::new(header).layer(client);
    let mut request = Request::new(());
    *request.headers_mut() = headers;
    let call = client.oneshot(request);
    let sent = match scope {
        Some(scope) => scope.run(call).await,
        None => call.await,
    };
    sent.unwrap()
}

fn time(header: DeadlineHeader, headers: &HeaderMap) -> Option<Duration> {
    let mut values = headers.get_all(header.name()).into_iter();
    let value = values.next()?.to_str().unwrap();
    assert!(values.next().is_none(), "{headers:?}");
    Some(header.parse(value).unwrap())
}

#[tokio::test]
async fn without_a_deadline_a_request_goes_out_as_it_was() {
    let without = Scope::new("no deadline");
    for header in HEADERS {
        let own = HeaderMap::from_iter([(header.name(), "soon".parse().unwrap())]);
        for headers in [HeaderMap::new(), own] {
            for scope in [None, Some(&without)] {
                assert_eq!(sent(header, headers.clone(), scope).await, headers);
            }
        }
    }
}

#[tokio::test]
async fn what_is_left_is_written_and_never_more() {
    let hour = Duration::from_secs(3600);
    let scope = Scope::new("request").timeout(hour);
    for header in HEADERS {
        let longer = scope.to_ref().remaining().unwrap();
        let headers = sent(header, HeaderMap::new(), Some(&scope)).await;
        let shorter = scope.to_ref().remaining().unwrap();
        let written = time(header, &headers).unwrap();
        assert!(written <= longer);
        // All digits that fit are written.
        assert!(written + Duration::from_millis(1) >= shorter);
    }
}

#[tokio::test]
async fn a_shorter_time_in_the_request_stays_and_anything_else_is_replaced() {
    let scope = Scope::new("request").timeout(Duration::from_secs(3600));
    for (header, own, stays) in [
        (DeadlineHeader::Grpc, "59M", true),
        (DeadlineHeader::Grpc, "61M", false),
        (DeadlineHeader::Grpc, "soon", false),
        (DeadlineHeader::Request, "0.5", true),
        (DeadlineHeader::Request, "3601s", false),
        (DeadlineHeader::Request, "1h", false),
    ] {
        let headers = HeaderMap::from_iter([(header.name(), own.parse().unwrap())]);
        let headers = sent(header, headers, Some(&scope)).await;
        let written = &headers[header.name()];
        assert_eq!(written == own, stays, "{own}: {written:?}");
        assert!(time(header, &headers).unwrap() <= Duration::from_secs(3600));
    }
}

#[tokio::test]
async fn when_nothing_is_left_the_shortest_legal_time_is_written() {
    let scope = Scope::new("request").timeout(Duration::ZERO);
    for (header, shortest) in [
        (DeadlineHeader::Grpc, "1n"),
        (DeadlineHeader::Request, "1us"),
    ] {
        let headers = sent(header, HeaderMap::new(), Some(&scope)).await;
        assert_eq!(headers[header.name()], shortest);
    }
    assert!(scope.token().is_cancelled());
}

/// The second service: answers with what it was told and what it has left, in nanoseconds.
async fn service_b(header: DeadlineHeader) -> SocketAddr {
    let handler = move |headers: HeaderMap| async move {
        let told = time(header, &headers).map(|time| time.as_nanos());
        let left = Scope::current().unwrap().remaining();
        format!("{told:?} {:?}", left.map(|time| time.as_nanos()))
    };
    let app = Router::new()
        .route("/shop.Stock/Reserve", post(handler))
        .layer(ScopeLayer::new().deadline_header(header));
    listen(app).await
}

/// The first service: calls the second one, and puts what it had left itself before that call in
/// front of the answer.
async fn service_a(header: DeadlineHeader, http2: bool, b: SocketAddr) -> TcpStream {
    let client = Client::builder(TokioExecutor::new())
        .http2_only(http2)
        .build_http::<Body>();
    let client = ForwardDeadlineLayer::new(header).layer(client);
    let handler = move || async move {
        let left = Scope::current().unwrap().remaining();
        let request = Request::post(format!("http://{b}/shop.Stock/Reserve"));
        let answer: Response<_> = client
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(answer.version() == http::Version::HTTP_2, http2);
        let answer = answer.into_body().collect().await.unwrap().to_bytes();
        let answer = String::from_utf8(answer.to_vec()).unwrap();
        format!("{:?} {answer};", left.map(|time| time.as_nanos()))
    };
    let app = Router::new()
        .route("/orders", get(handler))
        .layer(ScopeLayer::new().deadline_header(DeadlineHeader::Request));
    TcpStream::connect(listen(app).await).await.unwrap()
}

#[tokio::test]
async fn a_timeout_crosses_hops_and_only_gets_shorter() {
    let asked = Duration::from_secs(30).as_nanos();
    for (header, http2) in [
        (DeadlineHeader::Grpc, true),
        (DeadlineHeader::Request, false),
    ] {
        let b = service_b(header).await;
        let mut a = service_a(header, http2, b).await;
        send_with(&mut a, "GET /orders", "x-request-timeout: 30\r\n").await;
        let answer = read_until(&mut a, ";").await;
        let numbers: Vec<u128> = answer[..answer.len() - 1]
            .split("Some(")
            .skip(1)
            .map(|number| number.trim_end().trim_end_matches(')').parse().unwrap())
            .collect();
        let [at_a, told, at_b] = numbers[..] else {
            panic!("{answer}")
        };
        assert!(asked >= at_a && at_a >= told && told >= at_b, "{numbers:?}");
        assert!(at_b > 0);
        // The control: nobody asked, and nobody is told.
        send(&mut a, "GET /orders").await;
        let answer = read_until(&mut a, ";").await;
        assert!(answer.ends_with("None None None;"), "{answer}");
    }
}

/// The first service's client asks for a time; the token of the second one fires, and both know
/// why.
#[tokio::test]
async fn the_deadline_of_the_first_service_fires_in_the_second_one() {
    let waits = || async {
        let scope = Scope::current().unwrap();
        scope.token().cancelled().await;
        scope.cancellation().unwrap().reason.to_string()
    };
    let app = Router::new()
        .route("/shop.Stock/Reserve", post(waits))
        .layer(ScopeLayer::new().deadline_header(DeadlineHeader::Grpc));
    let b = listen(app).await;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http::<Body>();
    let client = ForwardDeadlineLayer::new(DeadlineHeader::Grpc).layer(client);
    let handler = move || async move {
        let request = Request::post(format!("http://{b}/shop.Stock/Reserve"));
        let answer = client.oneshot(request.body(Body::empty()).unwrap()).await;
        let reason = answer.unwrap().into_body().collect().await.unwrap();
        format!("[{}]", String::from_utf8_lossy(&reason.to_bytes()))
    };
    let app = Router::new()
        .route("/orders", get(handler))
        .layer(ScopeLayer::new().deadline_header(DeadlineHeader::Request));
    let mut a = TcpStream::connect(listen(app).await).await.unwrap();
    send_with(&mut a, "GET /orders", "x-request-timeout: 50ms\r\n").await;
    assert!(read_until(&mut a, "]").await.ends_with("[deadline]"));
}
