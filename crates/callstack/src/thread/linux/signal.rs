//! The signal for captures: claims it, checks that the handler is still ours, and sends it.
//!
//! # Invariant
//!
//! Our handler is installed at most once in a process, for a signal that had the default
//! disposition, and is never removed. A disposition of somebody else is never replaced; if one
//! appears between asking and installing, it is put back.
//!
//! Not here: the handler ([`super::handler`]), and the signal of CPU samples (`crate::sampler`).

#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ptr;

use libc::{c_int, sigaction, sigset_t};

use super::{handler, memory, tid};
use crate::sync::Mutex;
use crate::thread::error::{CaptureError, ClaimError};

/// How many realtime signals are left alone at the lower end: .NET, the Boehm collector and others
/// begin there.
const LEFT_TO_OTHERS: c_int = 8;

/// A signal with our handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::thread) struct Claimed {
    number: c_int,
}

impl Claimed {
    pub(in crate::thread) fn number(self) -> i32 {
        self.number
    }
}

static CLAIMED: Mutex<Option<Claimed>> = Mutex::new(None);

/// Claims `number`, or the best free signal. Returns the one that was claimed before, if it may.
pub(in crate::thread) fn claim(number: Option<c_int>) -> Result<Claimed, ClaimError> {
    let mut claimed = CLAIMED.lock();
    if let Some(claimed) = *claimed {
        return match number {
            Some(number) if number != claimed.number => Err(ClaimError::AlreadyClaimed {
                number: claimed.number,
            }),
            _ => Ok(claimed),
        };
    }
    if let Some(number) = number.filter(|&number| !is_suitable(number)) {
        return Err(ClaimError::Unsuitable { number });
    }
    // This also makes the dynamic linker bind the functions that the handler calls.
    if !memory::can_be_copied() {
        return Err(ClaimError::NotPermitted);
    }
    // Reads the list of modules now: that waits for the dynamic loader, which a capture must not.
    crate::refresh();
    let free = match number {
        Some(number) => install(number)
            .then_some(number)
            .ok_or(ClaimError::Taken { number }),
        None => (libc::SIGRTMIN() + LEFT_TO_OTHERS..=libc::SIGRTMAX())
            .rev()
            .find(|&number| install(number))
            .ok_or(ClaimError::NoneFree),
    };
    let number = free?;
    Ok(*claimed.insert(Claimed { number }))
}

fn is_suitable(number: c_int) -> bool {
    (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&number)
        || matches!(number, libc::SIGUSR1 | libc::SIGUSR2)
}

/// Installs our handler if nobody uses the signal.
fn install(number: c_int) -> bool {
    if disposition(number) != Some(libc::SIG_DFL) || is_waited_for(number) {
        return false;
    }
    let ours = action();
    let mut before = MaybeUninit::<sigaction>::uninit();
    // SAFETY: `ours` is a valid action whose handler is async-signal-safe, and `before` has room
    // for the old one.
    if unsafe { libc::sigaction(number, &raw const ours, before.as_mut_ptr()) } != 0 {
        // The C library or a tool keeps this one for itself.
        return false;
    }
    // SAFETY: initialised by the successful call.
    let before = unsafe { before.assume_init() };
    if before.sa_sigaction == libc::SIG_DFL {
        return true;
    }
    // Somebody else has installed a handler in between.
    // SAFETY: the action was valid before.
    unsafe { libc::sigaction(number, &raw const before, ptr::null_mut()) };
    false
}

fn action() -> sigaction {
    // SAFETY: an all-zero action is a valid value; everything that matters is set below.
    let mut action: sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = address();
    // On the alternate stack: the interrupted code may run on a stack of a few KiB (a coroutine, a
    // goroutine), or may have used up nearly all of its own.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
    // SAFETY: the mask is valid memory. Everything is blocked for the microseconds of the handler:
    // that other handlers should not be stacked upon it saves room on a small stack.
    unsafe { libc::sigfillset(&raw mut action.sa_mask) };
    action
}

fn address() -> libc::sighandler_t {
    handler::on_signal as *const () as libc::sighandler_t
}

/// The handler of a signal, as a number. `None` if the C library keeps the signal for itself.
fn disposition(number: c_int) -> Option<libc::sighandler_t> {
    let mut action = MaybeUninit::<sigaction>::uninit();
    // SAFETY: only asks; `action` has room for the answer, which is read if there is one.
    unsafe {
        (libc::sigaction(number, ptr::null(), action.as_mut_ptr()) == 0)
            .then(|| action.assume_init().sa_sigaction)
    }
}

/// Whether the calling thread blocks the signal: a program that receives signals by `sigwait` or
/// `signalfd` has no handler, but blocks them in all threads. (The masks of other threads say
/// nothing: every thread blocks all signals for a moment whenever it starts another one.)
fn is_waited_for(number: c_int) -> bool {
    let mut blocked = MaybeUninit::<sigset_t>::uninit();
    // SAFETY: only asks; `blocked` has room for the answer, which is read if there is one.
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), blocked.as_mut_ptr()) != 0
            || libc::sigismember(blocked.as_ptr(), number) == 1
    }
}

/// Checks that the handler is still ours.
pub(super) fn check(claimed: Claimed) -> Result<(), CaptureError> {
    if disposition(claimed.number) == Some(address()) {
        return Ok(());
    }
    Err(CaptureError::HandlerReplaced {
        number: claimed.number,
    })
}

/// Sends the signal to a thread of this process.
pub(super) fn send(claimed: Claimed, tid: u32) -> Result<(), CaptureError> {
    match tid::tgkill(tid, claimed.number) {
        Ok(()) => Ok(()),
        // `EINVAL`: no thread can have this number.
        Err(libc::ESRCH | libc::EINVAL) => Err(CaptureError::Gone),
        Err(libc::EAGAIN) => Err(CaptureError::QueueFull),
        Err(errno) => Err(CaptureError::NotSent { errno }),
    }
}
