//! How long the handler of a sampler takes, measured around it on the interrupted thread.

use std::mem::{transmute, zeroed};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use libc::{c_int, c_void, sigaction, siginfo_t};

type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// The address of the sampler's handler; 0: none is called.
static HANDLER: AtomicUsize = AtomicUsize::new(0);
/// Nanoseconds of each signal, and how many there were.
static TIMES: [AtomicU32; MOST] = [const { AtomicU32::new(0) }; MOST];
static SIGNALS: AtomicUsize = AtomicUsize::new(0);
const MOST: usize = 1 << 14;

/// Signals whose handler is measured, until this is dropped.
pub(crate) struct Measured {
    signal: c_int,
    before: sigaction,
}

impl Measured {
    /// Measures the handler of a sampler that runs.
    ///
    /// `empty`: its handler is not called, although its timers go on.
    pub(crate) fn new(signal: c_int, empty: bool) -> Measured {
        SIGNALS.store(0, Relaxed);
        // SAFETY: an all-zero action is a valid value. Both calls get valid actions; the new one
        // has the flags and the mask of the old one, and its handler only adds atomics and clocks.
        unsafe {
            let mut before: sigaction = zeroed();
            libc::sigaction(signal, null_mut(), &raw mut before);
            let handler = if empty { 0 } else { before.sa_sigaction };
            HANDLER.store(handler, Relaxed);
            let mut measured = before;
            measured.sa_sigaction = on_signal as *const () as libc::sighandler_t;
            libc::sigaction(signal, &raw const measured, null_mut());
            Measured { signal, before }
        }
    }

    /// Nanoseconds of each signal since then.
    pub(crate) fn times(&self) -> Vec<i64> {
        let signals = SIGNALS.load(Relaxed).min(MOST);
        let times = TIMES[..signals].iter();
        times.map(|time| i64::from(time.load(Relaxed))).collect()
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        // SAFETY: the action was that of the signal before.
        unsafe { libc::sigaction(self.signal, &raw const self.before, null_mut()) };
    }
}

extern "C" fn on_signal(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let began = Instant::now();
    let handler = HANDLER.load(Relaxed);
    if handler != 0 {
        // SAFETY: the handler of an action with `SA_SIGINFO`, which both samplers have.
        let handler = unsafe { transmute::<usize, Handler>(handler) };
        handler(signal, info, context);
    }
    let took = began.elapsed().as_nanos();
    if let Some(time) = TIMES.get(SIGNALS.fetch_add(1, Relaxed)) {
        time.store(u32::try_from(took).unwrap_or(u32::MAX), Relaxed);
    }
}
