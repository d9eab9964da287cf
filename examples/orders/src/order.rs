//! The forms of an order on the wire: the order that a customer sends, and the order that the shop
//! keeps.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::order_id::OrderId;
use crate::problem::Problem;

/// More lines than this are a mistake, or an attack.
const MAX_LINES: usize = 100;

/// An order as a customer sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrder {
    pub(crate) customer: String,
    pub(crate) lines: Vec<Line>,
}

/// One article of an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub(crate) sku: String,
    pub(crate) quantity: u32,
}

/// An order as the shop keeps it; the signature covers all the rest.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Order {
    #[serde(flatten)]
    pub(crate) content: Content,
    pub(crate) signature: String,
}

/// The part of an order that is signed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Content {
    pub(crate) id: OrderId,
    pub(crate) customer: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) total_cents: u64,
}

impl NewOrder {
    /// Whether the shop can take the order; what the price list knows is the price's business.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        if self.customer.trim().is_empty() {
            return Err(Problem::refused("customer must not be empty"));
        }
        if self.lines.is_empty() || self.lines.len() > MAX_LINES {
            return Err(Problem::refused(format!(
                "lines must be 1 to {MAX_LINES} articles, not {}",
                self.lines.len()
            )));
        }
        match self.lines.iter().find(|line| line.quantity == 0) {
            Some(line) => Err(Problem::refused(format!(
                "quantity of {:?} must be at least 1",
                line.sku
            ))),
            None => Ok(()),
        }
    }
}

/// The answer to a customer whose order was taken.
pub(crate) struct Created(pub(crate) Order);

impl IntoResponse for Created {
    fn into_response(self) -> Response {
        let location = format!("/orders/{}", self.0.content.id);
        (StatusCode::CREATED, [(LOCATION, location)], Json(self.0)).into_response()
    }
}
