//! The signal handler, which runs on the interrupted thread.
//!
//! # Rules
//!
//! It may have interrupted anything: an allocator, the dynamic loader, a walk of this crate, an
//! async-signal-unsafe function of the application. So: no lock, no allocation, no thread-local, no
//! lazy initialisation, nothing that can panic, a small frame, `errno` as it was. It uses four
//! system calls and the memory of [`super::exchange`], nothing else.
//!
//! Not here: who sends the signal ([`super::signal`]).

#![allow(unsafe_code)]

use libc::{c_int, c_void, siginfo_t, ucontext_t};

use super::exchange::EXCHANGE;
use super::memory;
use super::resume;
use super::tid;
use crate::unwind::registers::Registers;

/// The signal handler.
pub(super) extern "C" fn on_signal(_: c_int, _: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: always a valid address, of this thread alone.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { errno.read() };
    // SAFETY: the kernel passes the context of what was interrupted to a handler with `SA_SIGINFO`,
    // and nobody else uses it until the handler returns.
    let context = unsafe { &mut *context.cast::<ucontext_t>() };
    answer(context);
    resume::resume(context);
    // SAFETY: as above.
    unsafe { errno.write(before) };
}

/// Writes the answer, if this thread is (still) being asked. A signal that comes too late, or from
/// another sender, does nothing.
fn answer(context: &ucontext_t) {
    let Some(answer) = EXCHANGE.pick_up(tid::current()) else {
        return;
    };
    let registers = Registers::interrupted(context);
    // The stack pointer is aligned wherever unwind tables hold.
    let start = registers.sp & !(size_of::<usize>() - 1);
    let most = start.saturating_add(answer.capacity());
    let above = memory::thread_pointer();
    let end = if above > start { most.min(above) } else { most };
    // SAFETY: `end - start` is at most the capacity.
    let len = unsafe { memory::copy(start, end, answer.stack()) };
    answer.publish(registers, start, len);
}
