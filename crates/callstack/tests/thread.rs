//! Stacks of other threads: blocked, asleep, spinning, capturing, ending.
#![cfg(all(
    target_os = "linux",
    target_pointer_width = "64",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#![allow(clippy::unwrap_used)]

#[cfg(target_env = "gnu")]
#[path = "support/other_stack.rs"]
mod other_stack;
mod support;

use std::collections::HashSet;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use callstack::thread::{CaptureError, NoAnswerReason, Signal, Tid, capture_blocked};
use callstack::{Completeness, Stack, Symbol, capture};
use support::names;

/// No test waits for as long as this, unless it fails.
const LONG: Duration = Duration::from_secs(60);

/// A thread that the test ends by dropping the sender, or by whatever it has agreed with it.
fn start<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> (Tid, JoinHandle<R>) {
    let (notify, notified) = mpsc::channel();
    let thread = thread::spawn(move || {
        notify.send(Tid::current()).unwrap();
        f()
    });
    (notified.recv().unwrap(), thread)
}

fn take(tid: Tid) -> Result<(Completeness, Vec<usize>), CaptureError> {
    let mut frames = Vec::new();
    let completeness = Signal::claim()
        .unwrap()
        .capture_thread(tid, LONG, &mut frames)?;
    Ok((completeness, frames))
}

fn symbols(tid: Tid) -> Vec<Arc<Symbol>> {
    let (completeness, frames) = take(tid).unwrap();
    let symbols = Stack::intern(&frames).symbols();
    assert_eq!(
        completeness,
        Completeness::Complete,
        "{:#?}",
        names(&symbols)
    );
    symbols
}

/// Captures until the innermost function of this file that is on the stack is `function`.
fn until_in(tid: Tid, function: &str) -> Vec<Arc<Symbol>> {
    let deadline = Instant::now() + LONG;
    loop {
        let symbols = symbols(tid);
        let mut own = names(&symbols)
            .into_iter()
            .filter(|name| name.starts_with("thread::"));
        if own.next() == Some(function) {
            return symbols;
        }
        assert!(Instant::now() < deadline, "{:#?}", names(&symbols));
    }
}

/// Waits until the thread sleeps in the kernel, as `/proc` sees it.
fn until_asleep(tid: Tid) {
    let path = format!("/proc/self/task/{tid}/stat");
    let deadline = Instant::now() + LONG;
    loop {
        let stat = std::fs::read_to_string(&path).unwrap();
        // The state is the first field after the name.
        if stat.rsplit(") ").next().unwrap().starts_with('S') {
            return;
        }
        assert!(Instant::now() < deadline, "{stat}");
        thread::yield_now();
    }
}

/// The functions of this file on a stack, leaf first.
fn own(symbols: &[Arc<Symbol>]) -> Vec<&str> {
    names(symbols)
        .into_iter()
        .filter(|name| name.starts_with("thread::"))
        .collect()
}

#[inline(never)]
fn waits_for_the_end(end: &mpsc::Receiver<()>) {
    let _ = end.recv();
    black_box(1);
}

#[inline(never)]
fn calls_what_waits(end: &mpsc::Receiver<()>) {
    waits_for_the_end(end);
    black_box(2);
}

#[test]
fn a_blocked_thread_is_seen_in_the_functions_that_it_waits_in() {
    let (end, ended) = mpsc::channel();
    let (tid, thread) = start(move || calls_what_waits(&ended));
    let symbols = until_in(tid, "thread::waits_for_the_end");
    assert_eq!(
        own(&symbols)[..2],
        ["thread::waits_for_the_end", "thread::calls_what_waits"]
    );
    let all = names(&symbols);
    assert!(
        all.iter().any(|name| name.contains("recv")),
        "what it waits in is seen, too: {all:#?}"
    );
    assert!(
        !all.iter().any(|name| name.contains("on_signal")),
        "the handler is not: {all:#?}"
    );
    drop(end);
    thread.join().unwrap();
}

#[inline(never)]
fn sleeps(length: Duration) -> Duration {
    let start = Instant::now();
    thread::sleep(length);
    start.elapsed()
}

#[test]
fn a_sleeping_thread_is_seen_and_sleeps_on_to_the_end() {
    // On a slow machine, the first capture may take longer than the shortest sleep.
    let seen = [300, 3_000, 30_000].into_iter().any(|millis| {
        let length = Duration::from_millis(millis);
        let (tid, thread) = start(move || sleeps(length));
        // Names are looked up afterwards, because that may take even longer.
        let mut stacks = HashSet::new();
        while !thread.is_finished() {
            match take(tid) {
                Ok((_, frames)) => drop(stacks.insert(frames)),
                Err(error) => assert_eq!(error, CaptureError::Gone),
            }
        }
        assert!(thread.join().unwrap() >= length);
        stacks
            .iter()
            .any(|frames| own(&Stack::intern(frames).symbols()).contains(&"thread::sleeps"))
    });
    assert!(seen);
}

