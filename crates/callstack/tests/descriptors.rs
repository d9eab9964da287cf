//! A process without a free file descriptor, as after a leak of them. Alone in its binary, because
//! the limit applies to the whole process.

#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

use callstack::{Stack, capture, symbolize};

#[inline(never)]
fn leaf() -> Vec<usize> {
    let mut frames = Vec::new();
    capture(usize::MAX, &mut frames);
    std::hint::black_box(frames)
}

/// Sets the soft limit of open files and returns the one before.
fn limit_files(to: libc::rlim_t) -> libc::rlim_t {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls get a valid structure of their type.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        let before = limit.rlim_cur;
        limit.rlim_cur = to;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
        before
    }
}

#[test]
fn names_that_could_not_be_read_for_want_of_a_descriptor_are_found_later() {
    let frames = leaf();
    let stack = Stack::intern(&frames);
    let before = limit_files(0);
    let unknown = symbolize(frames[0])[0].name.clone();
    let unknown_stack = stack.symbols();
    limit_files(before);
    assert_eq!(unknown, None);
    assert!(unknown_stack.iter().all(|symbol| symbol.name.is_none()));

    assert_eq!(
        symbolize(frames[0])[0].name.as_deref(),
        Some("descriptors::leaf")
    );
    assert_eq!(
        stack.symbols()[0].name.as_deref(),
        Some("descriptors::leaf")
    );
}
