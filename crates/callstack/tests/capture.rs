//! Captures through the public API: which frames, in which order, and where they end.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::hint::black_box;
use std::sync::mpsc;
use std::thread;

use callstack::{Completeness, MAX_FRAMES, Stack, UnwinderKind, capture, capture_with};
use support::names;

#[inline(never)]
fn outer(kind: Option<UnwinderKind>) -> Trace {
    let limit = 0_u8;
    black_box(1);
    let trace = middle(kind, &raw const limit as usize);
    black_box(2);
    trace
}

#[inline(never)]
fn middle(kind: Option<UnwinderKind>, limit: usize) -> Trace {
    black_box(3);
    let trace = inner(kind, limit);
    black_box(4);
    trace
}

#[inline(never)]
fn inner(kind: Option<UnwinderKind>, limit: usize) -> Trace {
    let mut frames = Vec::new();
    let (completeness, line) = match kind {
        None => (capture(limit, &mut frames), line!()),
        Some(kind) => (capture_with(kind, limit, &mut frames), line!()),
    };
    Trace {
        frames,
        completeness,
        line,
    }
}

/// Calls itself `depth` times, then `f`.
#[inline(never)]
fn deep<R>(depth: usize, f: &dyn Fn() -> R) -> R {
    let result = if depth == 0 { f() } else { deep(depth - 1, f) };
    black_box(5);
    result
}

#[derive(Debug)]
struct Trace {
    frames: Vec<usize>,
    completeness: Completeness,
    line: u32,
}

/// One place of the call for both unwinders, so that their results can be equal.
#[inline(never)]
fn trace(kind: UnwinderKind, limit: usize) -> (Completeness, Vec<usize>) {
    let mut frames = Vec::new();
    (capture_with(kind, limit, &mut frames), frames)
}

/// Captures with both unwinders, and the two calls of `trace` are one instruction.
#[inline(never)]
fn both(limit: usize) -> Vec<(Completeness, Vec<usize>)> {
    let mut traces = Vec::new();
    for kind in black_box(vec![UnwinderKind::Fast, UnwinderKind::System]) {
        traces.push(trace(kind, limit));
    }
    traces
}

const KINDS: [Option<UnwinderKind>; 3] =
    [None, Some(UnwinderKind::Fast), Some(UnwinderKind::System)];

#[test]
fn frames_are_the_callers_in_order_with_file_and_line() {
    for kind in KINDS {
        let trace = outer(kind);
        assert_eq!(trace.completeness, Completeness::Complete, "{kind:?}");
        let stack = Stack::intern(&trace.frames);
        let symbols = stack.symbols();
        assert_eq!(
            names(&symbols),
            ["capture::inner", "capture::middle", "capture::outer"],
            "{kind:?}"
        );
        assert!(symbols.iter().all(|symbol| {
            symbol
                .file
                .as_deref()
                .unwrap()
                .ends_with("tests/capture.rs")
        }));
        assert_eq!(symbols[0].line, Some(trace.line), "{kind:?}");
        assert!(
            symbols[0].line > symbols[1].line && symbols[1].line > symbols[2].line,
            "{symbols:#?}"
        );
        assert!(
            symbols
                .iter()
                .all(|symbol| symbol.column.is_some() && !symbol.inlined)
        );
    }
}

#[test]
fn the_limit_is_in_the_last_frame() {
    for kind in KINDS {
        // The limit of `outer` is `outer`'s own local: nothing of this test function may appear.
        let trace = outer(kind);
        assert_eq!(trace.frames.len(), 3, "{kind:?}");
        // With a limit in this function there is exactly one frame more.
        let limit = 0_u8;
        let trace = middle(kind, &raw const limit as usize);
        assert_eq!(trace.completeness, Completeness::Complete);
        let stack = Stack::intern(&trace.frames);
        let symbols = stack.symbols();
        let names = names(&symbols);
        assert_eq!(names[..2], ["capture::inner", "capture::middle"]);
        assert!(
            names[2].starts_with("capture::the_limit_is_in_the_last_frame"),
            "{names:?}"
        );
        assert_eq!(trace.frames.len(), 3);
    }
}

