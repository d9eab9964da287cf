//! Tests that the host lives: runs programs that a CPU profiler can kill, freeze or change, each in
//! a process of its own, in a short form.
//!
//! It takes arguments as any test program does. A case ends with `lived` and an exit status of
//! zero, within [`PATIENCE`]. The long form is `scripts/soak`.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that reports on its output"
)]

mod bursts;
mod often;
mod panics;
mod processes;
mod signals;
mod stacks;

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use taskprof::Profile;
use taskprof::cpu::Cpu;

/// The time after which a case has failed.
const PATIENCE: Duration = Duration::from_secs(120);
/// The last line that a case prints.
const LIVED: &str = "lived";
/// Names the case that a process is to run.
const CASE: &str = "TASKPROF_HOST_CASE";

type Case = (&'static str, fn());

static CASES: &[Case] = &[
    ("panics_by_the_thousand", panics::storm),
    ("a_rust_thread_with_16_kib_of_stack", || stacks::rust(16)),
    ("a_rust_thread_with_20_kib_of_stack", || stacks::rust(20)),
    ("a_thread_with_16_kib_left", || stacks::left(16)),
    ("a_thread_with_4_kib_left", || stacks::left(4)),
    ("a_c_thread_with_the_smallest_stack", || stacks::c(16)),
    ("a_c_thread_with_24_kib_of_stack", || stacks::c(24)),
    ("a_handler_on_its_own_alternate_stack", stacks::alternate),
    ("exec_during_a_capture", processes::exec),
    ("exec_during_a_capture_succeeded", processes::successor),
    ("fork_after_a_capture", processes::fork),
    ("exit_during_a_capture", processes::exit),
    ("the_applications_sigprof_stays_its_own", signals::sigprof),
    ("the_applications_sigurg_stays_its_own", signals::sigurg),
    ("children_inherit_nothing", signals::children),
    ("no_call_is_interrupted", signals::interrupted),
    ("captures_start_and_stop_often", often::captures),
    ("short_bursts_after_timers_are_seen", bursts::seen),
];

fn main() {
    if let Ok(name) = std::env::var(CASE) {
        let (_, case) = CASES.iter().find(|(known, _)| *known == name).unwrap();
        case();
        println!("{LIVED}");
        // Not by return: threads that are busy go on, as in a service.
        std::process::exit(0);
    }
    // A case whose name ends in this is only ever reached through another one.
    let helps = |name: &str| name.ends_with("_succeeded");
    let names = CASES.iter().map(|(name, _)| *name);
    let tests: Vec<&str> = names.filter(|name| !helps(name)).collect();
    testkit::harness::run(&tests, |name| {
        if let Err(why) = survives(name) {
            panic!("{name}: {why}");
        }
    });
}

/// Runs a case in a process of its own.
fn survives(name: &str) -> Result<(), String> {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .env(CASE, name)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = process.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = stdout.read_to_string(&mut text);
        text
    });
    let began = Instant::now();
    let status = loop {
        match process.try_wait().unwrap() {
            Some(status) => break status,
            None if began.elapsed() > PATIENCE => {
                let _ = process.kill();
                let _ = process.wait();
                return Err(format!("hangs; it said\n{}", reader.join().unwrap()));
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let text = reader.join().unwrap();
    if status.success() && text.lines().last() == Some(LIVED) {
        return Ok(());
    }
    Err(format!("{status}; it said\n{text}"))
}

/// A capture on this thread.
fn capture(cpu: Cpu) -> Result<Profile, taskprof::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(cpu.capture())
}

/// One that must give samples; what it says is printed.
fn samples(hz: i32, time: Duration) -> Profile {
    let profile = capture(taskprof::cpu().hz(hz).duration(time)).unwrap();
    println!("{}", profile.comments.join(" | "));
    assert!(profile.total(0) > 0, "no samples");
    profile
}

/// Uses the processor for so long.
fn burn(time: Duration) {
    let began = Instant::now();
    let mut x = 1_u64;
    while began.elapsed() < time {
        for _ in 0..200 {
            x = std::hint::black_box(x.wrapping_mul(31));
        }
    }
}
