//! Captures at odd moments: while a thread ends, and from within the global allocator.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use callstack::{Completeness, MAX_FRAMES, capture};

/// Captures a stack for every allocation of a thread that asked for it, also for those that a
/// capture makes.
struct Capturing;

static CAPTURED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static DEPTH: Cell<Option<u32>> = const { Cell::new(None) };
}

// SAFETY: passes every request on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Capturing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if let Some(depth) = DEPTH.get()
            && depth < 3
        {
            DEPTH.set(Some(depth + 1));
            let mut frames = Vec::with_capacity(MAX_FRAMES);
            capture(usize::MAX, &mut frames);
            assert!(!frames.is_empty());
            CAPTURED.fetch_add(1, Ordering::Relaxed);
            drop(frames);
            DEPTH.set(Some(depth));
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Capturing = Capturing;

#[test]
fn a_capture_from_within_the_allocator_of_a_capture_does_not_hang() {
    // A new thread: the first capture on it allocates.
    thread::spawn(|| {
        DEPTH.set(Some(0));
        let mut frames = Vec::new();
        let end = capture(usize::MAX, &mut frames);
        DEPTH.set(None);
        assert_eq!(end, Completeness::Complete);
    })
    .join()
    .unwrap();
    assert!(CAPTURED.load(Ordering::Relaxed) > 2);
}

struct CapturesOnDrop(mpsc::Sender<(Completeness, usize)>);

impl Drop for CapturesOnDrop {
    fn drop(&mut self) {
        let mut frames = Vec::new();
        let end = capture(usize::MAX, &mut frames);
        self.0.send((end, frames.len())).unwrap();
    }
}

thread_local! {
    static LATE: Cell<Option<CapturesOnDrop>> = const { Cell::new(None) };
}

/// Thread-locals are destroyed in the order in which they were first used, on Linux: in one case
/// the slot of the unwinder is alive in our destructor, in the other it is gone.
#[test]
fn a_capture_in_a_thread_local_destructor_works() {
    for capture_first in [false, true] {
        let (sender, ends) = mpsc::channel();
        thread::spawn(move || {
            if capture_first {
                capture(usize::MAX, &mut Vec::new());
            }
            LATE.set(Some(CapturesOnDrop(sender.clone())));
            if !capture_first {
                capture(usize::MAX, &mut Vec::new());
            }
        })
        .join()
        .unwrap();
        let (end, frames) = ends.recv().unwrap();
        assert_eq!(
            end,
            Completeness::Complete,
            "capture first: {capture_first}"
        );
        assert!(frames > 3);
    }
}
