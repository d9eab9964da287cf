//! The signal that is claimed, and signals that are in use. Every test needs a process that has
//! claimed nothing.
#![cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#![allow(clippy::unwrap_used)]

use std::mem::MaybeUninit;
use std::process::Command;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use callstack::thread::{CaptureError, ClaimError, Signal, Tid};

const LONG: Duration = Duration::from_secs(60);

/// Runs the test of this name again, as the only one in a new process, where `body` is called.
fn alone(test: &str, body: impl FnOnce()) {
    const VARIABLE: &str = "CALLSTACK_TEST_ALONE";
    if std::env::var_os(VARIABLE).is_some() {
        return body();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(VARIABLE, "1")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && printed.contains("1 passed"),
        "{:?} {printed} {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

static DELIVERED: AtomicU32 = AtomicU32::new(0);

extern "C" fn theirs(_: libc::c_int) {
    DELIVERED.fetch_add(1, Ordering::Relaxed);
}

fn address(handler: extern "C" fn(libc::c_int)) -> libc::sighandler_t {
    handler as *const () as libc::sighandler_t
}

/// Somebody else in the process takes a signal.
fn set(number: libc::c_int, handler: libc::sighandler_t) {
    // SAFETY: the handlers of these tests only count.
    let before = unsafe { libc::signal(number, handler) };
    assert_ne!(before, libc::SIG_ERR);
}

fn installed(number: libc::c_int) -> libc::sighandler_t {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: only asks; the answer is there if it returns 0.
    unsafe {
        assert_eq!(libc::sigaction(number, ptr::null(), action.as_mut_ptr()), 0);
        action.assume_init().sa_sigaction
    }
}

fn own_stack(signal: Signal) -> Result<usize, CaptureError> {
    let mut frames = Vec::new();
    signal.capture_thread(Tid::current(), LONG, &mut frames)?;
    Ok(frames.len())
}

#[test]
fn the_highest_signal_that_nobody_uses_is_claimed_and_only_once() {
    alone(
        "the_highest_signal_that_nobody_uses_is_claimed_and_only_once",
        || {
            let last = libc::SIGRTMAX();
            set(last, address(theirs));
            set(last - 1, libc::SIG_IGN);
            // SAFETY: a signal set of our own. Somebody is going to wait for this one.
            unsafe {
                let mut blocked = MaybeUninit::zeroed();
                libc::sigemptyset(blocked.as_mut_ptr());
                libc::sigaddset(blocked.as_mut_ptr(), last - 2);
                libc::pthread_sigmask(libc::SIG_BLOCK, blocked.as_ptr(), ptr::null_mut());
            }
            let signal = Signal::claim().unwrap();
            assert_eq!(signal.number(), last - 3);
            assert!(own_stack(signal).unwrap() > 5);

            let again = std::thread::spawn(Signal::claim).join().unwrap();
            assert_eq!(again, Ok(signal));
            assert_eq!(Signal::claim_number(last - 3), Ok(signal));
            assert_eq!(
                Signal::claim_number(last - 4),
                Err(ClaimError::AlreadyClaimed { number: last - 3 })
            );
            assert_eq!(installed(last), address(theirs));
            assert_eq!(installed(last - 1), libc::SIG_IGN);
            assert_eq!(installed(last - 2), libc::SIG_DFL);
            assert_eq!(installed(last - 4), libc::SIG_DFL);
        },
    );
}

#[test]
fn the_application_may_choose_a_signal_that_is_free() {
    alone("the_application_may_choose_a_signal_that_is_free", || {
        set(libc::SIGUSR1, address(theirs));
        let taken = Signal::claim_number(libc::SIGUSR1).unwrap_err();
        assert_eq!(
            taken,
            ClaimError::Taken {
                number: libc::SIGUSR1
            }
        );
        assert_eq!(
            taken.to_string(),
            "signal 10 is in use: it has a handler, is ignored or is blocked in this thread; \
             choose another one, or let Signal::claim find one"
        );
        assert_eq!(installed(libc::SIGUSR1), address(theirs));
        for number in [libc::SIGTERM, libc::SIGSEGV, libc::SIGPROF, 0, -1, 32, 1000] {
            assert_eq!(
                Signal::claim_number(number),
                Err(ClaimError::Unsuitable { number })
            );
        }
        // A claim that failed has claimed nothing.
        let signal = Signal::claim_number(libc::SIGUSR2).unwrap();
        assert_eq!(signal.number(), libc::SIGUSR2);
        assert!(own_stack(signal).unwrap() > 5);
    });
}

#[test]
fn without_a_free_signal_nothing_is_claimed() {
    alone("without_a_free_signal_nothing_is_claimed", || {
        for number in libc::SIGRTMIN()..=libc::SIGRTMAX() {
            set(number, address(theirs));
        }
        assert_eq!(Signal::claim(), Err(ClaimError::NoneFree));
        for number in libc::SIGRTMIN()..=libc::SIGRTMAX() {
            assert_eq!(installed(number), address(theirs));
        }
        // Until somebody gives one back.
        set(40, libc::SIG_DFL);
        assert_eq!(Signal::claim(), Err(ClaimError::NoneFree));
        set(50, libc::SIG_DFL);
        assert_eq!(Signal::claim().unwrap().number(), 50);
    });
}

#[test]
fn a_handler_that_replaced_ours_is_neither_called_nor_removed() {
    alone(
        "a_handler_that_replaced_ours_is_neither_called_nor_removed",
        || {
            let signal = Signal::claim().unwrap();
            assert!(own_stack(signal).unwrap() > 5);
            let ours = installed(signal.number());
            set(signal.number(), address(theirs));
            let error = own_stack(signal).unwrap_err();
            assert_eq!(
                error,
                CaptureError::HandlerReplaced {
                    number: signal.number()
                }
            );
            assert_eq!(installed(signal.number()), address(theirs));
            assert_eq!(DELIVERED.load(Ordering::Relaxed), 0);
            // The control: it would have been called.
            // SAFETY: the handler only counts.
            unsafe { libc::raise(signal.number()) };
            assert_eq!(DELIVERED.load(Ordering::Relaxed), 1);

            // Claiming the signal again does not make it ours.
            assert_eq!(Signal::claim(), Ok(signal));
            assert_eq!(own_stack(signal), Err(error));

            // They have put back what they had found.
            // SAFETY: installs what was there before, with the flags that it needs.
            unsafe {
                let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
                action.sa_sigaction = ours;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
                libc::sigaction(signal.number(), &raw const action, ptr::null_mut());
            }
            assert!(own_stack(signal).unwrap() > 5);
        },
    );
}

/// Anybody may send it; the default action would have ended the process.
#[test]
fn a_claimed_signal_that_nobody_has_asked_for_does_nothing() {
    alone(
        "a_claimed_signal_that_nobody_has_asked_for_does_nothing",
        || {
            let signal = Signal::claim().unwrap();
            for _ in 0..10 {
                // SAFETY: has no preconditions.
                unsafe { libc::raise(signal.number()) };
                assert!(own_stack(signal).unwrap() > 5);
            }
        },
    );
}

#[test]
fn what_a_watchdog_keeps_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + Unpin + 'static>() {}
    shared::<Signal>();
    shared::<Tid>();
    shared::<ClaimError>();
    shared::<CaptureError>();
}
