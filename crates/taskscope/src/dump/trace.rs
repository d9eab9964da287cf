//! Where one task is suspended, in words.

use std::fmt;
use std::sync::Arc;

use callstack::Stack;

use super::Frame;
use crate::wait::{self, WaitKind, WaitReason};
use crate::words::Plain;

/// Where a task is suspended: its async functions, innermost first. Several branches if it waits in a `select!` or a `join!`.
#[derive(Debug)]
pub struct Trace {
    stack: Arc<Stack>,
    branches: Vec<Branch>,
}

/// One way in which a task can be woken, and the async functions that lead there.
#[derive(Debug)]
#[non_exhaustive]
pub struct Branch {
    /// Innermost first, inlined functions included. The first is the library function that was awaited. What is below it, glue of
    /// the standard library and this crate's own functions are left out.
    pub frames: Vec<Frame>,
    /// What the leaf waits for.
    pub wait: WaitReason,
}

impl Trace {
    pub(super) fn new(stack: Arc<Stack>) -> Trace {
        let mut branches: Vec<Branch> = stack.branches().map(Branch::new).collect();
        // By what is read, so that the order is that of every run and build.
        branches.sort_by_cached_key(|branch| {
            let WaitReason { kinds, functions } = &branch.wait;
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

    /// The branches, in an order that is the same for all tasks that wait in the same way.
    #[must_use]
    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }

    /// The raw return addresses, innermost first, 0 between branches.
    #[must_use]
    pub fn stack(&self) -> &Arc<Stack> {
        &self.stack
    }

    /// What the branches wait for, each kind once.
    #[must_use]
    pub fn wait_reason(&self) -> WaitReason {
        WaitReason::any(self.branches.iter().map(|branch| &branch.wait))
    }
}

impl Branch {
    fn new(addresses: &[usize]) -> Branch {
        let all = Frame::all(addresses);
        // The function that polls for a capture is the root; what follows belongs to the runtime.
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

fn is_root(frame: &Frame) -> bool {
    frame
        .function
        .contains("taskscope::capture::poll_capturing")
}

/// Where a poll of a task begins.
fn is_poll(frame: &Frame) -> bool {
    [
        "taskscope::instrument::",
        "taskscope::record::",
        "taskscope::capture::",
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
                "taskscope::capture::",
                "taskscope::record::",
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
                "taskscope::instrument::",
                "taskscope::capture::",
                "taskscope::record::",
            ],
        )
}

/// A dependency's file without the directory that cargo unpacked it in, and the standard library's without its build's.
fn short(file: &str) -> &str {
    let dependency = file
        .split_once("/registry/src/")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map(|(_, rest)| rest);
    dependency
        .or_else(|| {
            file.strip_prefix("/rustc/")?
                .split_once('/')
                .map(|(_, rest)| rest)
        })
        .unwrap_or(file)
}

impl fmt::Display for Branch {
    /// Two lines a frame: the function, then where it is. First, whether there is more that cannot be seen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.wait.kinds.iter().any(|kind| kind.ends_trace()) {
            writeln!(
                f,
                "    (what it polls has wakers of its own: the trace ends here)"
            )?;
        }
        for frame in &self.frames {
            writeln!(f, "    {}", Plain(&frame.function))?;
            match (&frame.file, frame.line) {
                (Some(file), Some(line)) => writeln!(f, "        {}:{line}", short(file))?,
                (Some(file), None) => writeln!(f, "        {}", short(file))?,
                (None, _) => {}
            }
        }
        Ok(())
    }
}

impl fmt::Display for Trace {
    /// Two lines a frame; a heading before each branch if there is more than one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.branches.len();
        for (at, branch) in self.branches.iter().enumerate() {
            if count > 1 {
                writeln!(f, "   branch {} of {count}: {}", at + 1, branch.wait)?;
            }
            write!(f, "{branch}")?;
        }
        Ok(())
    }
}
