//! A demo shop over HTTP that does what real services do wrong, and the same shop written
//! correctly.
//!
//! `POST /orders` places an order, `GET /orders/{id}` shows it, `GET /healthz` counts. In
//! [`Mode::Leaky`] each of the first two leaves a task behind with every request, and one task
//! waits from the start for something that can never wake it. The two files to lay side by side are
//! `leaky.rs` and `fixed.rs`; everything else is the same for both.
//!
//! Not here: the command line and the load, which belong to the binary (`main.rs`).
#![forbid(unsafe_code)]

mod client;
mod leaky;
// After the mistakes: what each of them should have been.
mod fixed;
mod health;
mod order;
mod order_id;
mod pricing;
mod problem;
mod shop;
mod signing;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use taskscope::{AtEnd, ScopeLayer};

pub use self::client::Client;
use self::shop::Shop;

/// Which of the two services the routes belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// With the three mistakes.
    Leaky,
    /// The same routes without them.
    Fixed,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Leaky => "leaky",
            Mode::Fixed => "fixed",
        })
    }
}

/// The routes of a shop that is still without orders. Each request runs in a scope of its own.
///
/// # Examples
///
/// ```no_run
/// # async fn serve() -> std::io::Result<()> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// axum::serve(listener, orders::router(orders::Mode::Fixed)).await
/// # }
/// ```
///
/// # Panics
///
/// Outside of a tokio runtime: both modes start tasks.
pub fn router(mode: Mode) -> Router {
    let shop = Arc::new(Shop::new(mode));
    let (orders, at_end) = match mode {
        Mode::Leaky => (leaky::router(shop.clone()), AtEnd::Report),
        Mode::Fixed => (fixed::router(shop.clone()), AtEnd::Cancel),
    };
    orders
        .route("/healthz", get(health::show_health).with_state(shop))
        .layer(ScopeLayer::new().at_end(at_end))
}
