//! The program's debug information, read while something else is waited for.
//!
//! Reading it takes a tenth of a second the first time, and so does what the `pprof` crate reads for itself before its first sample. Whoever asks
//! first would wait for that besides; so it begins with the question, on a thread of its own, and with the index, which people open before they ask.
//! Not here: what is looked up later, and kept (`callstack`).

use std::sync::Once;

use crate::our_thread;

const THREAD: &str = "taskprof-warm";

/// Begins to read what every lookup of names needs. Once in a process; later calls do nothing.
pub(crate) fn symbols() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| start(own_symbols));
}

/// Also what a first CPU capture needs.
pub(crate) fn all() {
    static ONCE: Once = Once::new();
    symbols();
    ONCE.call_once(|| start(sampler_symbols));
}

/// If there is no thread to be had, whoever needs it reads it.
fn start(read: fn()) {
    drop(our_thread::start(THREAD, read));
}

fn own_symbols() {
    // One address of the program is enough to have its file opened and its index made.
    callstack::symbolize(own_symbols as *const () as usize + 1);
}

fn sampler_symbols() {
    // What `pprof` does before it samples; the crate keeps what it has read.
    drop(backtrace::Backtrace::new());
}
