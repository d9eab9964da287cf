//! Prints the report of a test that leaves one task behind.
//!
//! ```text
//! cargo run -p leakcheck --example forgotten_task
//! ```
#![allow(clippy::print_stdout, reason = "an example shows its result")]

use std::time::Duration;

use leakcheck::Options;

#[tokio::main]
async fn main() {
    place_an_order().await;

    // In a test: `leakcheck::assert_none!()`, which panics with the same words.
    let options = Options::new().settle(Duration::from_millis(200));
    match leakcheck::check_with(options).await {
        Ok(()) => println!("nothing is left"),
        Err(leaks) => println!("{leaks}"),
    }
}

async fn place_an_order() {
    // The mistake: the answer does not wait for the mail, and nobody keeps the handle.
    drop(taskscope::spawn_named("mail", send_mail()));
    tokio::task::yield_now().await;
}

async fn send_mail() {
    connect().await;
}

async fn connect() {
    tokio::time::sleep(Duration::from_secs(60)).await;
}
