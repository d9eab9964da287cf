//! A forked child goes on allocating, though other threads of its parent were in the middle of
//! samples.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use callstack::heap;

use crate::{Turn, own_label};

/// As much as a child does before it runs something else, and more: frees what its parent has
/// sampled, allocates its own.
fn in_child(from_parent: Vec<Vec<u8>>) -> i32 {
    drop(from_parent);
    let number = own_label();
    let kept: Vec<Vec<u8>> = (1..100).map(|size| vec![0; size]).collect();
    let mut bytes = 0;
    heap::live(&mut |sample| {
        if sample.label == [number, 7] {
            bytes += sample.weight.bytes();
        }
    });
    let expected: usize = (1..100).sum();
    let known = bytes >= expected as u64;
    drop(black_box(kept));
    i32::from(!known)
}

#[test]
fn children_of_a_storm_allocate_and_end() {
    let _turn = Turn::with_rate(1);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                own_label();
                while !stop.load(Ordering::Relaxed) {
                    for size in 1..100 {
                        drop(black_box(vec![0_u8; size]));
                    }
                }
            });
        }
        for _ in 0..50 {
            let block = vec![vec![0_u8; 100]; 10];
            // SAFETY: glibc's own allocator is fit for use in the child; the child ends without
            // running anything else.
            let child = unsafe { libc::fork() };
            assert!(child >= 0);
            if child == 0 {
                let code = in_child(block);
                // SAFETY: ends the child at once.
                unsafe { libc::_exit(code) };
            }
            let began = Instant::now();
            loop {
                let mut status = 0;
                // SAFETY: waits for the child that was just made.
                let ended = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
                if ended == child {
                    assert!(
                        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
                        "{status}"
                    );
                    break;
                }
                if began.elapsed() > Duration::from_secs(60) {
                    // SAFETY: ends the child that hangs.
                    unsafe { libc::kill(child, libc::SIGKILL) };
                    stop.store(true, Ordering::Relaxed);
                    panic!("the child hangs");
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}
