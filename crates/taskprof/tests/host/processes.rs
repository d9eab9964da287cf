//! Processes that replace themselves, fork or end in the middle of a capture.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{CASE, burn, capture, samples};

const MOMENT: Duration = Duration::from_millis(1);

fn busy_and_captured() {
    std::thread::spawn(|| {
        loop {
            burn(MOMENT);
        }
    });
    std::thread::spawn(|| capture(taskprof::cpu().hz(999).seconds(60)));
    // Until the sampler is at work.
    while !threads().iter().any(|name| name == "taskprof-cpu") {
        std::thread::sleep(MOMENT);
    }
    burn(Duration::from_millis(300));
}

fn threads() -> Vec<String> {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .collect()
}

/// A service that replaces itself in place, as on an upgrade.
pub(crate) fn exec() {
    busy_and_captured();
    let mut successor = Command::new("/proc/self/exe");
    successor.env(CASE, "exec_during_a_capture_succeeded");
    panic!("{}", successor.exec());
}

/// The program that replaces the service of [`exec`]: it knows of no signal.
pub(crate) fn successor() {
    burn(Duration::from_secs(1));
}

/// A prefork server that was profiled: a child's capture works, or says that it cannot.
pub(crate) fn fork() {
    std::thread::spawn(|| {
        loop {
            burn(MOMENT);
        }
    });
    samples(99, Duration::from_millis(500));
    // SAFETY: the child calls what is tested, and then nothing but `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: ends the process if it hangs.
        unsafe { libc::alarm(20) };
        let status = match capture(taskprof::cpu().duration(Duration::from_millis(300))) {
            Ok(_) => 0,
            Err(error) if error.to_string().contains("forked") => 0,
            Err(error) => {
                eprintln!("{error}");
                1
            }
        };
        // SAFETY: no destructor of the parent's threads is wanted here.
        unsafe { libc::_exit(status) };
    }
    let mut status = 0;
    // SAFETY: waits for the child that was made above.
    unsafe { libc::waitpid(child, &mut status, 0) };
    assert!(libc::WIFEXITED(status), "the child hangs: {status:#x}");
    assert_eq!(libc::WEXITSTATUS(status), 0);
    // And the parent goes on as before.
    samples(99, Duration::from_millis(500));
}

/// Ends twenty processes from their main threads, each in the middle of a capture.
///
/// The destructors of the process run under the sampler.
pub(crate) fn exit() {
    if std::env::var("INNER").is_ok() {
        return busy_and_captured();
    }
    for _ in 0..20 {
        let mut child = Command::new("/proc/self/exe");
        let child = child.env(CASE, "exit_during_a_capture").env("INNER", "1");
        let status = child.stdout(Stdio::null()).status().unwrap();
        assert!(status.success(), "{status}");
    }
}
