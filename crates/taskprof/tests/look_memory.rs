//! Tests the memory that a snapshot of many tasks takes and gives back: it grows with what is
//! shown, not with the tasks.
//!
//! Memory is that of a whole process, so each measurement has a process of its own: the test binary
//! again, with the name of one test.
#![cfg(target_os = "linux")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests; what was measured is shown"
)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};

const CHILD: &str = "TASKPROF_TEST_LOOK_MEMORY";
const TASKS: usize = 100_000;
const MB: usize = 1 << 20;
/// Bytes that a snapshot takes for each task whose row can be scrolled to.
const ROW: usize = 33;

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
    "page/scopes",
    "page/tasks?group=none&sort=name",
];

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs this test again, in a process of its own.
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

/// Resets `VmHWM`, which from now on is the most since then.
fn forget_the_most() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// Waits until less than this is resident, at most ten seconds. Returns what is. Nobody tells when
/// the kernel has taken pages back, so it reads the number again and again.
fn gives_back(bound: usize) -> usize {
    let begun = Instant::now();
    loop {
        let resident = status("VmRSS");
        if resident < bound || begun.elapsed() > Duration::from_secs(10) {
            return resident;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
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
    // Debug information and tables of symbols are read once in the life of a process.
    spawn(&runtime, 10);
    for path in ANSWERS {
        assert_eq!(ask(addr, path).0, "200", "{path}");
    }
    spawn(&runtime, TASKS);
    // Memory that a capture leaves in the records belongs to the tasks, not to the snapshot.
    assert_eq!(ask(addr, "tasks?debug=1&limit=1").0, "200");
    let before = status("VmRSS");
    println!("{TASKS} tasks: {} MB", before / MB);
    for path in ANSWERS {
        forget_the_most();
        let (code, bytes) = ask(addr, path);
        let most = status("VmHWM");
        // Rows can be scrolled for a minute.
        let stored = if path.contains("group=none") {
            TASKS * ROW
        } else {
            0
        };
        // Threads of the answer may be ending when its last byte has come.
        let bound = before + before / 10 + 8 * MB + stored;
        let after = gives_back(bound);
        println!(
            "{path}: {} kB, {} MB at the most, {} MB afterwards",
            bytes / 1024,
            most / MB,
            after / MB
        );
        assert_eq!(code, "200", "{path}");
        assert!(most < before + 64 * MB, "{path}: {most} after {before}");
        assert!(after < bound, "{path}: {after} after {before}");
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

/// A page of rows.
struct Rows {
    snapshot: u64,
    /// Number of rows in all.
    all: usize,
    ids: Vec<u64>,
    ended: usize,
}

impl Rows {
    fn read(addr: SocketAddr, path: &str) -> Rows {
        let path = format!("/debug/profile/page/tasks?group=none&{path}");
        let answer = testkit::get(addr, &path);
        let page = answer.text();
        assert_eq!(answer.status, 200, "{path}: {page}");
        let numbers = |name: &str| -> Vec<u64> {
            let before = format!(" {name}=\"");
            let parts = page.split(&before).skip(1);
            let values = parts.map(|part| part.split('"').next().unwrap());
            values.map(|value| value.parse().unwrap()).collect()
        };
        let rows = Rows {
            snapshot: numbers("data-snapshot")[0],
            all: numbers("data-rows")[0] as usize,
            ids: numbers("data-id"),
            ended: page.matches(">ended</th>").count(),
        };
        // The head of the table has no number.
        assert_eq!(numbers("aria-rowindex").len(), rows.ids.len() + rows.ended);
        rows
    }
}

#[test]
fn every_row_of_many_tasks_can_be_read_and_one_that_has_ended_says_so() {
    const MANY: usize = 10_000;
    if !is_child() {
        in_a_process_of_its_own(
            "every_row_of_many_tasks_can_be_read_and_one_that_has_ended_says_so",
        );
        return;
    }
    let server = taskprof::serve("127.0.0.1:0").unwrap();
    let addr = server.local_addr();
    let runtime = runtime();
    let context = runtime.enter();
    let waits = || tokio::time::sleep(Duration::from_secs(99_999));
    let mut tasks: Vec<_> = (0..MANY)
        .map(|n| taskscope::spawn_named(format!("task-{n}"), waits()))
        .collect();
    drop(context);
    let top = Rows::read(addr, "sort=id");
    let page = |from: usize| {
        Rows::read(
            addr,
            &format!("sort=id&snapshot={}&from={from}", top.snapshot),
        )
    };
    assert_eq!((top.all, top.ids.len(), top.ended), (MANY, 100, 0));
    let mut ids = Vec::new();
    for from in (0..MANY).step_by(100) {
        let rows = page(from);
        assert_eq!(
            (rows.snapshot, rows.all, rows.ended),
            (top.snapshot, MANY, 0)
        );
        ids.extend(rows.ids);
    }
    assert!(ids.is_sorted());
    ids.dedup();
    assert_eq!(ids.len(), MANY);

    // Every second one ends, and as many others come.
    runtime.block_on(async {
        for task in tasks.iter_mut().step_by(2) {
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        }
    });
    spawn(&runtime, MANY);
    let middle = page(MANY / 2);
    assert_eq!(middle.snapshot, top.snapshot);
    assert_eq!((middle.all, middle.ended), (MANY, 50));
    let odd: Vec<u64> = ids[MANY / 2..][..100]
        .iter()
        .copied()
        .skip(1)
        .step_by(2)
        .collect();
    assert_eq!(middle.ids, odd);

    // Two snapshots that hold records are stored, and no more.
    let other = Rows::read(addr, "sort=-id");
    let again = |query: &str, rows: &Rows| {
        Rows::read(
            addr,
            &format!("{query}&snapshot={}&from=100", rows.snapshot),
        )
        .snapshot
    };
    assert_eq!(again("sort=id", &top), top.snapshot);
    let third = Rows::read(addr, "sort=name");
    assert_eq!(again("sort=id", &top), top.snapshot);
    assert_eq!(again("sort=name", &third), third.snapshot);
    assert_ne!(again("sort=-id", &other), other.snapshot);
    std::process::exit(passed());
}

/// Ends the process before the runtime drops 100,000 tasks, as the harness would say it.
fn passed() -> i32 {
    println!("1 passed");
    0
}