#[inline(never)]
fn spins(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
    black_box(3);
}

#[test]
fn a_spinning_thread_is_seen_where_it_spins() {
    let stop = Arc::new(AtomicBool::new(false));
    let (tid, thread) = start({
        let stop = Arc::clone(&stop);
        move || spins(&stop)
    });
    let symbols = until_in(tid, "thread::spins");
    // The first entry is not a return address; if it were looked up as one, a jump target would be
    // in the line before.
    let spins = symbols
        .iter()
        .find(|symbol| symbol.name.as_deref() == Some("thread::spins"))
        .unwrap();
    assert!(spins.file.as_deref().unwrap().ends_with("tests/thread.rs"));
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
}

#[cfg(target_arch = "x86_64")]
mod first_instruction {
    use super::*;

    std::arch::global_asm!(
        ".pushsection .text",
        ".globl callstack_test_spin_before",
        ".type callstack_test_spin_before, @function",
        "callstack_test_spin_before:",
        ".cfi_startproc",
        "ud2",
        ".cfi_endproc",
        ".size callstack_test_spin_before, . - callstack_test_spin_before",
        // Mostly at its first instruction, which can be interrupted as often as it repeats itself,
        // for as long as the byte is 0.
        ".globl callstack_test_spin",
        ".type callstack_test_spin, @function",
        "callstack_test_spin:",
        ".cfi_startproc",
        "rep lodsb",
        "sub rsi, rdx",
        "mov rcx, rdx",
        "cmp byte ptr [rdi], 0",
        "je callstack_test_spin",
        "ret",
        ".cfi_endproc",
        ".size callstack_test_spin, . - callstack_test_spin",
        ".popsection",
    );

    unsafe extern "C" {
        fn callstack_test_spin(stop: *const u8, bytes: *const u8, len: usize, count: usize);
    }

    #[inline(never)]
    fn calls_assembly(stop: &AtomicBool) {
        let bytes = [0_u8; 4096];
        // SAFETY: only reads the byte and the bytes, which live.
        unsafe {
            callstack_test_spin(
                stop.as_ptr().cast(),
                bytes.as_ptr(),
                bytes.len(),
                bytes.len(),
            );
        }
        black_box(4);
    }

    /// Looked up as a return address, the first instruction of a function would belong to the one
    /// before it.
    #[test]
    fn a_thread_at_the_first_instruction_of_a_function_is_seen_in_that_function() {
        let stop = Arc::new(AtomicBool::new(false));
        let (tid, thread) = start({
            let stop = Arc::clone(&stop);
            move || calls_assembly(&stop)
        });
        let first = callstack_test_spin as *const () as usize;
        let deadline = Instant::now() + LONG;
        loop {
            let (completeness, frames) = take(tid).unwrap();
            let symbols = Stack::intern(&frames).symbols();
            if frames[0] == first + 1 {
                assert_eq!(completeness, Completeness::Complete);
                assert_eq!(
                    names(&symbols)[..2],
                    [
                        "callstack_test_spin",
                        "thread::first_instruction::calls_assembly"
                    ]
                );
                break;
            }
            assert!(Instant::now() < deadline, "{:#?}", names(&symbols));
        }
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap();
    }
}

#[inline(never)]
fn locks(mutex: &Mutex<u32>) -> u32 {
    let mut value = mutex.lock().unwrap();
    *value += 1;
    *value
}

#[test]
fn a_thread_that_waits_for_a_lock_of_the_asker_is_seen() {
    let mutex = Arc::new(Mutex::new(1));
    let held = mutex.lock().unwrap();
    let (tid, thread) = start({
        let mutex = Arc::clone(&mutex);
        move || locks(&mutex)
    });
    until_in(tid, "thread::locks");
    until_asleep(tid);
    for _ in 0..100 {
        assert_eq!(own(&symbols(tid))[0], "thread::locks");
    }
    drop(held);
    assert_eq!(thread.join().unwrap(), 2);
}

#[inline(never)]
fn captures(stop: &AtomicBool) -> u32 {
    let mut frames = Vec::new();
    let mut first = Vec::new();
    let mut taken = 0;
    while !stop.load(Ordering::Relaxed) {
        frames.clear();
        assert_eq!(capture(usize::MAX, &mut frames), Completeness::Complete);
        if first.is_empty() {
            first.clone_from(&frames);
        }
        assert_eq!(frames, first);
        taken += 1;
    }
    taken
}

