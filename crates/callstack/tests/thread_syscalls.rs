//! What a capture does to a thread that is blocked in the kernel.
#![cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#![allow(clippy::unwrap_used)]

use std::io;
use std::ptr;
use std::sync::atomic::AtomicU32;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use callstack::thread::{Signal, Tid};

const LONG: Duration = Duration::from_secs(60);

/// Has a thread `block`, captures it while it is asleep, many times, then calls `release` and returns what the thread
/// returned.
fn capture_while<R: Send>(block: impl FnOnce() -> R + Send, release: impl FnOnce()) -> R {
    let signal = Signal::claim().unwrap();
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        let blocked = scope.spawn(move || {
            tell.send(Tid::current()).unwrap();
            block()
        });
        let tid = told.recv().unwrap();
        for _ in 0..50 {
            if !until_asleep(tid) {
                break;
            }
            let _ = signal.capture_thread(tid, LONG, &mut Vec::new());
        }
        release();
        blocked.join().unwrap()
    })
}

/// False if the thread has ended instead.
fn until_asleep(tid: Tid) -> bool {
    let deadline = Instant::now() + LONG;
    loop {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/self/task/{tid}/stat")) else {
            return false;
        };
        if stat.rsplit(") ").next().unwrap().starts_with('S') {
            return true;
        }
        assert!(Instant::now() < deadline, "{stat}");
        thread::yield_now();
    }
}

/// What a system call returned, or its error.
fn result(returned: impl Into<i64>) -> Result<i64, i32> {
    match returned.into() {
        -1 => Err(io::Error::last_os_error().raw_os_error().unwrap()),
        value => Ok(value),
    }
}

fn pipe() -> [libc::c_int; 2] {
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    ends
}

fn write_byte(to: libc::c_int) {
    // SAFETY: one byte is there.
    assert_eq!(unsafe { libc::write(to, b"x".as_ptr().cast(), 1) }, 1);
}

#[test]
fn a_read_goes_on() {
    let [from, to] = pipe();
    let read = capture_while(
        || {
            let mut byte = 0_u8;
            // SAFETY: room for one byte.
            let read = result(unsafe { libc::read(from, (&raw mut byte).cast(), 1) } as i64);
            (read, byte)
        },
        || write_byte(to),
    );
    assert_eq!(read, (Ok(1), b'x'));
}

#[test]
fn a_wait_for_a_futex_goes_on() {
    let word = AtomicU32::new(0);
    let futex = |operation: libc::c_int, value: u32| {
        // SAFETY: the word lives; no timeout.
        result(unsafe {
            libc::syscall(
                libc::SYS_futex,
                word.as_ptr(),
                operation,
                value,
                ptr::null::<libc::timespec>(),
            )
        })
    };
    let waited = capture_while(
        || futex(libc::FUTEX_WAIT, 0),
        || {
            // The waiter may just be between two captures.
            while futex(libc::FUTEX_WAKE, 1) == Ok(0) {
                thread::yield_now();
            }
        },
    );
    assert_eq!(waited, Ok(0));
}

#[test]
fn a_wait_for_a_lock_with_a_timeout_goes_on() {
    let (send, receive) = mpsc::channel();
    let received = capture_while(
        move || receive.recv_timeout(LONG),
        move || send.send(7).unwrap(),
    );
    assert_eq!(received, Ok(7));
}

#[test]
fn a_wait_for_a_child_goes_on() {
    let [from, to] = pipe();
    let mut child = std::process::Command::new("cat")
        // SAFETY: the descriptor is ours and is given away.
        .stdin(unsafe { <std::process::Stdio as std::os::fd::FromRawFd>::from_raw_fd(from) })
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let pid = child.id() as libc::pid_t;
    let waited = capture_while(
        // SAFETY: no status is asked for.
        || result(unsafe { libc::waitpid(pid, ptr::null_mut(), 0) }),
        || {
            // SAFETY: has no preconditions.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        },
    );
    assert_eq!(waited, Ok(i64::from(pid)));
    // SAFETY: the descriptor is ours.
    unsafe { libc::close(to) };
    // Nobody is there any more.
    assert!(child.wait().is_err());
}

#[test]
fn a_sleep_of_the_standard_library_is_as_long_as_it_was_asked_to_be() {
    const LENGTH: Duration = Duration::from_millis(200);
    let slept = capture_while(
        || {
            let start = Instant::now();
            thread::sleep(LENGTH);
            start.elapsed()
        },
        || (),
    );
    assert!(slept >= LENGTH, "{slept:?}");
}

/// Documented: the kernel does not start these again, whatever the handler's flags are.
#[test]
fn a_bare_nanosleep_and_a_bare_epoll_wait_are_cut_short() {
    let slept = capture_while(
        || {
            let length = libc::timespec {
                tv_sec: LONG.as_secs() as libc::time_t,
                tv_nsec: 0,
            };
            // SAFETY: the time is valid; what is left of it is not asked for.
            result(unsafe { libc::nanosleep(&raw const length, ptr::null_mut()) })
        },
        || (),
    );
    assert_eq!(slept, Err(libc::EINTR));

    let waited = capture_while(
        || {
            // SAFETY: room for one event.
            unsafe {
                let epoll = libc::epoll_create1(libc::EPOLL_CLOEXEC);
                let mut event = std::mem::zeroed();
                let waited = result(libc::epoll_wait(epoll, &raw mut event, 1, -1));
                libc::close(epoll);
                waited
            }
        },
        || (),
    );
    assert_eq!(waited, Err(libc::EINTR));
}
