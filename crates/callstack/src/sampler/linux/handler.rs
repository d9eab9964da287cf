//! The signal handler, which runs on the interrupted thread.
//!
//! # Rules
//!
//! It may have interrupted anything. So: no lock, no allocation, no lazy initialisation, nothing
//! that can panic, a frame of some hundred bytes, `errno` as it was. It makes a system call only
//! when it sees a stack for the first time, or one that is not the thread's own, and once for each
//! new period.
//!
//! Not here: what is made of a sample ([`super::registry`]).

#![allow(unsafe_code)]

use std::sync::atomic::Ordering;

use libc::{c_int, c_void, siginfo_t, ucontext_t};

use super::perf;
use super::shared::{CAPACITY, Header, SHARED, Thread};
use crate::thread::linux::{memory, resume};
use crate::unwind::registers::Registers;

/// The parts of a `siginfo_t` that timers and perf events fill in, on 64-bit Linux.
#[repr(C)]
struct SignalInfo {
    signal: c_int,
    errno: c_int,
    code: c_int,
    padding: c_int,
    /// A timer: its number, and its overrun. A perf event: the band.
    timer: c_int,
    overrun: c_int,
    /// A timer: the value that it was made with. A perf event: the file descriptor, in the low
    /// half.
    value: u64,
}

/// The signal handler.
pub(super) extern "C" fn on_signal(_: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: always a valid address, of this thread alone.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { errno.read() };
    // SAFETY: the kernel passes both to a handler with `SA_SIGINFO`; a `siginfo_t` is larger than
    // what is read of it, and nobody else uses the context until the handler returns.
    let (info, context) = unsafe {
        (
            &*info.cast::<SignalInfo>(),
            &mut *context.cast::<ucontext_t>(),
        )
    };
    sample(info, context);
    if info.code == libc::SI_TIMER {
        // A perf event never meets a thread in a system call.
        resume::resume(context);
    }
    // SAFETY: as above.
    unsafe { errno.write(before) };
}

/// Writes a sample, if one of our timers has sent the signal.
fn sample(info: &SignalInfo, context: &ucontext_t) {
    let session = SHARED.session.load(Ordering::Acquire);
    if session == 0 {
        return;
    }
    let Some((index, hits)) = sender(info) else {
        SHARED.foreign.fetch_add(1, Ordering::Relaxed);
        return;
    };
    let Some(thread) = SHARED.threads.get(index) else {
        return;
    };
    if thread.next_period.load(Ordering::Relaxed) != 0 {
        let period = thread.next_period.swap(0, Ordering::Relaxed);
        perf::set_period(info.value as c_int, period);
    }
    let Some(slot) = SHARED.take() else {
        SHARED.dropped.fetch_add(1, Ordering::Relaxed);
        return;
    };
    let registers = Registers::interrupted(context);
    // The stack pointer is aligned wherever unwind tables hold.
    let start = registers.sp & !(size_of::<usize>() - 1);
    let (len, more) = copy(thread, start, slot.stack());
    slot.publish(Header {
        session,
        thread: index as u32,
        hits,
        time: now(),
        label: SHARED.read_label(),
        registers,
        start,
        len,
        cut: more,
    });
}

/// The thread whose timer has sent the signal, and how many expirations it stands for.
fn sender(info: &SignalInfo) -> Option<(usize, u32)> {
    // `POLL_IN` to `POLL_HUP`; the constants are not in the library.
    const PERF: std::ops::RangeInclusive<c_int> = 1..=6;
    if info.code == libc::SI_TIMER {
        let index = info.value.checked_sub(timer_value(0))?;
        let overrun = u32::try_from(info.overrun).unwrap_or(0);
        return Some((usize::try_from(index).ok()?, overrun.saturating_add(1)));
    }
    if PERF.contains(&info.code) {
        let fd = info.value as u32 as usize;
        let index = SHARED.by_fd.get(fd)?.load(Ordering::Relaxed);
        return Some((usize::from(index).checked_sub(1)?, 1));
    }
    None
}

/// The value of the timer of the thread with this index: nobody else's timer has one of these.
pub(super) fn timer_value(index: usize) -> u64 {
    (&raw const SHARED).addr() as u64 + index as u64
}

/// Copies the stack from `start` on; says how many bytes, and whether there was more than fits.
#[inline]
fn copy(thread: &Thread, start: usize, into: *mut u64) -> (usize, bool) {
    let low = thread.stack_low.load(Ordering::Relaxed);
    let high = thread.stack_high.load(Ordering::Relaxed);
    if low != 0 && (low..high).contains(&start) {
        let len = (high - start) & !(size_of::<u64>() - 1);
        let copied = len.min(CAPACITY);
        // SAFETY: `stack_low..stack_high` is the interrupted thread's own stack, which is mapped as
        // long as the thread lives, and this is that thread. The slot has room for `CAPACITY`.
        unsafe { copy_words(start, into, copied / size_of::<u64>()) };
        return (copied, len > copied);
    }
    copy_unknown(thread, start, into)
}

/// Copies a stack whose bounds are not known: the kernel does it, and stops where nothing is
/// mapped.
#[cold]
#[inline(never)]
fn copy_unknown(thread: &Thread, start: usize, into: *mut u64) -> (usize, bool) {
    let above = memory::thread_pointer();
    thread.thread_pointer.store(above, Ordering::Relaxed);
    thread.other_stack.store(start, Ordering::Release);
    let most = start.saturating_add(CAPACITY);
    let end = if above > start { most.min(above) } else { most };
    // SAFETY: `end - start` is at most the room in the slot.
    let len = unsafe { memory::copy(start, end, into.cast()) };
    let len = len & !(size_of::<u64>() - 1);
    (len, len >= CAPACITY)
}

/// Copies words by instructions that no tool instruments: the redzones of a sanitizer are on the
/// stack, and are copied like everything else.
///
/// # Safety
///
/// `words` words must be readable at `from`, and writable at `to`; they must not overlap.
#[inline]
unsafe fn copy_words(from: usize, to: *mut u64, words: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as the caller promises; the direction flag is clear in a handler.
    unsafe {
        std::arch::asm!(
            "rep movsq",
            inout("rcx") words => _,
            inout("rsi") from => _,
            inout("rdi") to => _,
            options(nostack, preserves_flags),
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as the caller promises.
    unsafe {
        std::arch::asm!(
            "cbz {words}, 3f",
            "2:",
            "ldr {word}, [{from}], #8",
            "str {word}, [{to}], #8",
            "sub {words}, {words}, #1",
            "cbnz {words}, 2b",
            "3:",
            words = inout(reg) words => _,
            word = out(reg) _,
            from = inout(reg) from => _,
            to = inout(reg) to => _,
            options(nostack, preserves_flags),
        );
    }
}

/// Nanoseconds of the monotonic clock; async-signal-safe.
pub(super) fn now() -> u64 {
    super::clock::read(libc::CLOCK_MONOTONIC)
}
