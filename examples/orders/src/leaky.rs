//! The shop with three mistakes, each of a kind that passes review.
//!
//! 1. [`create_order`] starts a task that waits for an acknowledgement that nobody sends, on a
//!    channel that nobody closes.
//! 2. [`show_order`] starts a task that sleeps for ten minutes, whether or not the reader is still
//!    there.
//! 3. [`watch_config`] awaits a future that nothing can wake.
//!
//! What each should have been is under the same name in `fixed.rs`.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::sync::oneshot;

use crate::order::{Created, NewOrder, Order};
use crate::order_id::OrderId;
use crate::problem::Problem;
use crate::shop::{PriceGuard, Shop};

/// How long a reader may think about a price.
const PRICE_HOLD: Duration = Duration::from_secs(600);

#[derive(Clone)]
struct App {
    shop: Arc<Shop>,
    audit: Arc<AuditTrail>,
}

pub(crate) fn router(shop: Arc<Shop>) -> Router {
    drop(taskscope::spawn_named("config-watcher", watch_config()));
    let audit = Arc::default();
    Router::new()
        .route("/orders", post(create_order))
        .route("/orders/{id}", get(show_order))
        .with_state(App { shop, audit })
}

async fn create_order(
    State(app): State<App>,
    Json(order): Json<NewOrder>,
) -> Result<Created, Problem> {
    let order = app.shop.place_order(order)?;
    // Mistake 1: the audit should not delay the answer, so nobody keeps the handle. Nobody sees how
    // it ends, either.
    drop(taskscope::spawn_named(
        "audit",
        record_audit(app.audit, order.content.id),
    ));
    Ok(Created(order))
}

async fn show_order(
    State(app): State<App>,
    Path(id): Path<OrderId>,
) -> Result<Json<Order>, Problem> {
    let order = app.shop.find_order(id)?;
    // Mistake 2: the promise is made to a reader, and nobody tells the task when the reader has
    // gone.
    drop(taskscope::spawn_named(
        "price-hold",
        keep_price(app.shop.hold_price()),
    ));
    Ok(Json(order))
}

/// Entries that the audit system has not acknowledged.
#[derive(Default)]
struct AuditTrail {
    unacknowledged: Mutex<HashMap<OrderId, oneshot::Sender<()>>>,
}

impl AuditTrail {
    /// Writes an entry. The acknowledgement would be sent by whoever takes its sender out of the
    /// map; nobody does.
    fn append(&self, id: OrderId) -> oneshot::Receiver<()> {
        let (acknowledge, acknowledged) = oneshot::channel();
        let mut waiting = self
            .unacknowledged
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        waiting.insert(id, acknowledge);
        acknowledged
    }
}

async fn record_audit(audit: Arc<AuditTrail>, id: OrderId) {
    write_entry(&audit, id).await;
}

async fn write_entry(audit: &AuditTrail, id: OrderId) {
    let acknowledged = audit.append(id);
    wait_for_acknowledgement(acknowledged).await;
}

async fn wait_for_acknowledgement(acknowledged: oneshot::Receiver<()>) {
    // A closed channel would end this as well. But the sender is parked in a map that this very
    // task keeps alive.
    let _ = acknowledged.await;
}

async fn keep_price(promise: PriceGuard) {
    wait_for_expiry().await;
    drop(promise);
}

async fn wait_for_expiry() {
    tokio::time::sleep(PRICE_HOLD).await;
}

/// Applies each new version of the configuration.
async fn watch_config() {
    let version = Arc::new(AtomicU64::new(0));
    let mut seen = 0;
    loop {
        seen = next_version(&version, seen).await;
    }
}

async fn next_version(version: &AtomicU64, seen: u64) -> u64 {
    ConfigChanged { version, seen }.await
}

/// Resolves to the version of the configuration once it is not the one that was seen.
struct ConfigChanged<'a> {
    version: &'a AtomicU64,
    seen: u64,
}

impl Future for ConfigChanged<'_> {
    type Output = u64;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u64> {
        let version = self.version.load(Ordering::Acquire);
        if version != self.seen {
            return Poll::Ready(version);
        }
        // Mistake 3: nobody has kept the waker, so nobody can cause a second look.
        Poll::Pending
    }
}
