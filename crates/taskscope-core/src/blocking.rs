//! The frame on the stack that tells a wait for a call on the blocking pool from a wait for a task.
//!
//! Tokio's handle is the same for both. The table of waits knows this module by name. Not here: how
//! such a call is spawned ([`crate::spawn`]).

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::{JoinError, JoinHandle};

/// Polls the handle of a call.
#[inline(never)]
pub(crate) fn poll<T>(
    handle: &mut JoinHandle<T>,
    cx: &mut Context<'_>,
) -> Poll<Result<T, JoinError>> {
    let polled = Pin::new(handle).poll(cx);
    // A use after the call keeps it from being a jump, which would leave no frame.
    black_box(&polled);
    polled
}
