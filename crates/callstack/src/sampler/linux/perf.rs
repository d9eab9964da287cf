//! perf events as timers: the software event `cpu-clock` of one thread, for user code only.
//!
//! The kernel sends the signal from the interrupt that ends a period, and only if that has
//! interrupted user code: the signal is delivered before the next instruction, and never ends a
//! system call. Not here: which threads have one ([`super::registry`]).

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use libc::{c_int, c_ulong};

/// The beginning of the kernel's `perf_event_attr`, as of the version that all kernels since 3.3
/// take.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    config1: u64,
    config2: u64,
}

const SOFTWARE: u32 = 1;
const CPU_CLOCK: u64 = 0;

const DISABLED: u64 = 1 << 0;
const EXCLUDE_KERNEL: u64 = 1 << 5;
const EXCLUDE_HYPERVISOR: u64 = 1 << 6;
/// Since Linux 5.13; before, closing the descriptor at `exec` has the same effect.
const REMOVE_ON_EXEC: u64 = 1 << 36;

const FD_CLOEXEC: c_ulong = 8;
const ENABLE: c_ulong = 0x2400;
const DISABLE: c_ulong = 0x2401;
const PERIOD: c_ulong = 0x4008_2404;

const F_SETSIG: c_int = 10;
const F_SETOWN_EX: c_int = 15;

#[repr(C)]
struct Owner {
    kind: c_int,
    id: c_int,
}

/// One thread.
const OWNER_THREAD: c_int = 0;

/// Makes an event of a thread, not enabled yet. Its first period is `first` nanoseconds long.
pub(super) fn open(tid: u32, signal: c_int, first: u64) -> io::Result<OwnedFd> {
    let open = |flags| {
        let attributes = Attributes {
            kind: SOFTWARE,
            size: size_of::<Attributes>() as u32,
            config: CPU_CLOCK,
            sample_period: first,
            flags,
            wakeup_events: 1,
            ..Attributes::default()
        };
        // SAFETY: the attributes are valid for the call, and their size is in them.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw const attributes,
                tid,
                -1,
                -1,
                FD_CLOEXEC,
            )
        };
        match c_int::try_from(fd) {
            // SAFETY: a new descriptor that nobody else has.
            Ok(fd @ 0..) => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
            _ => Err(io::Error::last_os_error()),
        }
    };
    let flags = DISABLED | EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR;
    let fd = open(flags | REMOVE_ON_EXEC).or_else(|error| match error.raw_os_error() {
        Some(libc::EINVAL | libc::E2BIG) => open(flags),
        _ => Err(error),
    })?;
    let owner = Owner {
        kind: OWNER_THREAD,
        id: tid as c_int,
    };
    let raw = fd.as_raw_fd();
    // SAFETY: commands about a descriptor of ours; the owner is valid for the call.
    let done = unsafe {
        libc::fcntl(raw, F_SETSIG, signal) == 0
            && libc::fcntl(raw, F_SETOWN_EX, &raw const owner) == 0
            && libc::fcntl(raw, libc::F_SETFL, libc::O_ASYNC) == 0
    };
    if done {
        Ok(fd)
    } else {
        Err(io::Error::last_os_error())
    }
}

pub(super) fn enable(fd: &OwnedFd) {
    // SAFETY: a command about a descriptor of ours, without memory.
    unsafe { libc::ioctl(fd.as_raw_fd(), ENABLE as _, 0) };
}

/// Ends the event, also for processes that have inherited the descriptor by a fork.
pub(super) fn disable(fd: &OwnedFd) {
    // SAFETY: as above.
    unsafe { libc::ioctl(fd.as_raw_fd(), DISABLE as _, 0) };
}

/// Sets the period in nanoseconds. Async-signal-safe; may change `errno`.
pub(super) fn set_period(fd: c_int, period: u64) {
    // SAFETY: the kernel reads the period, which is valid for the call. Another descriptor than
    // that of a perf event refuses the command.
    unsafe { libc::ioctl(fd, PERIOD as _, &raw const period) };
}
