//! Cuts a stack down to the part that belongs to a task. Not here: names of functions
//! (`symbols.rs`).

use std::sync::{Arc, LazyLock};

use callstack::Stack;

use super::{Branch, Frame, Trace};
use crate::capture::own_functions;
use crate::wait::{self, WaitKind, WaitReason};

impl Trace {
    pub(super) fn new(stack: Arc<Stack>) -> Trace {
        let mut branches: Vec<Branch> = stack.branches().map(Branch::new).collect();
        // Sorted by the words, so that the order is the same in every run and build.
        branches.sort_by_cached_key(|branch| {
            let WaitReason {
                kinds, functions, ..
            } = &branch.wait;
            (kinds.clone(), functions.clone())
        });
        Trace { stack, branches }
    }

    /// The native stack of a thread that is polling a task, from the leaf down to the task.
    pub(super) fn of_thread(stack: Arc<Stack>) -> Trace {
        let addresses: Vec<usize> = stack.branches().next().unwrap_or_default().to_vec();
        let all = Frame::all(&addresses);
        let frames = callstack::trim_root(&all, is_poll).to_vec();
        let branch = Branch {
            frames,
            wait: WaitReason::of(WaitKind::Running),
        };
        Trace {
            stack,
            branches: vec![branch],
        }
    }
}

impl Branch {
    fn new(addresses: &[usize]) -> Branch {
        let all = Frame::all(above_own(addresses));
        // Where our functions cannot be found by address, they are found by name.
        let task = callstack::trim(&all, is_waker, is_root);
        let (wait, named_by) = wait::classify(task);
        let mut frames: Vec<_> = task[named_by..]
            .iter()
            .filter(|frame| !is_glue(frame))
            .cloned()
            .collect();
        if frames.is_empty() {
            frames = task.to_vec();
        }
        Branch { frames, wait }
    }
}

/// Cuts off our own functions between the leaf and the unwinder: by their addresses, since a
/// stripped program has no names. Those at the root are not captured.
fn above_own(addresses: &[usize]) -> &[usize] {
    /// Frames from the leaf among which our functions can be.
    const DEPTH: usize = 8;
    static OWN: LazyLock<[usize; 5]> = LazyLock::new(own_functions);
    let is_own = |address: &usize| {
        callstack::function_start(*address).is_some_and(|start| OWN.contains(&start))
    };
    let lower = &addresses[..addresses.len().min(DEPTH)];
    match lower.iter().rposition(is_own) {
        Some(last) if last + 1 < addresses.len() => &addresses[last + 1..],
        _ => addresses,
    }
}

fn is_root(frame: &Frame) -> bool {
    frame
        .function
        .contains("taskscope_core::capture::poll_capturing")
}

/// Whether a poll of a task begins in this function.
fn is_poll(frame: &Frame) -> bool {
    [
        "taskscope_core::instrument::",
        "taskscope_core::record::",
        "taskscope_core::capture::",
    ]
    .iter()
    .any(|root| frame.function.contains(root))
}

fn starts_with_any(frame: &Frame, prefixes: &[&str]) -> bool {
    prefixes
        .iter()
        .any(|prefix| frame.path().starts_with(prefix))
}

/// Whether the function is between the leaf future and the unwinder.
fn is_waker(frame: &Frame) -> bool {
    !is_root(frame)
        && starts_with_any(
            frame,
            &[
                "callstack::",
                "backtrace::",
                "taskscope_core::capture::",
                "taskscope_core::record::",
                "core::",
                "std::",
            ],
        )
}

/// Whether every future goes through this function, so that it says nothing.
fn is_glue(frame: &Frame) -> bool {
    // A name without a path is the compiler's, such as `__rust_try`.
    (frame.has_symbol && !frame.function.contains("::"))
        || starts_with_any(
            frame,
            &[
                "core::",
                "std::",
                "alloc::",
                "F as core::",
                "taskscope::scope::run::",
                "taskscope_core::instrument::",
                "taskscope_core::capture::",
                "taskscope_core::record::",
            ],
        )
}
