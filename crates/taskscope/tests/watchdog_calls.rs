//! System calls of a blocked thread return the same with a watchdog as without, and where the
//! thread blocks is still known.
#![cfg(all(feature = "enable", target_os = "linux", target_env = "gnu"))]
#![allow(missing_docs, reason = "tests")]

use std::hint::black_box;
use std::io::{ErrorKind, Read as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use taskscope::{DumpOptions, Stacks, dump::LongPoll};

/// Long enough for the watchdog to come several times.
const LENGTH: Duration = Duration::from_millis(600);

/// Calls `call` in a poll of a task, which blocks its thread there. The answer is what it returned,
/// and what the watchdog has caught.
fn in_a_poll<R: Send + 'static>(
    name: &'static str,
    call: impl FnOnce() -> R + Send + 'static,
) -> (R, LongPoll) {
    let (end, ended) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let task = taskscope::spawn_named(name, async move {
                let begun = Instant::now();
                let result = call();
                tell.send((result, begun.elapsed())).unwrap();
                // Still in the same poll.
                let _ = ended.recv();
            });
            task.await.unwrap();
        });
    });
    let (result, took) = told.recv().unwrap();
    assert!(took >= LENGTH - Duration::from_millis(10), "{took:?}");
    // Caught while the call lasted, which took longer than twice the threshold.
    let caught = loop {
        let dump = DumpOptions::new().stacks(Stacks::None).capture_blocking();
        let mut tasks = dump.tasks.into_iter();
        let task = tasks.find(|task| task.name.as_deref() == Some(name));
        if let Some(poll) = task.unwrap().long_poll {
            break *poll;
        }
        std::thread::yield_now();
    };
    drop(end);
    thread.join().unwrap();
    (result, caught)
}

fn assert_shows(caught: &LongPoll, function: &str) {
    let trace = caught
        .trace
        .as_ref()
        .expect("the stack was read")
        .to_string();
    assert!(trace.contains(function), "{trace}");
    assert!(
        !trace.contains("tokio::runtime::"),
        "it ends at the task: {trace}"
    );
}

#[test]
fn a_read_with_a_timeout_times_out() {
    #[inline(never)]
    fn reads_from_a_silent_peer() -> ErrorKind {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(LENGTH)).unwrap();
        let error = client.read(&mut [0; 10]).unwrap_err();
        black_box(error.kind())
    }
    let (result, caught) = in_a_poll("reads", reads_from_a_silent_peer);
    assert_eq!(result, ErrorKind::WouldBlock);
    assert_shows(&caught, "reads_from_a_silent_peer");
}

#[test]
fn poll_and_the_sleeps_of_the_c_library_are_as_long_as_they_should_be() {
    #[inline(never)]
    fn polls() -> libc::c_int {
        // SAFETY: no descriptors.
        black_box(unsafe { libc::poll(std::ptr::null_mut(), 0, LENGTH.as_millis() as libc::c_int) })
    }
    #[inline(never)]
    fn sleeps_in_c() -> libc::c_int {
        // SAFETY: has no preconditions.
        black_box(unsafe { libc::usleep(LENGTH.as_micros() as libc::c_uint) })
    }
    let (result, caught) = in_a_poll("polls", polls);
    assert_eq!(result, 0);
    assert_shows(&caught, "polls");
    let (result, caught) = in_a_poll("sleeps", sleeps_in_c);
    assert_eq!(result, 0);
    assert_shows(&caught, "sleeps_in_c");
}

/// The control: a thread that computes is caught, too.
#[test]
fn a_task_that_spins_is_caught_where_it_spins() {
    #[inline(never)]
    fn spins_for_long() {
        let begun = Instant::now();
        while begun.elapsed() < LENGTH {
            std::hint::spin_loop();
        }
        black_box(());
    }
    let ((), caught) = in_a_poll("spins", spins_for_long);
    assert_shows(&caught, "spins_for_long");
}
