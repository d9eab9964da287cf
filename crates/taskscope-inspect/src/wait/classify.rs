//! Classifies a branch: from its frames to the wait reason, by the rows of [`super::table`].
//!
//! # The rule
//!
//! The frames are read from the leaf outwards, as long as they are those of libraries: what a
//! user's own function waits for is told by what it calls, not by who calls it. A row that matches
//! a frame names the wait if
//!
//! * nothing has named it so far, or
//! * the name so far is one of those that the row is made of, or is its own.
//!
//! So the outermost function of a chain has the word that its author would use: a channel's `send`
//! acquires a semaphore inside, and is "mpsc send". And what only carries somebody else's future
//! (`timeout`, `OnceCell::get_or_init`, `run_until_cancelled`, `copy`) cannot take its name away.
//! If several rows match one frame, the one with the longest path is tried first.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use super::path::Path;
use super::table::{LIBRARIES, Row, TOKIO_WAKER_CELL, WAKER_CELLS, rows};
use super::{WaitKind, WaitReason, is_vague};
use crate::dump::Frame;

/// Classifies frames, leaf first. Also returns the index of the frame that named the wait; those
/// before it are the library's internals.
pub(crate) fn classify(frames: &[Frame]) -> (WaitReason, usize) {
    let mut named: Option<(WaitKind, usize)> = None;
    // Index of the first function that is no library's.
    let mut end = frames.len();
    for (at, frame) in frames.iter().enumerate() {
        let path = path(frame);
        if !is_glue(frame) && !is_library(path.krate()) {
            end = at;
            break;
        }
        let so_far = named.map(|(kind, _)| kind);
        let row = rows_at(path.as_str())
            .find(|row| so_far.is_none_or(|kind| kind == row.kind || row.made_of.contains(&kind)));
        named = row.map(|row| (row.kind, at)).or(named);
    }
    match named.or_else(|| by_waker_cell(frames, end)) {
        Some((kind, at)) => {
            let reason = WaitReason {
                needs_debug_info: is_vague(kind) && lacks_inlined(frames, at, end),
                ..WaitReason::of(kind)
            };
            (reason, at)
        }
        None => other(frames),
    }
}

/// Whether a function may have been inlined, unseen, between the one that named the wait and the
/// first that is no library's.
fn lacks_inlined(frames: &[Frame], named: usize, end: usize) -> bool {
    let last = frames.len().min(end + 1);
    let until = frames.get(named..last).unwrap_or_default();
    until
        .iter()
        .any(|frame| frame.file.is_none() && !is_glue(frame))
}

/// The receiver of an mpsc channel, where nothing but tokio's place for one waker is below the
/// user's function: generic as it is, the receiver was compiled into that function. Only timers and
/// a `LocalSet` have such a place besides, and functions of their own.
fn by_waker_cell(frames: &[Frame], end: usize) -> Option<(WaitKind, usize)> {
    let is_waker_cell = |frame: &Frame| path(frame).is_in(TOKIO_WAKER_CELL);
    let at = frames[..end].iter().rposition(is_waker_cell)?;
    let nothing_else = frames[..end]
        .iter()
        .all(|frame| is_waker_cell(frame) || is_glue(frame) || path(frame).is_std());
    let lacks_inlined = frames.get(end).is_some_and(|frame| frame.file.is_none());
    (nothing_else && lacks_inlined).then_some((WaitKind::MpscRecv, at))
}

/// A wait that no row names: the function that took the waker stands for it.
fn other(frames: &[Frame]) -> (WaitReason, usize) {
    let leaf = frames.iter().position(|frame| {
        let path = path(frame);
        let is_cell = WAKER_CELLS.iter().any(|cell| path.is_in(cell));
        !is_glue(frame) && !path.is_std() && !is_cell
    });
    let at = leaf.unwrap_or(0);
    let frame = frames.get(at);
    let function = frame.map(|frame| match path(frame).as_str() {
        "" => frame.function.clone(),
        path => path.into(),
    });
    let reason = WaitReason {
        functions: function.into_iter().collect(),
        needs_debug_info: frame.is_some_and(|frame| frame.file.is_none()),
        ..WaitReason::of(WaitKind::Other)
    };
    (reason, at)
}

fn path(frame: &Frame) -> Path {
    Path::of(&frame.function, is_library)
}

fn is_library(krate: &str) -> bool {
    LIBRARIES.contains(&krate)
}

/// Whether the function is the compiler's, such as `__rust_try`: a name without a path.
fn is_glue(frame: &Frame) -> bool {
    frame.has_symbol && !frame.function.contains("::")
}

