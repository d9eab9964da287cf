//! Tests that memory for names is given back: the debug information of a large program is read, and
//! released. Alone in its binary, since memory is the process's.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests"
)]

/// Anonymous memory in use, in KiB: the mapped file does not count.
fn anonymous() -> i64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Anonymous:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse().unwrap()
}

/// Names four thousand addresses from everywhere in the program.
///
/// They are more than answers show, and need nearly all of its debug information.
#[test]
fn memory_that_names_took_is_given_back() {
    // Something of the whole crate, so that it is linked.
    taskprof::write::folded(&taskprof::Profile::new([]), None).unwrap_err();
    let main = callstack::modules()[0].clone();
    let before = anonymous();
    let (mut most, mut named) = (before, 0);
    for address in (main.start..main.end).step_by((main.end - main.start) / 4000) {
        let symbols = callstack::symbolize(address + 1);
        named += usize::from(symbols[0].name.is_some());
        if named % 32 == 0 {
            most = most.max(anonymous());
        }
    }
    assert!(named > 3000, "{named}");
    callstack::release_debug_info();
    let after = anonymous();
    println!("anonymous memory before {before} KiB, most {most} KiB, after {after} KiB");
    let taken = most - before;
    assert!(taken > 10_000, "{most}, {before}: nothing was read");
    // Names stay, and pieces of memory between them.
    assert!(after - before < taken / 2, "{after}, {most}, {before}");
}
