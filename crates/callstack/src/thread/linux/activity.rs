//! Reads from `/proc` what a thread is doing: running, or blocked in which system call with which
//! stack.
//!
//! The kernel answers "blocked" only for a thread that it has found off every processor, with its
//! registers saved. That may be over a moment later; [`Switches`] tells whether it was.
//!
//! The readers are our own, into buffers on the stack: they run several times in each capture.

use std::fs::File;
use std::io::Read as _;

use super::tid as thread_id;
use crate::thread::call::SystemCall;

/// The activity of a thread at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    /// On a processor, or about to be; or waiting for a page of its memory: nothing that a signal
    /// could end.
    Running,
    /// In a system call, off all processors.
    Blocked {
        call: SystemCall,
        sp: usize,
        ip: usize,
    },
    /// There is no such thread, or not any more.
    Gone,
    /// The kernel does not tell.
    Unknown,
}

impl Activity {
    /// Reads the activity of a thread. Needs a file descriptor for a moment.
    pub(super) fn of(tid: u32) -> Activity {
        let mut text = [0; 256];
        match read(tid, "syscall", &mut text) {
            Some(text) => Activity::parse(text),
            None if !thread_id::exists(tid) => Activity::Gone,
            None => Activity::Unknown,
        }
    }

    /// `running`, or the number of the call (-1: none, but a fault), six arguments (not with -1),
    /// stack pointer and instruction.
    fn parse(text: &str) -> Activity {
        let text = text.trim_ascii();
        if text == "running" {
            return Activity::Running;
        }
        let mut fields = text.split(' ');
        let Some(number) = fields.next().and_then(|number| number.parse::<i64>().ok()) else {
            return Activity::Unknown;
        };
        if number < 0 {
            return Activity::Running;
        }
        let numbers: Vec<u64> = fields
            .filter_map(|field| u64::from_str_radix(field.strip_prefix("0x")?, 16).ok())
            .collect();
        match (u32::try_from(number), &numbers[..]) {
            (Ok(number), &[a, b, c, d, e, f, sp, ip]) => Activity::Blocked {
                call: SystemCall::new(number, [a, b, c, d, e, f]),
                sp: sp as usize,
                ip: ip as usize,
            },
            _ => Activity::Unknown,
        }
    }
}

/// How often a thread has been switched off a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Switches {
    willing: u64,
    unwilling: u64,
}

impl Switches {
    pub(super) fn of(tid: u32) -> Option<Self> {
        let mut text = [0; 8192];
        Self::parse(read(tid, "status", &mut text)?)
    }

    /// Parses `status` from its second line on: the first line, the name, may look like any other.
    fn parse(text: &str) -> Option<Self> {
        let field = |name| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.trim_ascii().parse().ok())
        };
        Some(Self {
            willing: field("voluntary_ctxt_switches:")?,
            unwilling: field("nonvoluntary_ctxt_switches:")?,
        })
    }
}

/// Reads a file of that thread, as much as fits.
fn read<'a>(tid: u32, name: &str, into: &'a mut [u8]) -> Option<&'a str> {
    let mut file = File::open(format!("/proc/self/task/{tid}/{name}")).ok()?;
    let mut len = 0;
    while let more @ 1.. = file.read(&mut into[len..]).ok()? {
        len += more;
    }
    // Skip the name in the first line, which may be any bytes.
    let start = into[..len]
        .iter()
        .position(|&byte| byte == b'\n')
        .filter(|_| name == "status");
    str::from_utf8(&into[start.unwrap_or(0)..len]).ok()
}

#[cfg(test)]
mod tests {
    use super::{Activity, Switches};

    #[test]
    fn what_the_kernel_tells_of_a_thread_is_read() {
        assert_eq!(Activity::parse("running\n"), Activity::Running);
        assert_eq!(Activity::parse("-1 0x7ffe 0x55\n"), Activity::Running);
        let Activity::Blocked { call, sp, ip } =
            Activity::parse("7 0x1 0x2 0x3 0x4 0x5 0x6 0x7ffe00 0x55aa\n")
        else {
            panic!("it is blocked");
        };
        assert_eq!((call.number(), call.arguments()), (7, [1, 2, 3, 4, 5, 6]));
        assert_eq!((sp, ip), (0x7ffe00, 0x55aa));
        for strange in ["", "7", "7 0x1 0x2", "seven", "7 1 2 3 4 5 6 7 8"] {
            assert_eq!(Activity::parse(strange), Activity::Unknown, "{strange:?}");
        }
    }

    #[test]
    fn switches_of_both_kinds_are_told_apart() {
        let text = "\nState:\tS (sleeping)\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n";
        let switches = Switches {
            willing: 12,
            unwilling: 3,
        };
        assert_eq!(Switches::parse(text), Some(switches));
        assert_eq!(Switches::parse("\nState:\tS\n"), None);
    }
}
