//! From return addresses to the part of a stack that belongs to a task.

use std::sync::{Arc, LazyLock};

use callstack::Stack;

use super::{Branch, Frame, Trace};
use crate::capture::own_functions;
use crate::wait::{self, WaitKind, WaitReason};

impl Trace {
    pub(super) fn new(stack: Arc<Stack>) -> Trace {
        let mut branches: Vec<Branch> = stack.branches().map(Branch::new).collect();
        // By what is read, so that the order is that of every run and build.
        branches.sort_by_cached_key(|branch| {
            let WaitReason {
                kinds, functions, ..
            } = &branch.wait;
            (kinds.clone(), functions.clone())
        });
        Trace { stack, branches }
    }

    /// The native stack of a thread that is polling a task, down to the task.
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
        // Where the functions of ours cannot be told by address, their names do.
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

/// What is left when our own functions between the leaf and the unwinder are cut off: by their
/// addresses, since a stripped program has no names. Those at the root are not captured.
fn above_own(addresses: &[usize]) -> &[usize] {
    /// No more of ours can be there.
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

/// Where a poll of a task begins.
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

/// Between the leaf future and the unwinder.
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

/// Functions that every future goes through and that tell nothing.
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
