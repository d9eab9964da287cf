//! A thread that gives way, as the kernel tells of it.
#![cfg(target_os = "linux")]

use std::fs;
use std::thread;

/// The nice value and the scheduling policy of the calling thread.
fn priority() -> (i32, i32) {
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
    // Behind the name, which may contain anything, stands the third field.
    let fields = &stat[stat.rfind(')').unwrap() + 2..];
    let fields: Vec<&str> = fields.split(' ').collect();
    (
        fields[19 - 3].parse().unwrap(),
        fields[41 - 3].parse().unwrap(),
    )
}

#[test]
fn a_thread_that_gives_way_has_a_high_nice_value_and_interrupts_nobody_and_no_other_thread_does() {
    const OTHER: i32 = 0;
    const BATCH: i32 = 3;
    let before = priority();
    assert_eq!(before.1, OTHER);
    let lowered = thread::spawn(|| {
        assert!(callstack::thread::give_way());
        // Again is no error.
        assert!(callstack::thread::give_way());
        priority()
    });
    assert_eq!(lowered.join().unwrap(), ((before.0 + 13).min(19), BATCH));
    assert_eq!(priority(), before);
    assert_eq!(thread::spawn(priority).join().unwrap(), before);
}