#[test]
fn a_thread_that_captures_itself_is_seen_and_not_disturbed() {
    let stop = Arc::new(AtomicBool::new(false));
    let (tid, thread) = start({
        let stop = Arc::clone(&stop);
        move || captures(&stop)
    });
    let mut inside = 0;
    let mut all = 0;
    let deadline = Instant::now() + LONG;
    while inside < 500 {
        let (_, frames) = take(tid).unwrap();
        let symbols = Stack::intern(&frames).symbols();
        all += 1;
        inside += u32::from(
            names(&symbols)
                .iter()
                .any(|name| name.starts_with("callstack::unwind::")),
        );
        assert!(Instant::now() < deadline, "{inside} of {all}");
    }
    stop.store(true, Ordering::Relaxed);
    assert!(thread.join().unwrap() > 0);
}

#[test]
fn a_thread_can_capture_itself_by_signal() {
    #[inline(never)]
    fn asks_for_itself() -> Vec<Arc<Symbol>> {
        let symbols = symbols(Tid::current());
        black_box(5);
        symbols
    }
    let symbols = asks_for_itself();
    assert!(
        own(&symbols)
            .iter()
            .any(|name| name.ends_with("asks_for_itself")),
        "{:#?}",
        names(&symbols)
    );
}

#[test]
fn a_thread_that_has_ended_is_gone() {
    let (tid, thread) = start(|| ());
    thread.join().unwrap();
    // The kernel tells whoever joins a moment before the thread is really gone.
    let deadline = Instant::now() + LONG;
    loop {
        match take(tid) {
            Err(CaptureError::Gone) => break,
            other => assert!(Instant::now() < deadline, "{other:?}"),
        }
    }
}

#[test]
fn numbers_that_belong_to_no_thread_of_this_process_are_gone() {
    for tid in [0, 1, u32::MAX, i32::MAX as u32] {
        assert_eq!(take(Tid::from_raw(tid)), Err(CaptureError::Gone), "{tid}");
    }
}

/// Blocks or unblocks the claimed signal in the calling thread.
fn block(how: libc::c_int) {
    // SAFETY: a signal set of our own, initialised before it is used.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, Signal::claim().unwrap().number());
        assert_eq!(
            libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut()),
            0
        );
    }
}

/// Gives up on a thread that blocks the signal, and says why.
fn unanswered(tid: Tid) -> CaptureError {
    let signal = Signal::claim().unwrap();
    let mut frames = vec![7];
    loop {
        let timeout = Duration::from_millis(20);
        let error = signal
            .capture_thread(tid, timeout, &mut frames)
            .unwrap_err();
        assert_eq!(frames, [7]);
        // Other tests ask at the same time.
        if error != CaptureError::Busy {
            return error;
        }
    }
}

const BLOCKED: CaptureError = CaptureError::NoAnswer {
    reason: NoAnswerReason::Blocked,
};

/// How many of our signals are pending for this thread.
fn pending() -> usize {
    // SAFETY: a signal set of our own, initialised before it is used; no signal information is
    // asked for.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, Signal::claim().unwrap().number());
        let now = std::mem::zeroed();
        std::iter::from_fn(|| {
            let signal = libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const now);
            (signal > 0).then_some(())
        })
        .count()
    }
}

#[test]
fn a_thread_that_blocks_the_signal_does_not_answer_and_is_not_flooded() {
    let (notify, notified) = mpsc::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let (tid, thread) = start({
        let stop = Arc::clone(&stop);
        move || {
            block(libc::SIG_BLOCK);
            notify.send(()).unwrap();
            spins(&stop);
            pending()
        }
    });
    notified.recv().unwrap();
    for _ in 0..5 {
        assert_eq!(unanswered(tid), BLOCKED);
    }
    // Others are not affected by the request that was given up.
    assert_eq!(own(&symbols(Tid::current()))[0], "thread::take");
    stop.store(true, Ordering::Relaxed);
    assert_eq!(thread.join().unwrap(), 1);
}

#[test]
fn a_blocked_thread_is_seen_although_it_blocks_the_signal() {
    let (end, ended) = mpsc::channel();
    let (tid, thread) = start(move || {
        block(libc::SIG_BLOCK);
        waits_for_the_end(&ended);
        pending()
    });
    until_asleep_in(tid, "thread::waits_for_the_end");
    drop(end);
    assert_eq!(thread.join().unwrap(), 0, "it got no signal");
}

