//! The signal of CPU samples: chooses it, installs our handler, and puts the former action back.
//!
//! `SIGURG` is ignored by default, so a signal that comes late, or in a program that was executed
//! meanwhile, does nothing. Few programs use it; Go's runtime does. A realtime signal ends the
//! process by default, so for that one our handler stays installed.
//!
//! Not here: the handler ([`super::handler`]), and the signal for captures (`crate::thread`).

#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ptr;

use libc::{c_int, sigaction};

use super::handler;

/// How many realtime signals are left alone at the lower end, as [`crate::thread::Signal`] does.
const LEFT_TO_OTHERS: c_int = 8;

/// The signal, with our handler. Dropping it puts the former action back.
pub(super) struct Claimed {
    number: c_int,
    /// The action to put back; `None` if our handler stays.
    before: Option<sigaction>,
}

impl Claimed {
    pub(super) fn number(&self) -> c_int {
        self.number
    }

    /// Whether perf events may send it: the kernel falls back to `SIGIO`, which ends the process,
    /// when a realtime signal cannot be queued.
    pub(super) fn is_for_perf(&self) -> bool {
        self.number < libc::SIGRTMIN()
    }
}

/// Takes the signal; `None` if every one is in use.
pub(super) fn claim() -> Option<Claimed> {
    let urgent = libc::SIGURG;
    let before = action_of(urgent)?;
    let unused = [libc::SIG_DFL, libc::SIG_IGN].contains(&before.sa_sigaction);
    if (unused || is_ours(&before)) && install(urgent, &before) {
        let before = if is_ours(&before) {
            default_action()
        } else {
            before
        };
        return Some(Claimed {
            number: urgent,
            before: Some(before),
        });
    }
    let realtime = (libc::SIGRTMIN() + LEFT_TO_OTHERS..=libc::SIGRTMAX()).rev();
    let mut free = realtime.filter_map(|number| Some((number, action_of(number)?)));
    free.find(|(number, before)| {
        is_ours(before) || before.sa_sigaction == libc::SIG_DFL && install(*number, before)
    })
    .map(|(number, _)| Claimed {
        number,
        before: None,
    })
}

impl Drop for Claimed {
    fn drop(&mut self) {
        // A handler that was installed meanwhile stays.
        let still_ours = action_of(self.number).is_some_and(|now| is_ours(&now));
        if let Some(before) = self.before.filter(|_| still_ours) {
            // SAFETY: the action was that of the signal before.
            unsafe { libc::sigaction(self.number, &raw const before, ptr::null_mut()) };
        }
    }
}

/// The action of a signal; `None` if the C library keeps the signal for itself.
fn action_of(number: c_int) -> Option<sigaction> {
    let mut action = MaybeUninit::<sigaction>::uninit();
    // SAFETY: only asks; `action` has room for the answer, which is read if there is one.
    unsafe {
        (libc::sigaction(number, ptr::null(), action.as_mut_ptr()) == 0)
            .then(|| action.assume_init())
    }
}

fn is_ours(action: &sigaction) -> bool {
    action.sa_sigaction == address()
}

fn address() -> libc::sighandler_t {
    handler::on_signal as *const () as libc::sighandler_t
}

fn default_action() -> sigaction {
    // SAFETY: an all-zero action is a valid value: the default one.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// Installs our handler, if the action is still `before`.
fn install(number: c_int, before: &sigaction) -> bool {
    let mut ours = default_action();
    ours.sa_sigaction = address();
    // On the alternate stack if there is one: the interrupted stack may be nearly full.
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
    // SAFETY: the mask is valid memory. Everything is blocked for the microsecond of the handler,
    // so that no other handler needs room on top of it.
    unsafe { libc::sigfillset(&raw mut ours.sa_mask) };
    let mut found = MaybeUninit::<sigaction>::uninit();
    // SAFETY: `ours` is a valid action whose handler is async-signal-safe; `found` has room.
    if unsafe { libc::sigaction(number, &raw const ours, found.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: initialised by the successful call.
    let found = unsafe { found.assume_init() };
    if found.sa_sigaction == before.sa_sigaction {
        return true;
    }
    // Somebody else has installed a handler in between.
    // SAFETY: the action was valid before.
    unsafe { libc::sigaction(number, &raw const found, ptr::null_mut()) };
    false
}
