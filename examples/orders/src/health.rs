//! `GET /healthz`: says that all is well, which is what leaking services say.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tokio::runtime::Handle;

use crate::shop::Shop;

#[derive(Serialize)]
pub(crate) struct Health {
    status: &'static str,
    mode: String,
    orders: usize,
    /// Prices promised to readers and not taken back.
    prices_held: usize,
    /// Live tasks of the runtime.
    tasks: usize,
}

pub(crate) async fn show_health(State(shop): State<Arc<Shop>>) -> Json<Health> {
    Json(Health {
        status: "ok",
        mode: shop.mode.to_string(),
        orders: shop.order_count(),
        prices_held: shop.prices_held(),
        tasks: Handle::current().metrics().num_alive_tasks(),
    })
}
