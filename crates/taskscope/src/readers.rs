//! The modules of the readers: what tools ask of tasks. The code is in `taskscope-inspect` and
//! `taskscope-core`.

/// All live tasks at one moment: their stacks, their wait reasons, their resources.
pub mod dump {
    pub use taskscope_core::{MAX_BRANCHES, NoTrace, RuntimeInfo, Stack, TaskKind};
    pub use taskscope_inspect::{
        Branch, DEFAULT_DEADLINE, DEFAULT_STALL, Dump, DumpOptions, Frame, Group, HeldTasks,
        Holder, HolderState, LongPoll, Missed, NoMemory, Parents, ResourceDump, SpawnTree, Stacks,
        State, TaskDump, ThreadInfo, Trace, dump,
    };
}

/// Why a task is still alive, what it waits for, and the limits that decide.
pub mod verdict {
    pub use taskscope_inspect::{
        BLOCKING_THRESHOLD, CANCEL_GRACE, SPINNING_RATE, Verdict, WaitKind, WaitReason,
    };
}

/// Spawn sites whose tasks only get more.
pub mod growth {
    pub use taskscope_inspect::{
        GROWTH_MIN_SAMPLES, GROWTH_PERIOD, GROWTH_SAMPLES, SiteGrowth, growth, sample_growth,
    };
}

/// Polls that take too long, caught with the stack of their thread.
pub mod watchdog {
    pub use taskscope_inspect::{Watchdog, WatchdogError};
}

/// Text that others wrote, made safe to show; lengths of time and lists in words.
pub mod text {
    pub use taskscope_core::text::*;
    pub use taskscope_core::{Age, LISTED, Listed};
}
