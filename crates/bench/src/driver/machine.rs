//! Where the figures come from: the machine, the tools, the versions. Linux only.

use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use quanta::Clock;
use serde::{Deserialize, Serialize};

use super::Error;
use crate::cpu::Ticks;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// Seconds since 1970.
    pub(crate) at: u64,
    /// Seconds.
    pub(crate) took: u64,
    /// The share of the machine that other processes used meanwhile, of 1.
    pub(crate) others: f64,
    pub(crate) processor: String,
    pub(crate) processors: usize,
    pub(crate) virtual_machine: bool,
    pub(crate) clock_source: String,
    /// Nanoseconds that `Instant::now` takes.
    pub(crate) instant_ns: f64,
    /// Nanoseconds that a read of the time-stamp counter takes.
    pub(crate) counter_ns: f64,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
    pub(crate) glibc: String,
    pub(crate) rustc: String,
    pub(crate) valgrind: String,
    /// The commit of this repository, with a `+` if files had been changed since.
    pub(crate) commit: String,
}

impl Machine {
    pub(crate) fn this() -> Result<Machine, Error> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
        let changed = !said("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty();
        Ok(Machine {
            at: SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
            took: 0,
            others: 0.0,
            processor: field(&cpuinfo, "model name").unwrap_or_else(|| "unknown".into()),
            processors: std::thread::available_parallelism()?.get(),
            virtual_machine: field(&cpuinfo, "flags")
                .is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
            clock_source: fs::read_to_string(
                "/sys/devices/system/clocksource/clocksource0/current_clocksource",
            )
            .map_or_else(|_| "unknown".into(), |text| text.trim().into()),
            instant_ns: nanoseconds_each(|| {
                black_box(Instant::now());
            }),
            counter_ns: {
                let clock = Clock::new();
                nanoseconds_each(|| {
                    black_box(clock.raw());
                })
            },
            memory_bytes: field(&fs::read_to_string("/proc/meminfo")?, "MemTotal")
                .and_then(|text| text.split(' ').next()?.parse::<u64>().ok())
                .map_or(0, |kilobytes| kilobytes * 1024),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?
                .trim()
                .into(),
            glibc: said("getconf", &["GNU_LIBC_VERSION"]),
            rustc: said("rustc", &["--version"]),
            valgrind: said("valgrind", &["--version"]),
            commit: said("git", &["rev-parse", "--short", "HEAD"]) + if changed { "+" } else { "" },
        })
    }
}

/// Nanoseconds of one read, in the fastest of many batches.
fn nanoseconds_each(read: impl Fn()) -> f64 {
    const BATCH: u32 = 10_000;
    (0..100)
        .map(|_| {
            let began = Instant::now();
            (0..BATCH).for_each(|_| read());
            began.elapsed().as_secs_f64() * 1e9 / f64::from(BATCH)
        })
        .fold(f64::INFINITY, f64::min)
}

/// The first `name: value` or `name : value` of a text.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().into())
    })
}

/// The output of a program; empty if there is no such program.
fn said(program: &str, arguments: &[&str]) -> String {
    Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map_or_else(String::new, |output| {
            String::from_utf8_lossy(&output.stdout).trim().into()
        })
}

/// The version of a dependency, as it was built.
pub(crate) fn version(package: &str) -> &'static str {
    let lock = include_str!("../../Cargo.lock");
    lock.split_once(&format!("name = \"{package}\"\nversion = \""))
        .and_then(|(_, rest)| rest.split('"').next())
        .unwrap_or("unknown")
}

/// Processor time so far: of the whole machine, and of the processes that this one has started and
/// waited for.
pub(crate) struct Busy {
    machine: Ticks,
    ours: u64,
}

impl Busy {
    pub(crate) fn now() -> Result<Busy, Error> {
        let own = fs::read_to_string("/proc/self/stat")?;
        // Behind the name, which can contain anything: fields 3 and on. 14 to 17 are the times.
        let fields: Vec<&str> = own
            .rsplit_once(')')
            .ok_or("/proc/self/stat has no name")?
            .1
            .split_whitespace()
            .collect();
        let ours = fields[11..15]
            .iter()
            .map(|field| field.parse::<u64>())
            .sum::<Result<u64, _>>()?;
        Ok(Busy {
            machine: Ticks::now(),
            ours,
        })
    }

    /// The share of the machine that neither was idle nor ours.
    pub(crate) fn others_since(&self) -> Result<f64, Error> {
        let now = Busy::now()?;
        let all = (now.machine.all - self.machine.all) as f64;
        Ok(1.0 - self.machine.idle_since() - (now.ours - self.ours) as f64 / all)
    }
}
