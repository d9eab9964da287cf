//! The number of an order, which orders and problems name.

/// The number under which the shop keeps an order.
pub(crate) type OrderId = u64;
