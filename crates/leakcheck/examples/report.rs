//! Prints what a failing assertion says: `cargo run -p leakcheck --example report`.
//!
//! A small shop leaves three tasks behind, two audits and a price feed, and one that it has spawned
//! with plain `tokio::spawn`. The example checks for leaks as a test does, and prints the report
//! instead of failing.
//!
//! Not here: how a test is written (the documentation of the crate).

#![allow(clippy::print_stdout)]

use std::time::Duration;

use taskscope::Scope;
use tokio::sync::{mpsc, oneshot};

/// Waits for an answer that nobody gives.
async fn audit(answer: oneshot::Receiver<()>) {
    let _ = answer.await;
}

/// Reads prices for ever.
async fn price_feed() {
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut senders = Vec::new();
    let order = Scope::new("POST /orders");
    order
        .run(async {
            for _ in 0..2 {
                let (sender, answer) = oneshot::channel();
                senders.push(sender);
                drop(taskscope::spawn_named("audit", audit(answer)));
            }
        })
        .await;
    drop(order);
    drop(taskscope::spawn(price_feed()));
    let (_sender, mut receiver) = mpsc::channel::<()>(1);
    drop(tokio::spawn(async move { receiver.recv().await }));

    let options = leakcheck::Options::new()
        .settle(Duration::from_millis(200))
        .test("shop::an_order_leaves_nothing_behind");
    match leakcheck::check_with(options).await {
        Ok(()) => println!("nothing is left"),
        Err(leaks) => println!("{leaks}"),
    }
    drop(senders);
}
