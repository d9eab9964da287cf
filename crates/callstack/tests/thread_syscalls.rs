//! Captures of threads that are blocked in the kernel: no system call may notice.
#![cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::io;
use std::ptr;
use std::sync::atomic::AtomicU32;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use callstack::thread::{Signal, Tid};

const LONG: Duration = Duration::from_secs(60);

/// Has a thread `block`, captures it while it is asleep, many times, then calls `release` and
/// returns what the thread returned.
fn capture_while<R: Send>(block: impl FnOnce() -> R + Send, release: impl FnOnce()) -> R {
    let signal = Signal::claim().unwrap();
    let (notify, notified) = mpsc::channel();
    thread::scope(|scope| {
        let blocked = scope.spawn(move || {
            notify.send(Tid::current()).unwrap();
            block()
        });
        let tid = notified.recv().unwrap();
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

/// The result of a system call, or its error.
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

/// Calls that the kernel does not start again, whatever the handler's flags are: no signal is sent
/// to them.
mod never_started_again {
    use std::hint::black_box;
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use callstack::Stack;
    use callstack::thread::{NotBlocked, capture_blocked};

    use super::*;

    /// Long enough to be captured often, and not longer.
    const SHORT: Duration = Duration::from_millis(400);

    /// Has a thread `wait`, which it does in the system call `name` for [`SHORT`], and captures it
    /// very often meanwhile, both ways. Returns what the thread returned, and checks that it was
    /// seen: complete, in the function `function`.
    fn while_captured<R: Send>(name: &str, function: &str, wait: impl FnOnce() -> R + Send) -> R {
        let signal = Signal::claim().unwrap();
        let before = callstack::thread::interrupted_calls();
        let (notify, notified) = mpsc::channel();
        // Names are read afterwards: in an unoptimised build that takes longer than the call.
        let (mut seen, mut captured) = (HashSet::new(), HashSet::new());
        let result = thread::scope(|scope| {
            let waiting = scope.spawn(move || {
                notify.send(Tid::current()).unwrap();
                let begun = Instant::now();
                let result = wait();
                assert!(
                    begun.elapsed() >= SHORT - Duration::from_millis(10),
                    "it returned after {:?}",
                    begun.elapsed()
                );
                result
            });
            let tid = notified.recv().unwrap();
            while !waiting.is_finished() {
                let mut frames = Vec::new();
                match capture_blocked(tid, &mut frames) {
                    Ok(blocked) if blocked.call.to_string() == name => {
                        seen.insert((frames, blocked.completeness));
                    }
                    // Before the call, or behind it.
                    Ok(_) | Err(NotBlocked::Running | NotBlocked::Moved | NotBlocked::Gone) => {}
                    Err(error) => panic!("{error}"),
                }
                let mut frames = Vec::new();
                if signal.capture_thread(tid, LONG, &mut frames).is_ok() {
                    captured.insert(frames);
                }
            }
            waiting.join().unwrap()
        });
        assert!(!seen.is_empty());
        for (frames, completeness) in &seen {
            let names = names(frames);
            assert_eq!(
                *completeness,
                callstack::Completeness::Complete,
                "{names:#?}"
            );
            assert!(is_in(frames, function), "{names:#?}");
        }
        assert!(captured.iter().any(|frames| is_in(frames, function)));
        assert_eq!(callstack::thread::interrupted_calls(), before);
        result
    }

    fn names(frames: &[usize]) -> Vec<String> {
        let symbols = Stack::intern(frames).symbols();
        let names = symbols.iter().filter_map(|symbol| symbol.name.as_deref());
        names.map(str::to_owned).collect()
    }

    fn is_in(frames: &[usize], function: &str) -> bool {
        names(frames).iter().any(|name| name.ends_with(function))
    }

    fn silent() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(SHORT)).unwrap();
        (client, listener.accept().unwrap().0)
    }

    const TIMED_OUT: io::ErrorKind = io::ErrorKind::WouldBlock;

    #[test]
    fn a_read_from_a_stream_with_a_timeout() {
        #[inline(never)]
        fn reads(mut stream: &TcpStream) -> io::ErrorKind {
            let error = stream.read(&mut [0; 10]).unwrap_err();
            black_box(error.kind())
        }
        let (client, _server) = silent();
        // The standard library receives.
        let result = while_captured("recvfrom", "::reads", || reads(&client));
        assert_eq!(result, TIMED_OUT);
    }

    #[test]
    fn a_bare_read_from_a_socket_with_a_timeout() {
        #[inline(never)]
        fn reads_bare(socket: libc::c_int) -> Result<i64, i32> {
            let mut buffer = [0_u8; 10];
            // SAFETY: room for ten bytes.
            let read = unsafe { libc::read(socket, buffer.as_mut_ptr().cast(), 10) };
            black_box(result(read as i64))
        }
        let (client, _server) = silent();
        let socket = std::os::fd::AsRawFd::as_raw_fd(&client);
        let result = while_captured("read", "::reads_bare", || reads_bare(socket));
        assert_eq!(result, Err(libc::EAGAIN));
    }

    #[test]
    fn a_datagram_with_a_timeout() {
        #[inline(never)]
        fn receives(socket: &UdpSocket) -> io::ErrorKind {
            let error = socket.recv_from(&mut [0; 10]).unwrap_err();
            black_box(error.kind())
        }
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(SHORT)).unwrap();
        let result = while_captured("recvfrom", "::receives", || receives(&socket));
        assert_eq!(result, TIMED_OUT);
    }

    #[test]
    fn poll() {
        #[inline(never)]
        fn polls() -> Result<i64, i32> {
            let milliseconds = SHORT.as_millis() as libc::c_int;
            // SAFETY: no descriptors.
            let ready = unsafe { libc::poll(ptr::null_mut(), 0, milliseconds) };
            black_box(result(ready))
        }
        let name = if cfg!(target_arch = "x86_64") {
            "poll"
        } else {
            "ppoll"
        };
        assert_eq!(while_captured(name, "::polls", polls), Ok(0));
    }

    #[test]
    fn select() {
        #[inline(never)]
        fn selects() -> Result<i64, i32> {
            let mut timeout = libc::timeval {
                tv_sec: 0,
                tv_usec: SHORT.as_micros() as libc::suseconds_t,
            };
            let none = ptr::null_mut();
            // SAFETY: no descriptors, and the timeout is valid.
            let ready = unsafe { libc::select(0, none, none, none, &raw mut timeout) };
            black_box(result(ready))
        }
        assert_eq!(while_captured("pselect6", "::selects", selects), Ok(0));
    }

    #[test]
    fn epoll_wait() {
        #[inline(never)]
        fn waits_for_events() -> Result<i64, i32> {
            // SAFETY: room for one event; the descriptor is ours.
            unsafe {
                let epoll = libc::epoll_create1(libc::EPOLL_CLOEXEC);
                let mut event = std::mem::zeroed();
                let waited = libc::epoll_wait(epoll, &raw mut event, 1, SHORT.as_millis() as i32);
                let waited = result(waited);
                libc::close(epoll);
                black_box(waited)
            }
        }
        let name = if cfg!(target_arch = "x86_64") {
            "epoll_wait"
        } else {
            "epoll_pwait"
        };
        assert_eq!(
            while_captured(name, "::waits_for_events", waits_for_events),
            Ok(0)
        );
    }

    #[test]
    fn nanosleep() {
        #[inline(never)]
        fn sleeps_bare() -> Result<i64, i32> {
            let length = libc::timespec {
                tv_sec: 0,
                tv_nsec: SHORT.as_nanos() as libc::c_long,
            };
            // SAFETY: the time is valid; what is left of it is not asked for.
            black_box(result(unsafe {
                libc::nanosleep(&raw const length, ptr::null_mut())
            }))
        }
        assert_eq!(
            while_captured("clock_nanosleep", "::sleeps_bare", sleeps_bare),
            Ok(0)
        );
    }

    #[test]
    fn a_sleep_of_the_c_library() {
        #[inline(never)]
        fn sleeps_in_c() -> Result<i64, i32> {
            // SAFETY: has no preconditions.
            black_box(result(unsafe {
                libc::usleep(SHORT.as_micros() as libc::c_uint)
            }))
        }
        assert_eq!(
            while_captured("clock_nanosleep", "::sleeps_in_c", sleeps_in_c),
            Ok(0)
        );
    }

    #[test]
    fn a_sleep_of_the_standard_library() {
        #[inline(never)]
        fn sleeps_in_std() {
            thread::sleep(SHORT);
            black_box(());
        }
        while_captured("clock_nanosleep", "::sleeps_in_std", sleeps_in_std);
    }

    #[test]
    fn sigtimedwait() {
        #[inline(never)]
        fn waits_for_a_signal() -> Result<i64, i32> {
            let timeout = libc::timespec {
                tv_sec: 0,
                tv_nsec: SHORT.as_nanos() as libc::c_long,
            };
            // SAFETY: a signal set of our own, initialised before it is used.
            unsafe {
                let mut set = std::mem::zeroed();
                libc::sigemptyset(&raw mut set);
                libc::sigaddset(&raw mut set, libc::SIGURG);
                let information = ptr::null_mut();
                let signal = libc::sigtimedwait(&raw const set, information, &raw const timeout);
                black_box(result(signal))
            }
        }
        let function = "::waits_for_a_signal";
        let result = while_captured("rt_sigtimedwait", function, waits_for_a_signal);
        assert_eq!(result, Err(libc::EAGAIN));
    }

    #[test]
    fn a_semaphore_of_system_v() {
        #[inline(never)]
        fn waits_for_a_semaphore(set: libc::c_int) -> Result<i64, i32> {
            let mut take = libc::sembuf {
                sem_num: 0,
                sem_op: -1,
                sem_flg: 0,
            };
            let timeout = libc::timespec {
                tv_sec: 0,
                tv_nsec: SHORT.as_nanos() as libc::c_long,
            };
            let number = libc::SYS_semtimedop;
            // SAFETY: one operation, and a valid timeout.
            let taken = unsafe { libc::syscall(number, set, &raw mut take, 1, &raw const timeout) };
            black_box(result(taken))
        }
        // SAFETY: a new set of one semaphore, which is removed in the end.
        let set = unsafe { libc::semget(libc::IPC_PRIVATE, 1, 0o600) };
        let function = "::waits_for_a_semaphore";
        let result = while_captured("semtimedop", function, || waits_for_a_semaphore(set));
        // SAFETY: as above.
        unsafe { libc::semctl(set, 0, libc::IPC_RMID) };
        assert_eq!(result, Err(libc::EAGAIN));
    }

    #[test]
    fn a_wait_for_a_futex_with_a_timeout() {
        #[inline(never)]
        fn waits_for_a_futex() -> Result<i64, i32> {
            let word = AtomicU32::new(0);
            let timeout = libc::timespec {
                tv_sec: 0,
                tv_nsec: SHORT.as_nanos() as libc::c_long,
            };
            let number = libc::SYS_futex;
            // SAFETY: the word and the timeout live.
            let waited = unsafe {
                libc::syscall(
                    number,
                    word.as_ptr(),
                    libc::FUTEX_WAIT,
                    0,
                    &raw const timeout,
                )
            };
            black_box(result(waited))
        }
        let result = while_captured("futex", "::waits_for_a_futex", waits_for_a_futex);
        assert_eq!(result, Err(libc::ETIMEDOUT));
    }

    /// Sleeps and computes in turn: the signal is often sent while it computes, and may arrive when
    /// it sleeps.
    #[test]
    fn a_thread_that_falls_asleep_before_the_signal_arrives_sleeps_on() {
        const ROUNDS: u32 = 20_000;
        let signal = Signal::claim().unwrap();
        let (notify, notified) = mpsc::channel();
        thread::scope(|scope| {
            let working = scope.spawn(move || {
                notify.send(Tid::current()).unwrap();
                let length = libc::timespec {
                    tv_sec: 0,
                    tv_nsec: 1000,
                };
                let mut interrupted = 0;
                for round in 0..ROUNDS {
                    for _ in 0..black_box(round % 100 * 50) {
                        std::hint::spin_loop();
                    }
                    // SAFETY: the time is valid; what is left of it is not asked for.
                    let slept = unsafe { libc::nanosleep(&raw const length, ptr::null_mut()) };
                    interrupted += u32::from(slept != 0);
                }
                interrupted
            });
            let tid = notified.recv().unwrap();
            let mut captured = 0;
            while !working.is_finished() {
                let taken = signal.capture_thread(tid, LONG, &mut Vec::new());
                captured += u32::from(taken.is_ok());
            }
            let interrupted = working.join().unwrap();
            assert!(captured > 0);
            // On ARM the first argument of the call is lost.
            if cfg!(target_arch = "x86_64") {
                assert_eq!(interrupted, 0);
            }
        });
    }
}

/// The control: what is not blocked is captured by the signal, and cannot be without.
#[test]
fn a_thread_that_runs_is_interrupted() {
    use std::sync::atomic::{AtomicBool, Ordering};

    use callstack::thread::{NotBlocked, capture_blocked};

    let signal = Signal::claim().unwrap();
    let stop = AtomicBool::new(false);
    let (notify, notified) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            notify.send(Tid::current()).unwrap();
            while !stop.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let tid = notified.recv().unwrap();
        for _ in 0..100 {
            let mut frames = Vec::new();
            if let Err(error) = capture_blocked(tid, &mut frames) {
                assert_eq!(error, NotBlocked::Running);
                assert_eq!(frames, []);
            }
            assert!(signal.capture_thread(tid, LONG, &mut frames).is_ok());
            assert!(!frames.is_empty());
        }
        stop.store(true, Ordering::Relaxed);
    });
    let mut frames = vec![7];
    let own = capture_blocked(Tid::current(), &mut frames);
    assert_eq!(own, Err(NotBlocked::Running));
    let none = capture_blocked(Tid::from_raw(1), &mut frames);
    assert_eq!(none, Err(NotBlocked::Gone));
    assert_eq!(frames, [7]);
}
