//! Memory for names: the debug information of a large program is read, and let go. Alone in its binary, since memory is the process's.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

/// Anonymous memory in use, in KiB: the mapped file does not count.
fn anonymous() -> i64 {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Anonymous:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse().unwrap()
}

#[test]
fn memory_that_names_took_is_given_back() {
    // Something of the whole crate, so that it is linked.
    taskprof::write::folded(&taskprof::Profile::new([]), None).unwrap_err();
    let main = callstack::modules()[0].clone();
    let before = anonymous();
    let (mut most, mut named) = (before, 0);
    let step = (main.end - main.start) / 4000; let len = main.end - main.start;
    let began = std::time::Instant::now();
    for (at, address) in (0..4000).map(|i: usize| main.start + (i * 7919 % 4000) * step % len).enumerate() {
        let symbols = callstack::symbolize(address + 1);
        named += usize::from(symbols[0].name.is_some());
        if [32, 64, 128, 256, 512, 1024, 2048].contains(&at) { println!("{at}: {} KiB {:?}", anonymous(), began.elapsed()); }
        if at % 16 == 0 {
            most = most.max(anonymous());
        }
    }
    println!("{} KiB file, {named} named in {:?}", std::fs::metadata(&*main.path).unwrap().len() / 1024, began.elapsed());
    println!("before {before} KiB, most {most}, still {}", anonymous());
    callstack::release_debug_info();
    let after = anonymous();
    println!("after {after}");
    let t = std::time::Instant::now();
    unsafe { unsafe extern "C" { fn malloc_trim(pad: usize) -> i32; } malloc_trim(0); }
    println!("after trim {} {:?}", anonymous(), t.elapsed());
}
