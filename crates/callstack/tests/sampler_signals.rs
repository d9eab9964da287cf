//! The application keeps its signals. Each test is a process of its own: this program runs itself.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#![allow(unsafe_code, clippy::undocumented_unsafe_blocks, reason = "calls of C")]

use std::hint::black_box;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use callstack::sampler::{Options, Sampler};

fn action(signal: i32) -> usize {
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        assert_eq!(
            libc::sigaction(signal, std::ptr::null(), &raw mut action),
            0
        );
        action.sa_sigaction
    }
}

/// Samples this thread, until there are some.
fn sample() -> u64 {
    let mut sampler = Sampler::start(Options {
        hz: 999,
        ..Options::default()
    })
    .unwrap();
    let mut samples = 0;
    while samples < 10 {
        for n in 0..1_000_000_u64 {
            black_box(n);
        }
        samples += sampler.collect(&mut |_| {}).samples;
    }
    samples
}

/// Runs a test of this file in a process of its own; says how that ended.
fn in_a_process(test: &str, inside: impl FnOnce()) {
    const INSIDE: &str = "SAMPLER_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{:?}\n{text}", output.status);
    assert!(
        text.contains("1 passed") || text.contains("executed"),
        "{text}"
    );
}

#[test]
fn the_signal_is_put_back() {
    in_a_process("the_signal_is_put_back", || {
        for before in [libc::SIG_DFL, libc::SIG_IGN] {
            unsafe { libc::signal(libc::SIGURG, before) };
            sample();
            assert_eq!(action(libc::SIGURG), before);
            assert_eq!(action(libc::SIGPROF), libc::SIG_DFL);
        }
    });
}

static CALLS: AtomicU64 = AtomicU64::new(0);

extern "C" fn of_the_application(_: i32) {
    CALLS.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn a_handler_of_the_application_is_left_alone() {
    in_a_process("a_handler_of_the_application_is_left_alone", || {
        let handler = of_the_application as *const () as usize;
        unsafe { libc::signal(libc::SIGURG, handler) };
        sample();
        assert_eq!(action(libc::SIGURG), handler);
        assert_eq!(CALLS.load(Ordering::Relaxed), 0);
        unsafe { libc::raise(libc::SIGURG) };
        assert_eq!(CALLS.load(Ordering::Relaxed), 1);
        // One that is installed while the sampler is at work stays.
        unsafe { libc::signal(libc::SIGURG, libc::SIG_DFL) };
        let sampler = Sampler::start(Options::default()).unwrap();
        unsafe { libc::signal(libc::SIGURG, handler) };
        drop(sampler);
        assert_eq!(action(libc::SIGURG), handler);
    });
}

#[test]
fn a_program_that_is_executed_in_place_lives() {
    if std::env::args().any(|arg| arg == "successor") {
        return;
    }
    in_a_process("a_program_that_is_executed_in_place_lives", || {
        let mut sampler = Sampler::start(Options {
            hz: 999,
            ..Options::default()
        })
        .unwrap();
        while sampler.collect(&mut |_| {}).samples == 0 {
            black_box(std::fs::read("/proc/self/stat").ok());
        }
        // The successor uses processor time for long enough to be killed by a timer that was left.
        let program = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo executed";
        panic!("{}", Command::new("sh").args(["-c", program]).exec());
    });
}

#[test]
fn a_forked_child_can_be_sampled_or_says_that_it_cannot() {
    in_a_process(
        "a_forked_child_can_be_sampled_or_says_that_it_cannot",
        || {
            let sampler = Sampler::start(Options::default()).unwrap();
            let child = unsafe { libc::fork() };
            if child == 0 {
                unsafe { libc::alarm(30) };
                let lives = match Sampler::start(Options::default()) {
                    Ok(sampler) => {
                        drop(sampler);
                        sample() > 0
                    }
                    Err(error) => error.is_forked(),
                };
                unsafe { libc::_exit(i32::from(!lives)) };
            }
            let mut status = 0;
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert!(
                libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
                "{status:#x}"
            );
            // The parent goes on, with its timers.
            drop(sampler);
            sample();
        },
    );
}

#[test]
fn children_inherit_nothing() {
    in_a_process("children_inherit_nothing", || {
        let sampler = Sampler::start(Options::default()).unwrap();
        let output = Command::new("cat")
            .arg("/proc/self/status")
            .output()
            .unwrap();
        drop(sampler);
        let text = String::from_utf8(output.stdout).unwrap();
        for mask in ["SigIgn:", "SigCgt:", "SigBlk:"] {
            let line = text.lines().find(|line| line.starts_with(mask)).unwrap();
            let mask = u64::from_str_radix(line.split_whitespace().last().unwrap(), 16).unwrap();
            assert_eq!(mask >> (libc::SIGURG - 1) & 1, 0, "{line}");
        }
    });
}

#[test]
fn descriptors_and_timers_are_gone_afterwards() {
    in_a_process("descriptors_and_timers_are_gone_afterwards", || {
        let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = open();
        for _ in 0..50 {
            drop(Sampler::start(Options::default()).unwrap());
        }
        assert_eq!(open(), before);
        let timers = std::fs::read_to_string("/proc/self/timers").unwrap_or_default();
        assert_eq!(timers, "");
    });
}