/// Captures without a signal until the innermost function of this file that is on the stack is
/// `function`.
fn until_asleep_in(tid: Tid, function: &str) {
    let deadline = Instant::now() + LONG;
    loop {
        let mut frames = Vec::new();
        let blocked = capture_blocked(tid, &mut frames);
        let symbols = Stack::intern(&frames).symbols();
        if blocked.is_ok() && own(&symbols).first() == Some(&function) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{blocked:?} {:#?}",
            names(&symbols)
        );
    }
}

#[test]
fn a_late_answer_is_none_and_the_thread_can_be_captured_again() {
    let unblocks = Arc::new(AtomicBool::new(false));
    let (end, ended) = mpsc::channel();
    let (notify, notified) = mpsc::channel();
    let (tid, thread) = start({
        let unblocks = Arc::clone(&unblocks);
        move || {
            block(libc::SIG_BLOCK);
            notify.send(()).unwrap();
            spins(&unblocks);
            // The late signal is delivered here.
            block(libc::SIG_UNBLOCK);
            waits_for_the_end(&ended);
        }
    });
    notified.recv().unwrap();
    assert_eq!(unanswered(tid), BLOCKED);
    unblocks.store(true, Ordering::Relaxed);
    until_in(tid, "thread::waits_for_the_end");
    drop(end);
    thread.join().unwrap();
}

#[test]
fn a_signal_that_is_pending_already_is_answered_as_soon_as_it_is_unblocked() {
    let unblocks = Arc::new(AtomicBool::new(false));
    let (end, ended) = mpsc::channel();
    let (notify, notified) = mpsc::channel();
    let (tid, thread) = start({
        let unblocks = Arc::clone(&unblocks);
        move || {
            block(libc::SIG_BLOCK);
            notify.send(()).unwrap();
            spins(&unblocks);
            block(libc::SIG_UNBLOCK);
            waits_for_the_end(&ended);
        }
    });
    notified.recv().unwrap();
    assert_eq!(unanswered(tid), BLOCKED);
    // This request sends nothing and waits for the signal of the first one.
    let asker = thread::spawn(move || take(tid));
    unblocks.store(true, Ordering::Relaxed);
    assert!(asker.join().unwrap().is_ok());
    drop(end);
    thread.join().unwrap();
}

/// Whether the signal of the first request is delivered before, during or after the second one,
/// that is answered.
#[test]
fn a_request_that_was_given_up_never_takes_the_signal_of_the_next_one() {
    let signal = Signal::claim().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (tid, thread) = start({
        let stop = Arc::clone(&stop);
        move || {
            for round in 0_usize.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                block(libc::SIG_BLOCK);
                // About as long as it takes to ask again.
                for _ in 0..black_box(round % 50 * 200) {
                    std::hint::spin_loop();
                }
                block(libc::SIG_UNBLOCK);
            }
        }
    });
    let mut given_up = 0;
    while given_up < 3000 {
        let first = signal.capture_thread(tid, Duration::ZERO, &mut Vec::new());
        given_up += u32::from(first.is_err());
        take(tid).unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
}

/// Both of them answer late all the time; if an answer went to the wrong request, it would show the
/// wrong function.
#[test]
fn answers_are_never_mixed_up() {
    #[inline(never)]
    fn left(stop: &AtomicBool) {
        toggles(stop);
        black_box(6);
    }
    #[inline(never)]
    fn right(stop: &AtomicBool) {
        toggles(stop);
        black_box(7);
    }
    #[inline(never)]
    fn toggles(stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            block(libc::SIG_BLOCK);
            for _ in 0..black_box(2000) {
                std::hint::spin_loop();
            }
            block(libc::SIG_UNBLOCK);
        }
    }
    let signal = Signal::claim().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let mut threads = Vec::new();
    for function in [left, right] {
        let stop = Arc::clone(&stop);
        threads.push(start(move || function(&stop)));
    }
    let (mut right_ones, mut late) = (0, 0);
    let deadline = Instant::now() + LONG;
    for round in 0.. {
        let (tid, function) = [(threads[0].0, "::left"), (threads[1].0, "::right")][round % 2];
        let mut frames = Vec::new();
        let timeout = Duration::from_micros([0, 5, 20, 100, 10_000][round % 5]);
        match signal.capture_thread(tid, timeout, &mut frames) {
            Ok(Completeness::Complete) => {
                let symbols = Stack::intern(&frames).symbols();
                let names = names(&symbols);
                let is_there = names.iter().any(|name| name.ends_with(function));
                let other = ["::left", "::right"]
                    .into_iter()
                    .find(|name| *name != function);
                let other_is = names.iter().any(|name| name.ends_with(other.unwrap()));
                // Before it calls the function, and behind.
                assert!(!other_is, "{function}: {names:#?}");
                right_ones += u32::from(is_there);
            }
            Ok(_) => {}
            Err(CaptureError::NoAnswer { .. } | CaptureError::Busy) => late += 1,
            Err(error) => panic!("{error}"),
        }
        if right_ones > 300 && late > 300 {
            break;
        }
        assert!(Instant::now() < deadline, "{right_ones} and {late}");
    }
    stop.store(true, Ordering::Relaxed);
    for (_, thread) in threads {
        thread.join().unwrap();
    }
}

