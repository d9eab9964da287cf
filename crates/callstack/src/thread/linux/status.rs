//! Reads from `/proc` whether a thread has a signal pending, blocks it, or cannot be interrupted.
//!
//! Not here: which system call it is in ([`super::activity`]).

use std::fs;

/// A thread's state at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Status {
    /// The letter that `ps` shows.
    state: u8,
    /// Signals sent to this thread and not delivered yet: one bit for each, from signal 1 on.
    pending: u64,
    blocked: u64,
}

impl Status {
    /// Reads the state; `None` if there is no such thread, no `/proc`, or no free file descriptor.
    pub(super) fn of(tid: u32) -> Option<Self> {
        Self::parse(&fs::read(format!("/proc/self/task/{tid}/status")).ok()?)
    }

    /// Parses `status`, as bytes: the name of the thread, in the first line, may be any.
    fn parse(text: &[u8]) -> Option<Self> {
        let field = |name: &str| {
            let mut lines = text.split(|&byte| byte == b'\n');
            lines.find_map(|line| Some(line.strip_prefix(name.as_bytes())?.trim_ascii()))
        };
        let mask = |name| u64::from_str_radix(std::str::from_utf8(field(name)?).ok()?, 16).ok();
        Some(Self {
            state: *field("State:")?.first()?,
            pending: mask("SigPnd:")?,
            blocked: mask("SigBlk:")?,
        })
    }

    /// Whether the thread has ended. The main thread stays in this state until all others have
    /// ended.
    pub(super) fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    pub(super) fn is_running(&self) -> bool {
        self.state == b'R'
    }

    pub(super) fn is_uninterruptible(&self) -> bool {
        self.state == b'D'
    }

    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.state, b'T' | b't')
    }

    pub(super) fn is_pending(&self, signal: i32) -> bool {
        has(self.pending, signal)
    }

    pub(super) fn is_blocked(&self, signal: i32) -> bool {
        has(self.blocked, signal)
    }
}

fn has(mask: u64, signal: i32) -> bool {
    u32::try_from(signal - 1)
        .ok()
        .and_then(|bit| mask.checked_shr(bit))
        .is_some_and(|rest| rest & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn the_state_and_both_masks_are_read() {
        let text =
            b"Name:\tState: \xff\nState:\tD (disk sleep)\nSigQ:\t0/1\nSigPnd:\t8000000000000000\n\
            ShdPnd:\t0000000000000001\nSigBlk:\t0000000000000200\n";
        let status = Status::parse(text);
        assert!(status.is_some_and(|status| status.is_uninterruptible()
            && status.is_pending(64)
            && !status.is_pending(1)
            && status.is_blocked(10)
            && !status.is_blocked(64)));
    }

    #[test]
    fn what_is_no_status_is_none() {
        assert_eq!(Status::parse(b""), None);
        assert_eq!(Status::parse(b"State:\tR\nSigPnd:\tx\nSigBlk:\t0\n"), None);
    }
}
