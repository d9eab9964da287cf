//! The trace of a suspended task, and how it is printed. Not here: how it is made from return
//! addresses (`trim.rs`).

use std::fmt;
use std::sync::Arc;

use super::Frame;
use crate::Stack;
use crate::text::Plain;
use crate::wait::WaitReason;

use callstack::MAX_FRAMES;

/// Where a task is suspended: its async functions, innermost first. Several branches if it waits in
/// a `select!` or a `join!`.
#[derive(Debug)]
pub struct Trace {
    pub(super) stack: Arc<Stack>,
    pub(super) branches: Vec<Branch>,
}

/// One way in which a task can be woken, and the async functions that lead there.
#[derive(Debug)]
#[non_exhaustive]
pub struct Branch {
    /// Innermost first, inlined functions included. The first is the library function that was
    /// awaited. What is below it, glue of the standard library and this crate's own functions are
    /// left out.
    pub frames: Vec<Frame>,
    /// The wait reason, by the leaf.
    pub wait: WaitReason,
}

impl Trace {
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

    /// Whether a branch lacks its root, because it is as deep as a capture goes: 1,024 frames,
    /// counted from the leaf.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        let mut branches = self.stack.frames().split(|&ip| ip == 0);
        branches.any(|frames| frames.len() >= MAX_FRAMES)
    }

    /// The wait reason of all branches, each kind once.
    #[must_use]
    pub fn wait_reason(&self) -> WaitReason {
        WaitReason::any(self.branches.iter().map(|branch| &branch.wait))
    }
}

impl fmt::Display for Branch {
    /// Two lines a frame: the function, then its file and line. A line before them says if the
    /// trace ends at wakers of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.wait.kinds.iter().any(|kind| kind.ends_trace()) {
            writeln!(
                f,
                "    (what it polls has wakers of its own: the trace ends here)"
            )?;
        }
        for frame in &self.frames {
            writeln!(f, "    {}", Plain(&frame.function))?;
            match (frame.short_file(), frame.line) {
                (Some(file), Some(line)) => writeln!(f, "        {}:{line}", Plain(file))?,
                (Some(file), None) => writeln!(f, "        {}", Plain(file))?,
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