/// The handler's copy of this stack ends at a page that cannot be read, with an error.
#[cfg(target_env = "gnu")]
mod on_a_stack_of_its_own {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        static STOP: RefCell<Arc<AtomicBool>> = RefCell::default();
    }

    #[inline(never)]
    extern "C" fn watches_errno() {
        let stop = STOP.with_borrow(Arc::clone);
        // SAFETY: the address of this thread's own errno.
        unsafe {
            let errno = libc::__errno_location();
            errno.write_volatile(1234);
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(errno.read_volatile(), 1234);
            }
        }
        black_box(8);
    }

    #[test]
    fn a_thread_is_seen_and_its_errno_is_as_before() {
        let stop = Arc::new(AtomicBool::new(false));
        let (tid, thread) = start({
            let stop = Arc::clone(&stop);
            move || {
                STOP.set(stop);
                other_stack::on_another_stack(watches_errno);
            }
        });
        let mut seen = 0;
        let deadline = Instant::now() + LONG;
        while seen < 300 && !thread.is_finished() {
            let (_, frames) = take(tid).unwrap();
            let symbols = Stack::intern(&frames).symbols();
            let own = own(&symbols);
            // The first function on that stack, and nothing of the other one.
            seen += u32::from(own == ["thread::on_a_stack_of_its_own::watches_errno"]);
            assert!(Instant::now() < deadline, "{own:#?}");
        }
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap();
    }
}

#[test]
fn a_thread_with_a_deep_stack_is_seen_from_its_leaf() {
    #[inline(never)]
    fn deep(depth: usize, end: &mpsc::Receiver<()>) {
        let room = black_box([depth; 4]);
        if depth == 0 {
            waits_for_the_end(end);
        } else {
            deep(depth - 1, end);
        }
        black_box(room);
    }
    // Too many frames; and, with few frames, too many bytes.
    let (end, ended) = mpsc::channel();
    let (tid, thread) = start(move || deep(1500, &ended));
    until_deep(tid, callstack::MAX_FRAMES);
    drop(end);
    thread.join().unwrap();

    #[inline(never)]
    fn large(depth: usize, end: &mpsc::Receiver<()>) {
        let room = black_box([depth as u8; 300 << 10]);
        if depth == 0 {
            waits_for_the_end(end);
        } else {
            large(depth - 1, end);
        }
        black_box(&room);
    }
    let (end, ended) = mpsc::channel();
    let (notify, notified) = mpsc::channel();
    let thread = thread::Builder::new()
        .stack_size(16 << 20)
        .spawn(move || {
            notify.send(Tid::current()).unwrap();
            large(6, &ended);
        })
        .unwrap();
    let frames = until_deep(notified.recv().unwrap(), 1);
    assert!(frames < 40, "{frames}");
    drop(end);
    thread.join().unwrap();
}

/// Captures until the thread waits, and returns how many frames there were.
fn until_deep(tid: Tid, at_least: usize) -> usize {
    let deadline = Instant::now() + LONG;
    loop {
        let (completeness, frames) = take(tid).unwrap();
        let symbols = Stack::intern(&frames).symbols();
        if own(&symbols)[0] == "thread::waits_for_the_end" && completeness != Completeness::Complete
        {
            assert_eq!(completeness, Completeness::Truncated);
            assert!(frames.len() >= at_least);
            return frames.len();
        }
        assert!(
            Instant::now() < deadline,
            "{completeness:?} {:#?}",
            names(&symbols)
        );
    }
}

#[test]
fn many_may_ask_at_once() {
    let (end, ended) = mpsc::channel();
    let (tid, thread) = start(move || calls_what_waits(&ended));
    until_in(tid, "thread::waits_for_the_end");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    assert_eq!(own(&symbols(tid))[0], "thread::waits_for_the_end");
                }
            });
        }
    });
    drop(end);
    thread.join().unwrap();
}
