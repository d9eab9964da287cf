//! The orders of the shop, and the prices that it has promised to keep for a while.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Mode;
use crate::order::{Content, NewOrder, Order};
use crate::order_id::OrderId;
use crate::pricing::price_order;
use crate::problem::Problem;
use crate::signing::{sign_order, verify_order};

#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) mode: Mode,
    orders: Mutex<HashMap<OrderId, Order>>,
    last_id: AtomicU64,
    prices_held: AtomicUsize,
}

impl Shop {
    pub(crate) fn new(mode: Mode) -> Shop {
        Shop {
            mode,
            orders: Mutex::default(),
            last_id: AtomicU64::new(0),
            prices_held: AtomicUsize::new(0),
        }
    }

    fn orders(&self) -> MutexGuard<'_, HashMap<OrderId, Order>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prices, signs and keeps a new order.
    pub(crate) fn place_order(&self, order: NewOrder) -> Result<Order, Problem> {
        order.check()?;
        let total_cents = price_order(&order.lines)?;
        let content = Content {
            id: self.last_id.fetch_add(1, Ordering::Relaxed) + 1,
            customer: order.customer,
            lines: order.lines,
            total_cents,
        };
        let signature = sign_order(&content)?;
        let order = Order { content, signature };
        self.orders().insert(order.content.id, order.clone());
        Ok(order)
    }

    /// An order that was placed, verified.
    pub(crate) fn find_order(&self, id: OrderId) -> Result<Order, Problem> {
        // The lock is not held while hashing.
        let order = self.orders().get(&id).cloned();
        let order = order.ok_or_else(|| Problem::no_such_order(id))?;
        verify_order(&order.content, &order.signature)?;
        Ok(order)
    }

    pub(crate) fn order_count(&self) -> usize {
        self.orders().len()
    }

    /// Promises a reader that the price stays what it is, until the guard is dropped.
    pub(crate) fn hold_price(self: &Arc<Self>) -> PriceGuard {
        self.prices_held.fetch_add(1, Ordering::Relaxed);
        PriceGuard { shop: self.clone() }
    }

    pub(crate) fn prices_held(&self) -> usize {
        self.prices_held.load(Ordering::Relaxed)
    }
}

/// A promise to keep a price.
#[derive(Debug)]
#[must_use = "dropping it takes the promise back"]
pub(crate) struct PriceGuard {
    shop: Arc<Shop>,
}

impl Drop for PriceGuard {
    fn drop(&mut self) {
        self.shop.prices_held.fetch_sub(1, Ordering::Relaxed);
    }
}
