//! tower and tower-http.

use std::convert::Infallible;
use std::future::{Ready, pending, poll_fn, ready};
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use tokio::sync::oneshot;
use tower::balance::p2c::Balance;
use tower::buffer::Buffer;
use tower::discover::ServiceList;
use tower::limit::{ConcurrencyLimit, RateLimit};
use tower::load::Constant;
use tower::timeout::Timeout;
use tower::{Service, ServiceExt, service_fn};

use crate::row::{LONG, rows};

/// Never ready, and keeps no waker.
struct Busy;

impl Service<u8> for Busy {
    type Response = u8;
    type Error = Infallible;
    type Future = Ready<Result<u8, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Pending
    }

    fn call(&mut self, request: u8) -> Self::Future {
        ready(Ok(request))
    }
}

rows! {
    waiting_for_room_in_a_buffer: "tower buffer" = {
        let (mut buffer, worker) = Buffer::pair(Busy, 1);
        drop(buffer.ready().await.unwrap().call(1));
        (worker, async move { let _ = buffer.ready().await; })
    };
    // The same two functions lead to a service whose response is a oneshot.
    waiting_for_the_worker_of_a_buffer: "oneshot recv" = {
        let (mut buffer, worker) = Buffer::pair(Busy, 1);
        (worker, async move { let _ = buffer.ready().await.unwrap().call(1).await; })
    };
    waiting_for_a_response_behind_a_buffer: "oneshot recv" = {
        let (tx, rx) = oneshot::channel::<u8>();
        let mut rx = Some(rx);
        let (mut buffer, worker) = Buffer::pair(service_fn(move |_: u8| rx.take().unwrap()), 1);
        (tx, async move {
            let response = buffer.ready().await.unwrap().call(1);
            drop(tokio::spawn(worker));
            let _ = response.await;
        })
    };
    the_idle_worker_of_a_buffer: "tower buffer worker" = {
        let (buffer, worker) = Buffer::<u8, _>::pair(Busy, 1);
        (buffer, worker)
    };
    waiting_for_a_limit_of_concurrency: "tower concurrency limit" = {
        let mut service = ConcurrencyLimit::new(service_fn(|_: u8| pending::<Result<(), Infallible>>()), 1);
        let call = service.ready().await.unwrap().call(1);
        (call, async move { let _ = service.ready().await; })
    };
    waiting_for_a_limit_of_rate: "tower rate limit" = {
        let rate = tower::limit::rate::Rate::new(1, LONG);
        let mut service = RateLimit::new(service_fn(|_: u8| ready(Ok::<_, Infallible>(()))), rate);
        service.ready().await.unwrap().call(1).await.unwrap();
        ((), async move { let _ = service.ready().await; })
    };
    a_call_with_a_timeout: "oneshot recv | timeout" = {
        let (tx, rx) = oneshot::channel::<u8>();
        let mut rx = Some(rx);
        let mut service = Timeout::new(service_fn(move |_: u8| rx.take().unwrap()), LONG);
        (tx, async move { let _ = service.ready().await.unwrap().call(1).await; })
    };
    a_call_with_a_timeout_of_tower_http: "oneshot recv | timeout" = {
        let (tx, rx) = oneshot::channel::<Response<()>>();
        let mut rx = Some(rx);
        let service = service_fn(move |_: Request<()>| rx.take().unwrap());
        let mut service = tower_http::timeout::Timeout::with_status_code(service, StatusCode::REQUEST_TIMEOUT, LONG);
        (tx, async move { let _ = service.ready().await.unwrap().call(Request::new(())).await; })
    };
    waiting_for_a_service_to_be_ready: "tower balance" = {
        let services = ServiceList::new(vec![Constant::new(Busy, 1)]);
        let mut balance: Balance<_, u8> = Balance::new(services);
        ((), async move { let _ = poll_fn(|cx| balance.poll_ready(cx)).await; })
    };
    // A service that passes calls on does not name the wait.
    a_call_of_a_service_in_a_box: "oneshot recv" = {
        let (tx, rx) = oneshot::channel::<u8>();
        let mut rx = Some(rx);
        let service = service_fn(move |_: u8| rx.take().unwrap()).map_response(|response| response + 1);
        (tx, async move { let _ = service.boxed().oneshot(1).await; })
    };
}
