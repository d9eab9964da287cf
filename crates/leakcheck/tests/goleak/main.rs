//! The behaviour that goleak's own tests promise, in the words of this crate. Each test names it.
//!
//! Not here: what the attribute does around a body, and tests that run at the same time. Left out,
//! for want of such a thing: the parser of goroutine dumps, goleak's own goroutines of the runtime,
//! and its `Cleanup` option.

mod allowed;
mod current;
mod exits;
mod finds;
mod large;
mod places;
mod refused;
mod support;
mod unused;
