//! Debug information is closed, and read again when it is needed. Alone in its binary, because
//! other tests would open it.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use callstack::{release_debug_info, symbolize};

/// The bytes of this program's file that are mapped besides what the loader has mapped.
fn mapped_whole() -> usize {
    let program = std::env::current_exe().unwrap();
    let len = std::fs::metadata(&program).unwrap().len();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines()
        .filter(|line| line.ends_with(program.to_str().unwrap()))
        .filter(|line| {
            let (from, to) = line
                .split_whitespace()
                .next()
                .unwrap()
                .split_once('-')
                .unwrap();
            let [from, to] = [from, to].map(|hex| u64::from_str_radix(hex, 16).unwrap());
            to - from >= len
        })
        .count()
}

fn name_of(function: fn()) -> String {
    let symbols = symbolize(function as usize + 1);
    symbols.last().unwrap().name.as_deref().unwrap().to_owned()
}

#[inline(never)]
fn first() {
    std::hint::black_box(1);
}

#[inline(never)]
fn second() {
    std::hint::black_box(2);
}

#[inline(never)]
fn third() {
    std::hint::black_box(3);
}

fn has_reader() -> bool {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .any(|name| name.trim() == "callstack-names")
}

/// One test, since all of it is about one process.
#[test]
fn debug_information_is_unmapped_and_mapped_again() {
    assert_eq!(name_of(first), "release::first");
    assert_eq!(mapped_whole(), 1, "the file is read");
    release_debug_info();
    assert_eq!(mapped_whole(), 0);
    // Known, so that nothing is read.
    assert_eq!(name_of(first), "release::first");
    assert_eq!(mapped_whole(), 0);
    assert_eq!(name_of(second), "release::second");
    assert_eq!(mapped_whole(), 1);
    // By itself, and with the thread that read it.
    let given_up = Instant::now() + Duration::from_secs(60);
    while mapped_whole() > 0 || has_reader() {
        assert!(Instant::now() < given_up);
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(name_of(third), "release::third");
    assert_eq!(mapped_whole(), 1);
    assert!(has_reader());

    lookups_go_on_while_it_is_released();
    release_debug_info();
    assert_eq!(mapped_whole(), 0);
}

fn lookups_go_on_while_it_is_released() {
    let (stop, released) = (AtomicBool::new(false), AtomicUsize::new(0));
    let start = debug_information_is_unmapped_and_mapped_again as fn() as usize;
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    release_debug_info();
                    released.fetch_add(1, Ordering::Relaxed);
                    thread::yield_now();
                }
            });
        }
        let lookers: Vec<_> = (0..2)
            .map(|at| {
                scope.spawn(move || {
                    // Each address once, so that it is not known already.
                    for address in (start + 1..start + 60).skip(at).step_by(2) {
                        let symbols = symbolize(address);
                        let name = symbols.last().unwrap().name.as_deref();
                        assert!(name.is_some(), "{address:#x}");
                    }
                })
            })
            .collect();
        for looker in lookers {
            looker.join().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(released.into_inner() > 0);
}
