//! Futures that do everything the contract of `Future` allows, and some of what it does not: they
//! behave with our spawn as with tokio's, also while dumps are taken; a dump says what is true of
//! them; and their records come back.
#![cfg(feature = "enable")]
#![expect(
    clippy::waker_clone_wake,
    reason = "a wake by value is another function of the vtable, and is tested, too"
)]

mod children;
mod ends;
#[path = "../support/times.rs"]
mod times;
mod wakers;
mod ways;
