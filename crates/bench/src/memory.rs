//! How much memory this process has, as the kernel and as its allocator see it. Linux only.

use std::fs;

/// Bytes that glibc's `malloc` has given out, mapped blocks included.
pub fn malloc_in_use() -> u64 {
    // SAFETY: the function takes no argument and only reads the allocator's own counters, under its
    // locks.
    let info = unsafe { libc::mallinfo2() };
    (info.uordblks + info.hblkhd) as u64
}

/// Bytes in physical memory now.
pub fn resident() -> u64 {
    status("VmRSS:")
}

/// The most bytes in physical memory since the start, or since [`reset_peak`].
pub fn peak_resident() -> u64 {
    status("VmHWM:")
}

/// Begins a new measurement of [`peak_resident`].
pub fn reset_peak() {
    fs::write("/proc/self/clear_refs", "5").expect("the kernel resets the peak");
}

fn status(key: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("there is a /proc");
    let kilobytes: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .expect("the kernel says how much memory a process has");
    kilobytes * 1024
}
