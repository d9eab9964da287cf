//! A thread that does what is most dangerous to interrupt is captured 20,000 times, while threads
//! start and end and libraries come and go.
#![cfg(all(
    target_os = "linux",
    target_env = "gnu",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashMap;
use std::hint::black_box;
use std::panic::{catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use callstack::thread::{CaptureError, Signal, Tid};
use callstack::{Completeness, MAX_FRAMES, Stack, capture, refresh};
use support::names;

const CAPTURES: u32 = 20_000;
const LONG: Duration = Duration::from_secs(60);

/// Allocates, captures itself and unwinds, and checks that all of that is right.
#[inline(never)]
fn hurries(stop: &AtomicBool, rounds: &AtomicU64) {
    let mut own = Vec::with_capacity(MAX_FRAMES);
    let mut map = HashMap::new();
    for round in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        // Small and large ones; those above the limit of malloc are mappings of their own.
        let sizes = [16, 200, 3000, 70_000, 300_000];
        let blocks = sizes.map(|size| vec![round as u8; size + round as usize % 100]);
        assert!(
            blocks
                .iter()
                .all(|block| block.first() == block.last() && block[0] == round as u8)
        );
        map.insert(round % 100, format!("{round}"));
        assert_eq!(map[&(round % 100)], round.to_string());

        own.clear();
        assert_eq!(capture(usize::MAX, &mut own), Completeness::Complete);
        let unwound = catch_unwind(|| deep(20, round)).unwrap_err();
        assert_eq!(unwound.downcast_ref(), Some(&round));
        rounds.fetch_add(1, Ordering::Relaxed);
    }
}

#[inline(never)]
fn deep(depth: u32, round: u64) -> u32 {
    if depth == 0 {
        resume_unwind(Box::new(round));
    }
    black_box(deep(depth - 1, round)) + 1
}

/// Loads and unloads a library, and tells the unwinder.
fn load_and_unload() {
    // SAFETY: a part of every glibc; its initialisers are harmless, and it is closed once.
    unsafe {
        let library = libc::dlopen(c"libresolv.so.2".as_ptr(), libc::RTLD_NOW);
        assert!(!library.is_null());
        refresh();
        libc::dlclose(library);
    }
    refresh();
}

/// A thread that ends at once; captured at any moment of its short life, or after.
fn start_and_capture(signal: Signal) -> Result<Completeness, CaptureError> {
    let (notify, notified) = mpsc::channel();
    let short = thread::spawn(move || {
        let _ = notify.send(Tid::current());
        black_box(vec![1; 100]).len()
    });
    let mut frames = Vec::new();
    let captured = signal.capture_thread(notified.recv().unwrap(), LONG, &mut frames);
    assert_eq!(captured.is_ok(), !frames.is_empty());
    assert_eq!(short.join().unwrap(), 100);
    captured
}

/// Ends the hurrying thread, also if a check fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_thread_is_captured_very_often_while_it_allocates_captures_and_unwinds() {
    let signal = Signal::claim().unwrap();
    let stop = AtomicBool::new(false);
    let rounds = AtomicU64::new(0);
    let (notify, notified) = mpsc::channel();
    let (tick, ticks) = mpsc::sync_channel(1);
    thread::scope(|scope| {
        let (stop, rounds) = (&stop, &rounds);
        let hurrying = scope.spawn(move || {
            notify.send(Tid::current()).unwrap();
            hurries(stop, rounds);
        });
        let disturbing = scope.spawn(move || {
            let (mut caught, mut gone) = (0, 0);
            for () in ticks {
                load_and_unload();
                match start_and_capture(signal) {
                    Ok(_) => caught += 1,
                    Err(CaptureError::Gone) => gone += 1,
                    Err(error) => panic!("{error}"),
                }
            }
            (caught, gone)
        });

        let stopping = Stop(stop);
        let tid = notified.recv().unwrap();
        let (mut complete, mut whole) = (0, 0);
        for round in 0..CAPTURES {
            let mut frames = Vec::new();
            let completeness = signal.capture_thread(tid, LONG, &mut frames).unwrap();
            assert!(!frames.is_empty());
            if completeness == Completeness::Complete {
                complete += 1;
                let symbols = Stack::intern(&frames).symbols();
                let names = names(&symbols);
                whole += u32::from(names.iter().any(|name| name.ends_with("::hurries")));
            }
            if round % 10 == 0 {
                // If they are still busy with the last one, they are disturbing enough.
                let _ = tick.try_send(());
            }
        }
        drop((stopping, tick));
        hurrying.join().unwrap();
        let (caught, gone) = disturbing.join().unwrap();
        // In some instructions of a panic that is being thrown the stack is not what the tables
        // say, and in the middle of `dlopen` not all tables are known.
        assert!(whole > CAPTURES / 10 * 9, "{whole} of {complete}");
        assert!(rounds.load(Ordering::Relaxed) > 0);
        assert!(caught > 0, "all {gone} short threads were gone");
    });
}
