//! Signals and system calls of the application stay as they are.

use std::io::{ErrorKind, Read as _};
use std::mem::zeroed;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::{burn, capture, samples};

static CALLS: AtomicU64 = AtomicU64::new(0);

extern "C" fn count(_: i32) {
    CALLS.fetch_add(1, Relaxed);
}

fn handle(signal: i32) {
    // SAFETY: the handler only counts.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = count as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(signal, &action, null_mut());
    }
}

/// The handler and the flags of a signal.
fn disposition(signal: i32) -> (usize, i32) {
    // SAFETY: only reads.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        libc::sigaction(signal, null(), &mut action);
        (action.sa_sigaction, action.sa_flags)
    }
}

/// An application with a profiler of its own: its timer and handler go on during a capture and
/// afterwards.
pub(crate) fn sigprof() {
    handle(libc::SIGPROF);
    let each = libc::timeval {
        tv_sec: 0,
        tv_usec: 10_000,
    };
    let timer = libc::itimerval {
        it_interval: each,
        it_value: each,
    };
    // SAFETY: sets a timer whose signal has a handler.
    unsafe { libc::setitimer(libc::ITIMER_PROF, &timer, null_mut()) };
    let before = disposition(libc::SIGPROF);
    std::thread::spawn(|| {
        loop {
            burn(Duration::from_millis(1));
        }
    });
    burn(Duration::from_millis(500));
    assert!(CALLS.swap(0, Relaxed) > 0);
    samples(99, Duration::from_secs(1));
    assert!(CALLS.swap(0, Relaxed) > 0, "during the capture");
    assert_eq!(disposition(libc::SIGPROF), before);
    burn(Duration::from_millis(500));
    assert!(CALLS.swap(0, Relaxed) > 0, "after it");
}

/// One that waits for urgent data by signal: the sampler takes another signal, or refuses.
pub(crate) fn sigurg() {
    handle(libc::SIGURG);
    let before = disposition(libc::SIGURG);
    std::thread::spawn(|| {
        loop {
            burn(Duration::from_millis(1));
        }
    });
    match capture(taskprof::cpu().hz(99).seconds(1)) {
        Ok(profile) => println!("{}", profile.comments.join(" | ")),
        Err(error) => println!("{error}"),
    }
    assert_eq!(CALLS.load(Relaxed), 0, "it was called");
    // SAFETY: has a handler.
    unsafe { libc::raise(libc::SIGURG) };
    assert_eq!(CALLS.load(Relaxed), 1);
    assert_eq!(disposition(libc::SIGURG), before);
}

/// Blocked and ignored signals of a child process.
fn child() -> String {
    let filter = "^(SigBlk|SigIgn):";
    let grep = Command::new("grep")
        .args(["-E", filter, "/proc/self/status"])
        .output()
        .unwrap();
    String::from_utf8(grep.stdout).unwrap()
}

pub(crate) fn children() {
    let before = child();
    assert!(before.contains("SigIgn"), "{before}");
    let burning = std::thread::spawn(|| burn(Duration::from_secs(3)));
    let capturing = std::thread::spawn(|| samples(999, Duration::from_secs(2)));
    burn(Duration::from_millis(500));
    for _ in 0..20 {
        assert_eq!(child(), before, "during a capture");
    }
    capturing.join().unwrap();
    burning.join().unwrap();
    assert_eq!(child(), before, "after it");
}

/// Threads that burn and wait in short reads with a timeout, which the kernel never restarts: errno
/// survives.
pub(crate) fn interrupted() {
    static STOP: AtomicBool = AtomicBool::new(false);
    static READS: AtomicU64 = AtomicU64::new(0);
    static INTERRUPTED: AtomicU64 = AtomicU64::new(0);
    static WRONG: AtomicU64 = AtomicU64::new(0);
    let threads: Vec<_> = (0..3)
        .map(|_| {
            std::thread::spawn(|| {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
                let _server = listener.accept().unwrap();
                client
                    .set_read_timeout(Some(Duration::from_millis(2)))
                    .unwrap();
                while !STOP.load(Relaxed) {
                    burn(Duration::from_millis(1));
                    let error = (&client).read(&mut [0; 8]).unwrap_err();
                    READS.fetch_add(1, Relaxed);
                    INTERRUPTED
                        .fetch_add(u64::from(error.kind() == ErrorKind::Interrupted), Relaxed);
                    // SAFETY: errno is this thread's.
                    unsafe {
                        *libc::__errno_location() = 4321;
                        burn_without_calls();
                        WRONG.fetch_add(u64::from(*libc::__errno_location() != 4321), Relaxed);
                    }
                }
            })
        })
        .collect();
    let profile = samples(999, Duration::from_secs(3));
    STOP.store(true, Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
    let (reads, interrupted) = (READS.load(Relaxed), INTERRUPTED.load(Relaxed));
    println!("{interrupted} of {reads} reads were interrupted");
    assert!(reads > 0);
    assert_eq!(WRONG.load(Relaxed), 0, "errno changed");
    // Timers on a thread's clock cannot spare system calls, and say so.
    let exact = !profile
        .comments
        .iter()
        .any(|comment| comment.contains("thread timer"));
    assert!(!exact || interrupted == 0);
}

#[inline(never)]
fn burn_without_calls() {
    let mut x = 1_u64;
    for _ in 0..200_000 {
        x = std::hint::black_box(x.wrapping_mul(31));
    }
}