#[test]
fn a_capture_appends() {
    let limit = 0_u8;
    let mut frames = vec![7, 0];
    capture(&raw const limit as usize, &mut frames);
    assert_eq!(frames[..2], [7, 0]);
    assert_eq!(frames.len(), 3);
}

#[test]
fn a_stack_deeper_than_the_most_frames_is_truncated_at_the_root() {
    for kind in [UnwinderKind::Fast, UnwinderKind::System] {
        let limit = 0_u8;
        let (completeness, frames) = deep(MAX_FRAMES + 44, &|| {
            let mut frames = Vec::new();
            (
                capture_with(kind, &raw const limit as usize, &mut frames),
                frames,
            )
        });
        assert_eq!(completeness, Completeness::Truncated, "{kind:?}");
        assert_eq!(frames.len(), MAX_FRAMES);
        let leaf = callstack::symbolize(frames[0]);
        assert!(names(&leaf)[0].contains("a_stack_deeper_than"), "{leaf:?}");
    }
}

#[test]
fn both_unwinders_see_the_same_deep_stack() {
    for depth in [1, 10, 100, 240] {
        let limit = 0_u8;
        let limit = &raw const limit as usize;
        let traces = deep(depth, &|| both(limit));
        assert_eq!(traces[0].0, Completeness::Complete);
        assert!(traces[0].1.len() > depth);
        assert_eq!(traces[0], traces[1], "depth {depth}");
    }
}

#[test]
fn both_unwinders_see_the_same_whole_stack() {
    let traces = deep(5, &|| both(usize::MAX));
    let [fast, system] = &traces[..] else {
        unreachable!()
    };
    assert_eq!(fast.0, Completeness::Complete);
    // The platform may or may not report the frame in which the thread was started; compare what
    // both have.
    let common = fast.1.len().min(system.1.len());
    assert!(
        fast.1.len().abs_diff(system.1.len()) <= 1,
        "{} and {}",
        fast.1.len(),
        system.1.len()
    );
    assert_eq!(fast.1[..common], system.1[..common]);
    assert!(common > 10);
}

#[test]
fn every_thread_can_capture() {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    assert_eq!(outer(None).completeness, Completeness::Complete);
                }
            });
        }
    });
}

#[test]
fn a_limit_that_is_not_above_gives_one_frame_and_says_broken() {
    let local = 0_u8;
    for limit in [0, 0x1000, &raw const local as usize - (1 << 20)] {
        for kind in [UnwinderKind::Fast, UnwinderKind::System] {
            let mut frames = Vec::new();
            assert_eq!(capture_with(kind, limit, &mut frames), Completeness::Broken);
            assert_eq!(frames.len(), 1, "{kind:?}");
            let symbols = callstack::symbolize(frames[0]);
            assert!(
                names(&symbols)[0].contains("a_limit_that_is_not_above"),
                "{symbols:?}"
            );
        }
    }
}

#[test]
fn a_limit_on_the_stack_of_another_thread_does_no_harm() {
    let (address, addresses) = mpsc::channel();
    let (done, wait) = mpsc::channel::<()>();
    let other = thread::spawn(move || {
        let local = 0_u8;
        address.send(&raw const local as usize).unwrap();
        let _ = wait.recv();
    });
    let limit = addresses.recv().unwrap();
    let mut frames = Vec::new();
    assert_eq!(capture(limit, &mut frames), Completeness::Broken);
    assert!(!frames.is_empty());
    drop(done);
    other.join().unwrap();
}

#[test]
fn a_capture_with_room_does_not_allocate_frames() {
    let mut frames = Vec::with_capacity(MAX_FRAMES);
    let before = frames.as_ptr();
    capture(usize::MAX, &mut frames);
    assert_eq!(frames.as_ptr(), before);
    assert_eq!(frames.capacity(), MAX_FRAMES);
}
