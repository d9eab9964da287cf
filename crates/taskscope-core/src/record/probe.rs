//! A waker that belongs to no task and tells from where it was cloned.
//!
//! Its data is never read, so it may be kept and dropped at any time, also after the thread that
//! made it has ended.

use std::cell::RefCell;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use callstack::Completeness;

static PROBING: RawWakerVTable = RawWakerVTable::new(clone_probing, nothing, nothing, nothing);
static SILENT: RawWakerVTable = RawWakerVTable::new(clone_silent, nothing, nothing, nothing);

struct Probe {
    /// Inside the frame of `poll_above`; 0 while nothing is polled.
    limit: usize,
    /// The frames of the first clone.
    frames: Vec<usize>,
}

thread_local! {
    static PROBE: RefCell<Probe> = const { RefCell::new(Probe { limit: 0, frames: Vec::new() }) };
}

fn clone_probing(_: *const ()) -> RawWaker {
    let _ = PROBE.try_with(|probe| {
        if let Ok(mut probe) = probe.try_borrow_mut()
            && probe.limit != 0
            && probe.frames.is_empty()
        {
            let Probe { limit, frames } = &mut *probe;
            // The first frame is this one, the last one that of `poll_above`.
            if callstack::capture(*limit, frames) == Completeness::Complete {
                frames.pop();
            } else {
                frames.clear();
            }
        }
    });
    clone_silent(std::ptr::null())
}

fn clone_silent(_: *const ()) -> RawWaker {
    RawWaker::new(std::ptr::null(), &SILENT)
}

fn nothing(_: *const ()) {}

/// Polls a future once and returns the return addresses between it and the function that took its
/// waker, leaf first, both included; empty if it took none.
pub fn poll(future: Pin<&mut dyn Future<Output = ()>>) -> Vec<usize> {
    // SAFETY: the functions of the vtable do not use the data.
    let waker = unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &PROBING)) };
    let _ = poll_above(future, &mut Context::from_waker(&waker));
    let frames = PROBE.try_with(|probe| {
        let mut probe = probe.borrow_mut();
        probe.limit = 0;
        std::mem::take(&mut probe.frames)
    });
    let mut frames = frames.unwrap_or_default();
    let own = clone_probing as fn(*const ()) -> RawWaker as usize;
    let after = frames
        .iter()
        .rposition(|&address| callstack::function_start(address) == Some(own));
    match after {
        Some(at) => frames.split_off(at + 1),
        None => Vec::new(),
    }
}

#[inline(never)]
fn poll_above(future: Pin<&mut dyn Future<Output = ()>>, cx: &mut Context<'_>) -> Poll<()> {
    let anchor = 0_u8;
    let limit = std::ptr::from_ref(black_box(&anchor)).addr();
    let _ = PROBE.try_with(|probe| probe.borrow_mut().limit = limit);
    let polled = black_box(future).poll(cx);
    // Something to do after the call, which could otherwise take the place of this frame.
    black_box(&anchor);
    polled
}
