//! The shop without the mistakes of `leaky.rs`.
//!
//! 1. [`create_order`] awaits its audit task, whose channel is closed when the auditor goes.
//! 2. [`show_order`]'s task ends with its request.
//! 3. [`watch_config`] awaits a channel that wakes it, also by being closed.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use taskscope::Scope;
use taskscope::Token;
use tokio::sync::{mpsc, oneshot, watch};

use crate::order::{Created, NewOrder, Order};
use crate::order_id::OrderId;
use crate::problem::Problem;
use crate::shop::{PriceGuard, Shop};

/// How long a reader may think about a price.
const PRICE_HOLD: Duration = Duration::from_secs(600);

/// Entries that may wait for the auditor. More make requests wait, which is what a full audit trail
/// should do.
const AUDIT_BACKLOG: usize = 64;

#[derive(Clone)]
struct App {
    shop: Arc<Shop>,
    audit: AuditTrail,
    /// Versions of the configuration. Its end, with the last clone of this, ends the watcher.
    _config: Arc<watch::Sender<u64>>,
}

pub(crate) fn router(shop: Arc<Shop>) -> Router {
    let (config, changes) = watch::channel(0);
    drop(taskscope::background(
        "config-watcher",
        watch_config(changes),
    ));
    let app = App {
        shop,
        audit: AuditTrail::start(),
        _config: Arc::new(config),
    };
    Router::new()
        .route("/orders", post(create_order))
        .route("/orders/{id}", get(show_order))
        .with_state(app)
}

async fn create_order(
    State(app): State<App>,
    Json(order): Json<NewOrder>,
) -> Result<Created, Problem> {
    let order = app.shop.place_order(order)?;
    // A task, so that the entry is written even if the customer hangs up now; awaited, so that its
    // failure is seen.
    let audit = taskscope::spawn_named("audit", record_audit(app.audit, order.content.id));
    match audit.await {
        Ok(Ok(())) => Ok(Created(order)),
        Ok(Err(AuditClosed)) | Err(_) => Err(Problem::internal("the audit trail takes no entries")),
    }
}

async fn show_order(
    State(app): State<App>,
    Path(id): Path<OrderId>,
) -> Result<Json<Order>, Problem> {
    let order = app.shop.find_order(id)?;
    let Some(request) = Scope::current() else {
        return Err(Problem::internal("the request has no scope"));
    };
    // The promise is made to this reader. The scope's token is cancelled when the answer has been
    // read, or the reader is gone.
    drop(taskscope::spawn_named(
        "price-hold",
        keep_price(app.shop.hold_price(), request.token()),
    ));
    Ok(Json(order))
}

/// Sends entries to the auditor.
#[derive(Clone)]
struct AuditTrail {
    entries: mpsc::Sender<Entry>,
}

struct Entry {
    id: OrderId,
    /// Told the entry's place in the trail.
    acknowledge: oneshot::Sender<usize>,
}

/// The auditor is gone.
struct AuditClosed;

impl AuditTrail {
    fn start() -> AuditTrail {
        let (sender, entries) = mpsc::channel(AUDIT_BACKLOG);
        drop(taskscope::background(
            "auditor",
            acknowledge_entries(entries),
        ));
        AuditTrail { entries: sender }
    }
}

/// Ends when the last sender of entries is gone.
async fn acknowledge_entries(mut entries: mpsc::Receiver<Entry>) {
    let mut trail = Vec::new();
    while let Some(Entry { id, acknowledge }) = entries.recv().await {
        trail.push(id);
        // If nobody waits for it any more, the entry is written all the same.
        let _ = acknowledge.send(trail.len());
    }
}

async fn record_audit(audit: AuditTrail, id: OrderId) -> Result<(), AuditClosed> {
    write_entry(&audit, id).await
}

async fn write_entry(audit: &AuditTrail, id: OrderId) -> Result<(), AuditClosed> {
    let (acknowledge, acknowledged) = oneshot::channel();
    let entry = Entry { id, acknowledge };
    audit.entries.send(entry).await.map_err(|_| AuditClosed)?;
    wait_for_acknowledgement(acknowledged).await
}

async fn wait_for_acknowledgement(
    acknowledged: oneshot::Receiver<usize>,
) -> Result<(), AuditClosed> {
    // An auditor that goes away drops the sender, and so closes the channel.
    acknowledged.await.map(|_place| ()).map_err(|_| AuditClosed)
}

async fn keep_price(promise: PriceGuard, request_over: Token) {
    tokio::select! {
        () = request_over.cancelled() => {}
        () = tokio::time::sleep(PRICE_HOLD) => {}
    }
    drop(promise);
}

/// Applies each new version of the configuration, until there can be no more.
async fn watch_config(mut changes: watch::Receiver<u64>) {
    while changes.changed().await.is_ok() {
        changes.borrow_and_update();
    }
}
