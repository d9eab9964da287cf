//! Measures the memory that each kind of answer about N tasks takes, and how much of it stays:
//! `look_memory [N]`. `scripts/look-memory` runs it with many.

#![expect(clippy::print_stdout, reason = "it is what it is for")]

use std::io::{Error, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const ANSWERS: [&str; 15] = [
    "metrics",
    "",
    "tasks?debug=1",
    "tasks?debug=2",
    "tasks?format=json",
    "tasks?format=svg",
    "tasks?format=pprof",
    "tasks?format=folded",
    "tasks?seconds=1&format=svg",
    "leaks?debug=1",
    "stuck?format=folded",
    "page/tasks",
    "page/tasks?group=none&sort=name",
    "page/scopes",
    "tasks?debug=1",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tasks: usize = match std::env::args().nth(1) {
        Some(tasks) => tasks.parse()?,
        None => 100_000,
    };
    let server = taskprof::serve("127.0.0.1:0")?;
    let addr = server.local_addr();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    // Debug information and tables are read once in the life of a process, so before
    // anything is measured.
    spawn(&runtime, 10);
    for path in ANSWERS {
        ask(addr, path)?;
    }
    spawn(&runtime, tasks);
    std::thread::sleep(Duration::from_secs(1));
    let before = kilobytes("VmRSS")?;
    println!("{tasks} tasks: {} MB", mb(before));
    println!(
        "{:<34} {:>6} {:>10} {:>8} {:>10} {:>8}",
        "answer", "status", "bytes", "seconds", "most MB", "after MB"
    );
    for path in ANSWERS {
        // From now on VmHWM is the most since then.
        std::fs::write("/proc/self/clear_refs", "5")?;
        let began = Instant::now();
        let (status, bytes) = ask(addr, path)?;
        let took = began.elapsed().as_secs_f64();
        let (most, after) = (kilobytes("VmHWM")?, kilobytes("VmRSS")?);
        println!(
            "{path:<34} {status:>6} {bytes:>10} {took:>8.2} {:>+10.1} {:>+8.1}",
            mb(most) - mb(before),
            mb(after) - mb(before)
        );
    }
    std::process::exit(0);
}

fn spawn(runtime: &tokio::runtime::Runtime, tasks: usize) {
    let _context = runtime.enter();
    for n in 0..tasks {
        drop(taskscope::spawn_named(
            format!("task-{n}"),
            tokio::time::sleep(Duration::from_secs(99_999)),
        ));
    }
}

fn kilobytes(name: &str) -> Result<u32, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.ok_or("no such line")?.parse()?)
}

fn mb(kilobytes: u32) -> f64 {
    f64::from(kilobytes) / 1024.0
}

/// The status, and how many bytes came; they are not kept.
fn ask(addr: SocketAddr, path: &str) -> Result<(String, usize), Error> {
    let mut stream = TcpStream::connect(addr)?;
    let slash = if path.is_empty() { "" } else { "/" };
    write!(
        stream,
        "GET /debug/profile{slash}{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let (mut buffer, mut head, mut bytes) = (vec![0; 64 * 1024], String::new(), 0);
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        if bytes == 0 {
            head = String::from_utf8_lossy(&buffer[..read]).into_owned();
        }
        bytes += read;
    }
    let status = head.split(' ').nth(1).unwrap_or("none").to_owned();
    Ok((status, bytes))
}
