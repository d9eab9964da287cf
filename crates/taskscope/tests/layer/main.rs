//! A scope for each request, over real sockets: its name and labels, its deadline, and each way in
//! which it ends.
#![cfg(all(feature = "enable", feature = "axum"))]

mod deadlines;
mod ends;
mod hops;
mod names;
mod requests;
mod streams;
mod support;
mod upgrades;
