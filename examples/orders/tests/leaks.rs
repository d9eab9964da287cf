//! The leak assertion on a real service: red with the mistakes, green without them.

mod support;

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use orders::{Client, Mode};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::Shop;

/// Three orders placed, two of them shown.
async fn serve_five_requests(mode: Mode) {
    let shop = Shop::open(mode).await;
    let first = shop.place_order().await;
    let second = shop.place_order().await;
    shop.place_order().await;
    shop.show_order(first).await;
    shop.show_order(second).await;
    shop.close().await;
}

#[tokio::test]
async fn the_fixed_routes_leave_no_task_behind() {
    serve_five_requests(Mode::Fixed).await;
    leakcheck::assert_none!();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fixed_routes_leave_no_task_behind_on_several_workers() {
    serve_five_requests(Mode::Fixed).await;
    leakcheck::assert_none!();
}

#[tokio::test]
async fn a_reader_who_hangs_up_leaves_no_task_behind_in_the_fixed_shop() {
    let shop = Shop::open(Mode::Fixed).await;
    let id = shop.place_order().await;
    let mut reader = TcpStream::connect(shop.client.addr()).await.unwrap();
    let request = format!("GET /orders/{id} HTTP/1.1\r\nHost: shop\r\n\r\n");
    reader.write_all(request.as_bytes()).await.unwrap();
    drop(reader);
    // The listener takes connections in turn, so it has taken the reader's before this one is
    // answered.
    let other = Client::new(shop.client.addr());
    assert_eq!(other.get("/healthz").await.unwrap().status(), 200);
    drop(other);
    shop.close().await;
    leakcheck::assert_none!();
}

/// The message of the assertion that must fail now.
async fn message_of_the_failing_assertion() -> String {
    let asserted = AssertUnwindSafe(async { leakcheck::assert_none!() });
    let panic = asserted
        .catch_unwind()
        .await
        .expect_err("the assertion found no leak");
    *panic.downcast::<String>().expect("a message that is text")
}

/// The block of a report that names a task.
fn block<'a>(report: &'a str, name: &str) -> &'a str {
    let line = format!("name       {name}\n");
    let mut blocks = report
        .split("\n\n")
        .filter(|block| format!("{block}\n").contains(&line));
    let block = blocks
        .next()
        .unwrap_or_else(|| panic!("no block for {name}:\n{report}"));
    assert!(blocks.next().is_none(), "two blocks for {name}:\n{report}");
    block
}

#[track_caller]
fn assert_says(block: &str, parts: &[&str]) {
    for part in parts {
        assert!(block.contains(part), "{part:?} is not in:\n{block}");
    }
}

#[tokio::test]
async fn the_leaky_routes_are_caught_and_the_message_says_what_each_request_left_behind() {
    serve_five_requests(Mode::Leaky).await;
    let report = message_of_the_failing_assertion().await;

    assert!(
        report.starts_with("leakcheck: 6 tasks are still alive after "),
        "{report}"
    );
    assert!(
        !report.contains("untracked"),
        "the server and its client have ended:\n{report}"
    );
    assert_says(
        block(&report, "audit"),
        &[
            "3 tasks outlived, waiting for oneshot recv",
            "spawned at examples/orders/src/leaky.rs:",
            "scope      POST /orders\n",
            "3 of 3",
            "orders::leaky::wait_for_acknowledgement::{{closure}}",
            "orders::leaky::write_entry::{{closure}}",
            "orders::leaky::record_audit::{{closure}}",
            "examples/orders/src/leaky.rs:",
        ],
    );
    assert_says(
        block(&report, "price-hold"),
        &[
            "2 tasks outlived, waiting for sleep",
            "spawned at examples/orders/src/leaky.rs:",
            "scope      GET /orders/{id}\n",
            "orders::leaky::wait_for_expiry::{{closure}}",
            "orders::leaky::keep_price::{{closure}}",
        ],
    );
    assert_says(
        block(&report, "config-watcher"),
        &[
            "1 task stuck, waiting for nothing",
            "spawned at examples/orders/src/leaky.rs:",
            "future     orders::leaky::watch_config::{{closure}}",
        ],
    );
}
