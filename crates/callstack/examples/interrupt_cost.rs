//! Measures a capture of another thread by a signal: its cost for the asking thread, and for the
//! thread that is interrupted.
//!
//! ```text
//! cargo run --release -p callstack --example interrupt_cost
//! ```
//!
//! "asker" is the time of one call, the median of many; "interrupted" is the longest time for which
//! a spinning thread did not get on during a capture, by its own clock, and again the median. Both
//! depend on the machine, which should have two idle processors; in a virtual machine most of it is
//! waking a thread on the other one.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use callstack::thread::{Signal, Tid};

const ROUNDS: usize = 2_000;
const TIMEOUT: Duration = Duration::from_secs(10);

/// Uses at least 900 bytes of the stack `depth` times, then calls `f`.
#[inline(never)]
fn deep(depth: usize, f: &mut dyn FnMut()) {
    let room = black_box([depth as u8; 900]);
    if depth == 0 {
        f();
    } else {
        deep(depth - 1, f);
    }
    black_box(&room);
}

/// Keeps the calling thread on one processor, if there is that one: two threads on the same
/// processor would take turns, and what one loses to the other is not what a capture costs.
fn pin(processor: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: a set of our own; this thread only.
    unsafe {
        let mut set = std::mem::zeroed::<libc::cpu_set_t>();
        libc::CPU_SET(processor, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = processor;
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

/// Microseconds for the asker, and the number of frames. `round` is set to the number of each
/// capture.
fn ask(signal: Signal, tid: Tid, round: &AtomicUsize) -> Result<(f64, usize), Box<dyn Error>> {
    let mut frames = Vec::new();
    let mut times = Vec::with_capacity(ROUNDS);
    for i in 1..=ROUNDS {
        frames.clear();
        round.store(i, Ordering::SeqCst);
        let start = Instant::now();
        signal.capture_thread(tid, TIMEOUT, &mut frames)?;
        times.push(start.elapsed());
    }
    Ok((median(times), frames.len()))
}

fn blocked(signal: Signal, depth: usize) -> Result<(), Box<dyn Error>> {
    let (notify, notified) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        pin(1);
        deep(depth, &mut || {
            let _ = notify.send(Tid::current());
            let _ = ended.recv();
        });
    });
    let (asker, frames) = ask(signal, notified.recv()?, &AtomicUsize::new(0))?;
    println!("blocked,  {frames:3} frames: asker {asker:6.1} us");
    drop(end);
    let _ = thread.join();
    Ok(())
}

fn spinning(signal: Signal, depth: usize) -> Result<(), Box<dyn Error>> {
    let (notify, notified) = mpsc::channel();
    let stop = AtomicBool::new(false);
    let round = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (stop, round) = (&stop, &round);
        let thread = scope.spawn(move || {
            pin(1);
            let mut longest = vec![Duration::ZERO; ROUNDS + 1];
            deep(depth, &mut || {
                let _ = notify.send(Tid::current());
                let mut last = Instant::now();
                while !stop.load(Ordering::Relaxed) {
                    let before = round.load(Ordering::SeqCst);
                    let now = Instant::now();
                    longest[before] = longest[before].max(now - last);
                    last = now;
                }
            });
            // Without those in which it never had the processor.
            longest.retain(|gap| !gap.is_zero());
            longest
        });
        let tid = notified.recv()?;
        let asked = ask(signal, tid, round);
        stop.store(true, Ordering::Relaxed);
        let (asker, frames) = asked?;
        let longest = thread
            .join()
            .map_err(|_| "the spinning thread has panicked")?;
        let lost = median(longest);
        println!("spinning, {frames:3} frames: asker {asker:6.1} us, interrupted {lost:6.1} us");
        Ok(())
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    pin(0);
    let start = Instant::now();
    let signal = Signal::claim()?;
    println!("claim: {:.0} us", start.elapsed().as_secs_f64() * 1e6);
    for depth in [10, 50, 500] {
        blocked(signal, depth)?;
        spinning(signal, depth)?;
    }
    Ok(())
}
