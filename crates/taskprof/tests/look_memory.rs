//! What a look at many tasks takes, and gives back: by what it tells, and not by tasks.
//!
//! The memory of a process is measured, so each measurement has a process of its own: the test binary again, with the name of one test.
#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Output};
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};

const CHILD: &str = "TASKPROF_TEST_LOOK_MEMORY";
const TASKS: usize = 100_000;
const MB: usize = 1 << 20;

/// Every kind of answer.
const ANSWERS: [&str; 13] = [
    "tasks?debug=1",
    "tasks?debug=2",
    "tasks?format=json",
    "tasks?format=svg",
    "tasks?format=pprof",
    "tasks?format=folded",
    "tasks?seconds=1&format=svg",
    "leaks?debug=1",
    "stuck?format=folded",
    "metrics",
    "page/tasks",
    "page/tasks?group=none&sort=name",
    "page/scopes",
];

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// This test again, in a process of its own.
fn in_a_process_of_its_own(test: &str) -> Output {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{said}");
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}", output.status);
    // The control: it has run there.
    assert!(said.contains("1 passed"), "{said}");
    output
}

/// A line of /proc/self/status, in bytes.
fn status(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let kilobytes = line.split_whitespace().nth(1).unwrap();
    kilobytes.parse::<usize>().unwrap() * 1024
}

/// From now on, `VmHWM` is the most since then.
fn forget_the_most() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// The status, and how many bytes came; they are not kept.
fn ask(addr: SocketAddr, path: &str) -> (String, usize) {
    let mut stream = TcpStream::connect(addr).unwrap();
    write!(
        stream,
        "GET /debug/profile/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let (mut buffer, mut head, mut bytes) = (vec![0; 64 * 1024], String::new(), 0);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(read) => {
                if bytes == 0 {
                    head = String::from_utf8_lossy(&buffer[..read.min(4096)]).into_owned();
                }
                bytes += read;
            }
        }
    }
    let status = head.split(' ').nth(1).unwrap_or_default().to_owned();
    (status, bytes)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Each with a name and some with a scope of its own: nothing about them is the same.
fn spawn(runtime: &tokio::runtime::Runtime, tasks: usize) {
    let _context = runtime.enter();
    for n in 0..tasks {
        let waits = tokio::time::sleep(Duration::from_secs(99_999));
        if n % 10 == 0 {
            let scope = taskscope::Scope::new(format!("scope-{n}"));
            drop(scope.spawn(waits));
            std::mem::forget(scope);
        } else {
            drop(taskscope::spawn_named(format!("task-{n}"), waits));
        }
    }
}

#[test]
fn every_answer_about_100_000_tasks_takes_little_and_gives_it_back() {
    if !is_child() {
        in_a_process_of_its_own("every_answer_about_100_000_tasks_takes_little_and_gives_it_back");
        return;
    }
    let server = taskprof::serve("127.0.0.1:0").unwrap();
    let addr = server.local_addr();
    let runtime = runtime();
    // What is read once in the life of a process: debug information, tables of symbols.
    spawn(&runtime, 10);
    for path in ANSWERS {
        assert_eq!(ask(addr, path).0, "200", "{path}");
    }
    spawn(&runtime, TASKS);
    // Whatever a capture leaves in the records is the tasks', and not the look's.
    assert_eq!(ask(addr, "tasks?debug=1&limit=1").0, "200");
    let before = status("VmRSS");
    println!("{TASKS} tasks: {} MB", before / MB);
    for path in ANSWERS {
        forget_the_most();
        let (code, bytes) = ask(addr, path);
        let (most, after) = (status("VmHWM"), status("VmRSS"));
        println!(
            "{path}: {} kB, {} MB at the most, {} MB afterwards",
            bytes / 1024,
            most / MB,
            after / MB
        );
        assert_eq!(code, "200", "{path}");
        assert!(most < before + 64 * MB, "{path}: {most} after {before}");
        assert!(
            after < before + before / 10 + 8 * MB,
            "{path}: {after} after {before}"
        );
    }
    std::process::exit(passed());
}

#[test]
fn without_memory_there_is_an_answer_or_a_sentence() {
    if !is_child() {
        in_a_process_of_its_own("without_memory_there_is_an_answer_or_a_sentence");
        return;
    }
    let server = taskprof::serve("127.0.0.1:0").unwrap();
    let addr = server.local_addr();
    let runtime = runtime();
    spawn(&runtime, 10);
    for path in ANSWERS {
        assert_eq!(ask(addr, path).0, "200", "{path}");
    }
    spawn(&runtime, TASKS);
    let limit = getrlimit(Resource::As);
    // As many bytes as all answers may take, and what threads reserve.
    let current = Some((status("VmSize") + 96 * MB) as u64);
    setrlimit(Resource::As, rustix::process::Rlimit { current, ..limit }).unwrap();
    for path in ANSWERS {
        let (code, _) = ask(addr, path);
        println!("{path}: {code}");
        assert!(
            ["200", "429", "500", "503"].contains(&&*code),
            "{path}: {code}"
        );
    }
    setrlimit(Resource::As, limit).unwrap();
    assert_eq!(ask(addr, "tasks?debug=1").0, "200");
    std::process::exit(passed());
}

/// Ends the process before the runtime drops 100,000 tasks, as the harness would say it.
fn passed() -> i32 {
    println!("1 passed");
    0
}