/// The rows that match a function, the longest path first.
fn rows_at(path: &str) -> impl Iterator<Item = &'static Row> {
    static BY_PATH: LazyLock<HashMap<Cow<'static, str>, Vec<&Row>>> = LazyLock::new(|| {
        let mut by_path: HashMap<Cow<'_, _>, Vec<_>> = HashMap::new();
        for row in rows() {
            for path in row.at {
                by_path.entry((*path).into()).or_default().push(row);
                if let Some(short) = short(path) {
                    by_path.entry(short.into()).or_default().push(row);
                }
            }
        }
        by_path
    });
    let parents = std::iter::successors(Some(path), |path| {
        path.rsplit_once("::").map(|(parent, _)| parent)
    });
    parents
        .filter_map(|path| BY_PATH.get(path))
        .flatten()
        .copied()
}

/// Shortens a method's path as a build with nothing but line tables does: the type is missing.
fn short(path: &str) -> Option<String> {
    let is_type = |part: &&str| part.starts_with(|c: char| c.is_uppercase());
    let parts: Vec<&str> = path.split("::").collect();
    let is_method = !parts.last().is_none_or(is_type) && parts.iter().any(is_type);
    is_method.then(|| {
        let parts: Vec<&str> = parts.into_iter().filter(|part| !is_type(part)).collect();
        parts.join("::")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::table::{LIBRARIES, WAKER_CELLS, rows};
    use super::classify;
    use crate::dump::Frame;

    const POLL: &str = "core::future::future::Future>::poll";

    /// The words, and the frame that named them, of functions with debug information.
    fn wait(names: &[&str]) -> (String, usize) {
        of_build(names, Some("lib.rs"))
    }

    fn of_build(names: &[&str], file: Option<&str>) -> (String, usize) {
        let frame = |name: &&str| Frame {
            function: (*name).into(),
            file: file.filter(|_| !name.contains('+')).map(Into::into),
            line: None,
            has_symbol: !name.contains('+'),
        };
        let frames: Vec<_> = names.iter().map(frame).collect();
        let (reason, at) = classify(&frames);
        (reason.to_string(), at)
    }

    #[test]
    fn the_outermost_function_of_a_chain_names_the_wait() {
        let acquire = &format!("<tokio::sync::batch_semaphore::Acquire as {POLL}");
        let reserve = "tokio::sync::mpsc::bounded::Sender<T>::reserve::{{closure}}";
        let send = "tokio::sync::mpsc::bounded::Sender<T>::send::{{closure}}";
        assert_eq!(
            wait(&[acquire, reserve, send, "shop::main"]),
            ("mpsc send".to_owned(), 2)
        );
        // A wrapper that only passes polls on leaves the name alone.
        let timeout = &format!("<tokio::time::timeout::Timeout<T> as {POLL}");
        assert_eq!(
            wait(&[acquire, reserve, timeout, send]),
            ("mpsc send".to_owned(), 3)
        );
    }

    /// Covers rows that a test with the real types cannot reach: a kernel without pidfd.
    #[test]
    fn rows_that_are_not_met_here() {
        let recv = "tokio::signal::unix::Signal::poll_recv";
        let reaper = &format!("<tokio::process::imp::reap::Reaper<W,Q,S> as {POLL}");
        let child = "tokio::process::Child::wait::{{closure}}";
        assert_eq!(
            wait(&[recv, reaper, child]),
            ("child process".to_owned(), 2)
        );
    }

    /// Names as [`Frame`] makes them of a file and a short name.
    #[test]
    fn methods_without_their_types_are_known_too() {
        for (names, expected) in [
            (
                &[
                    "tokio::runtime::io::scheduled_io::poll_readiness",
                    "tokio::runtime::io::registration::poll_read_ready",
                ][..],
                "io readable",
            ),
            (
                &[
                    "futures_channel::oneshot::recv<u8>",
                    "futures_channel::oneshot::poll<u8>",
                ],
                "futures oneshot recv",
            ),
            (
                &[
                    "tokio::sync::batch_semaphore::poll",
                    "tokio::sync::mpsc::bounded::{async_fn#0}<u8>",
                ],
                "mpsc send",
            ),
            (
                &[
                    "tokio::sync::notify::poll",
                    "tokio::sync::mpsc::chan::{async_fn#0}<u8>",
                ],
                "mpsc closed",
            ),
            (&["tokio::sync::mpsc::chan::{closure#0}<u8>"], "mpsc recv"),
            (
                &[
                    "tokio::runtime::io::registration::poll_read_ready",
                    "tokio::process::unix::pidfd_reaper::poll<u8>",
                ],
                "child process",
            ),
        ] {
            assert_eq!(wait(names).0, expected);
        }
    }

    #[test]
    fn what_carries_a_future_does_not_name_its_wait() {
        let recv = &format!("<tokio::sync::oneshot::Receiver<T> as {POLL}");
        for carrier in [
            "tokio::sync::once_cell::OnceCell<T>::get_or_init::{{closure}}",
            "tokio::fs::asyncify::{{closure}}",
            "<futures_util::abortable::Abortable<Fut> as core::future::future::Future>::poll",
        ] {
            assert_eq!(wait(&[recv, carrier]).0, "oneshot recv", "{carrier}");
        }
    }

    #[test]
    fn a_user_function_in_between_ends_the_search() {
        let sleep = &format!("<tokio::time::sleep::Sleep as {POLL}");
        let tick = "tokio::time::interval::Interval::poll_tick";
        assert_eq!(wait(&[sleep, tick]).0, "interval tick");
        assert_eq!(wait(&[sleep, "shop::pause", tick]).0, "sleep");
        assert_eq!(
            wait(&[sleep, "shop+0x10", tick]).0,
            "sleep (needs debug = 1)"
        );
        // Glue of the compiler is nobody's.
        assert_eq!(wait(&[sleep, "__rust_try", tick]).0, "interval tick");
    }

    #[test]
    fn names_that_only_contain_the_name_of_a_library_are_not_its() {
        for (name, expected) in [
            (
                "my_tokio::sync::mpsc::bounded::Receiver<T>::recv::{{closure}}",
                "my_tokio::sync::mpsc::bounded::Receiver::recv",
            ),
            (
                "shop::flume::async::RecvFut::poll",
                "shop::flume::async::RecvFut::poll",
            ),
            (
                "<shop::Foo<tokio::sync::mpsc::bounded::Receiver<T>> as core::future::future::Future>::poll",
                "shop::Foo::poll",
            ),
            (
                "<tokio::sync::notify::Notify as shop::Wait>::wait",
                "shop::Wait::wait",
            ),
            ("shop::TcpStream::connect", "shop::TcpStream::connect"),
            (
                "tokio::sync::notifying::Other::poll",
                "tokio::sync::notifying::Other::poll",
            ),
        ] {
            assert_eq!(wait(&[name]).0, format!("other: {expected}"));
        }
    }

    #[test]
    fn an_unknown_leaf_is_named_by_what_keeps_no_waker_for_others() {
        for cell in [
            "<&core::task::wake::Waker as tokio::sync::task::atomic_waker::WakerRef>::into_waker",
            "atomic_waker::AtomicWaker::register",
            "core::option::Option<T>::insert",
            "__rust_try",
        ] {
            assert_eq!(
                wait(&[
                    cell,
                    "<shop::Leaf<T> as core::future::future::Future>::poll"
                ]),
                ("other: shop::Leaf::poll".to_owned(), 1),
                "{cell}"
            );
        }
        assert_eq!(wait(&["shop+0x10"]).0, "other: shop+0x10 (needs debug = 1)");
        assert_eq!(wait(&[]).0, "other");
    }

    #[test]
    fn without_debug_information_it_is_said_where_that_would_tell_better() {
        let acquire =
            "<tokio::sync::batch_semaphore::Acquire as core::future::future::Future>::poll";
        let recv = "<tokio::sync::oneshot::Receiver<T> as core::future::future::Future>::poll";
        let cell = super::super::known_functions::WAKER_CELL;
        let elapsed = "tokio::runtime::time::entry::TimerEntry::poll_elapsed";
        for (names, with, without) in [
            // A lock, for all that is known.
            (
                &[acquire, "shop::main"][..],
                "semaphore acquire",
                "semaphore acquire (needs debug = 1)",
            ),
            // Made of nothing and made into nothing.
            (&[recv, "shop::main"], "oneshot recv", "oneshot recv"),
            // Only where something can have been compiled into the user's function.
            (&[cell, "shop::main"], "other: shop::main", "mpsc recv"),
            (
                &[
                    cell,
                    elapsed,
                    "<tokio::time::sleep::Sleep as core::future::future::Future>::poll",
                ],
                "sleep",
                "sleep (needs debug = 1)",
            ),
            (
                &["shop::main"],
                "other: shop::main",
                "other: shop::main (needs debug = 1)",
            ),
        ] {
            assert_eq!(wait(names).0, with);
            assert_eq!(of_build(names, None).0, without);
        }
        assert_eq!(of_build(&[cell, "shop+0x10"], None).0, "mpsc recv");
        assert_eq!(
            of_build(&[cell, cell], None).0,
            format!("other: {cell} (needs debug = 1)")
        );
    }

    #[test]
    fn each_row_is_in_a_known_crate_and_has_something_to_say() {
        let mut seen = HashSet::new();
        for row in rows() {
            for path in row.at {
                assert!(
                    LIBRARIES
                        .iter()
                        .any(|krate| path.starts_with(&format!("{krate}::")) || path == krate),
                    "{path}"
                );
                for made_of in row.made_of.iter().map(|kind| Some(*kind)).chain([None]) {
                    assert!(
                        made_of.is_none() && !row.made_of.is_empty()
                            || seen.insert((path, made_of)),
                        "{path} twice"
                    );
                }
                assert!(!row.made_of.contains(&row.kind), "{path}");
            }
        }
        assert!(WAKER_CELLS.iter().all(|cell| cell.contains("atomic_waker")));
    }
}
