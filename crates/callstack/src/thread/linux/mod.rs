//! One capture of another thread, step by step on the asking thread.
//!
//! A thread that [`activity`] finds in a system call is read without a signal ([`blocked`]). A
//! running thread gets the signal that [`signal`] claims, checks and sends. [`handler`] runs on the
//! interrupted thread, with [`memory`] to copy a stack of unknown bounds, and [`resume`] to send
//! the thread back into a system call that the signal has ended after all. The two threads meet in
//! [`exchange`]; [`status`] says why a thread does not answer.
//!
//! Not here: how a copied stack is walked ([`crate::unwind`]).

mod activity;
mod blocked;
mod exchange;
mod futex;
mod handler;
pub(crate) mod memory;
pub(crate) mod resume;
mod signal;
mod status;
mod tid;

use std::time::{Duration, Instant};

pub(super) use blocked::capture as capture_blocked;
pub(super) use resume::not_resumed as interrupted_calls;
pub(super) use signal::{Claimed, claim};
pub(super) use tid::current as current_tid;

use super::call::SystemCall;
use super::error::{CaptureError, NoAnswerReason, NotBlocked};
use crate::{Completeness, unwind};
use activity::Activity;
use exchange::{EXCHANGE, RequestGuard};
use status::Status;

/// How often a waiting asker makes sure that the thread still exists.
const CHECK_INTERVAL: Duration = Duration::from_millis(10);
/// How long a handler that has begun before the deadline may take to end.
const GRACE: Duration = Duration::from_millis(5);
/// Longer timeouts are cut to this one, so that the deadline can be computed.
const FOREVER: Duration = Duration::from_secs(1 << 30);

pub(super) fn capture(
    signal: Claimed,
    tid: u32,
    timeout: Duration,
    out: &mut Vec<usize>,
) -> Result<Completeness, CaptureError> {
    let deadline = Instant::now() + timeout.min(FOREVER);
    loop {
        let before = out.len();
        match capture_blocked(tid, out) {
            Ok(blocked) if blocked.completeness != Completeness::Broken => {
                return Ok(blocked.completeness);
            }
            // A signal gives the rest of the stack.
            Ok(blocked) if blocked.call.is_restarted() => out.truncate(before),
            Ok(blocked) if out.len() > before => return Ok(blocked.completeness),
            Ok(blocked) => return Err(CaptureError::InCall { call: blocked.call }),
            Err(NotBlocked::Gone) => return Err(CaptureError::Gone),
            Err(NotBlocked::Running | NotBlocked::Moved | NotBlocked::Unreadable) => {}
        }
        match capture_running(signal, tid, deadline, out) {
            Err(CaptureError::InCall { .. }) if Instant::now() < deadline => {}
            captured => return captured,
        }
    }
}

/// Captures the thread by the signal, unless it is in a system call that this might end.
fn capture_running(
    signal: Claimed,
    tid: u32,
    deadline: Instant,
    out: &mut Vec<usize>,
) -> Result<Completeness, CaptureError> {
    let mut request = EXCHANGE.begin(deadline).ok_or(CaptureError::Busy)?;
    settle(&mut request, deadline)?;
    interrupt(&mut request, signal, tid, deadline)?;
    let (registers, stack) = request.answer().ok_or(CaptureError::NoAnswer {
        reason: NoAnswerReason::Unknown,
    })?;
    Ok(unwind::walk_interrupted(&registers, &stack, out))
}

/// Makes sure that a signal ends no system call of the thread. The last step before it is sent.
fn check_interruptible(tid: u32) -> Result<(), CaptureError> {
    let in_call = |call: SystemCall| CaptureError::InCall { call };
    if tid == current_tid() {
        return Ok(());
    }
    match Activity::of(tid) {
        Activity::Running => Ok(()),
        Activity::Blocked { call, .. } if call.is_restarted() => Ok(()),
        Activity::Blocked { call, .. } => Err(in_call(call)),
        Activity::Gone => Err(CaptureError::Gone),
        Activity::Unknown => match Status::of(tid) {
            Some(status) if status.is_running() => Ok(()),
            _ => Err(CaptureError::Unreadable),
        },
    }
}

/// Waits until a late answer to an earlier request is complete.
fn settle(request: &mut RequestGuard<'_>, deadline: Instant) -> Result<(), CaptureError> {
    while let Some(answering) = request.still_answering() {
        if !tid::exists(answering) {
            // Only a thread that was cancelled (`pthread_cancel`) leaves its handler half-way, and
            // it cannot come back.
            request.give_up();
            break;
        }
        let now = Instant::now();
        if now >= deadline {
            return Err(CaptureError::Busy);
        }
        request.wait(deadline.min(now + CHECK_INTERVAL));
    }
    Ok(())
}

/// Makes the thread write its registers and its stack into the exchange.
fn interrupt(
    request: &mut RequestGuard<'_>,
    signal: Claimed,
    tid: u32,
    deadline: Instant,
) -> Result<(), CaptureError> {
    signal::check(signal)?;
    request.ask(tid);
    if let Err(error) = send_once(signal, tid)
        && request.take_back()
    {
        return Err(error);
    }
    loop {
        let now = Instant::now();
        if request.wait(deadline.min(now + CHECK_INTERVAL)) {
            return Ok(());
        }
        let is_gone = !tid::exists(tid);
        if !is_gone && Instant::now() < deadline {
            continue;
        }
        if !request.take_back() && request.wait(Instant::now() + GRACE) {
            return Ok(());
        }
        return Err(if is_gone {
            CaptureError::Gone
        } else {
            no_answer(signal, tid)
        });
    }
}

/// Sends the signal, unless one is still pending from an earlier request. Realtime signals are
/// queued, and all processes of the user share the queue: a thread that never takes its signals
/// must not fill it.
///
/// Called after the request was made, so that a pending signal finds it whenever it is delivered.
fn send_once(signal: Claimed, tid: u32) -> Result<(), CaptureError> {
    match Status::of(tid) {
        Some(status) if status.is_dead() => Err(CaptureError::Gone),
        Some(status) if status.is_pending(signal.number()) => Ok(()),
        _ => {
            check_interruptible(tid)?;
            signal::send(signal, tid)
        }
    }
}

/// The error for a thread that did not answer.
fn no_answer(signal: Claimed, tid: u32) -> CaptureError {
    let reason = match Status::of(tid) {
        Some(status) if status.is_dead() => return CaptureError::Gone,
        Some(status) if status.is_blocked(signal.number()) => NoAnswerReason::Blocked,
        Some(status) if status.is_uninterruptible() => NoAnswerReason::Uninterruptible,
        Some(status) if status.is_stopped() => NoAnswerReason::Stopped,
        _ => NoAnswerReason::Unknown,
    };
    CaptureError::NoAnswer { reason }
}
