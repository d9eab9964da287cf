//! Compares a profile with a known answer: each task measures the CPU time that it uses, and a
//! profile of twenty seconds must say the same, by task and by scope.
//!
//! `known_answers [SECONDS, 20] [HZ, 99]`. Prints a table; the exit status is 1 if a share is off
//! by more than three hundredths of the whole. Called by `scripts/known-answers`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program that reports on its output"
)]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use taskprof::profile::{LabelValue, Profile};
use taskscope::Scope;

/// Name and scope of each task, the microseconds that it works at a time, and the milliseconds that
/// it sleeps in between.
const TASKS: [(&str, &str, u64, u64); 6] = [
    ("price", "POST /orders", 3000, 0),
    ("stock", "POST /orders", 1000, 0),
    ("render", "GET /page", 2000, 0),
    ("session", "GET /page", 500, 1),
    ("metrics", "background", 300, 5),
    ("cleanup", "background", 5000, 50),
];

/// CPU time of this thread, in nanoseconds.
fn cpu_time() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[inline(never)]
fn work(micros: u64) -> u64 {
    let began = cpu_time();
    let mut x = 1_u64;
    loop {
        for _ in 0..500 {
            x = std::hint::black_box(x.wrapping_mul(31));
        }
        let used = cpu_time() - began;
        if used >= micros * 1000 {
            return used;
        }
    }
}

fn shares(profile: &Profile, key: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for sample in &profile.samples {
        let label = sample.labels.iter().find(|label| label.key == key);
        if let Some(LabelValue::Str(value)) = label.map(|label| &label.value) {
            *sums.entry(value.to_string()).or_default() += sample.values[1] as f64;
        }
    }
    sums
}

fn main() -> ExitCode {
    let argument = |n, default: u64| {
        std::env::args()
            .nth(n)
            .map_or(default, |it| it.parse().unwrap())
    };
    let (seconds, hz) = (argument(1, 20), argument(2, 99));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let used: Vec<Arc<AtomicU64>> = TASKS.iter().map(|_| Arc::default()).collect();
    let mut scopes = BTreeMap::new();
    for ((name, scope, micros, rest), used) in TASKS.into_iter().zip(&used) {
        let scope = scopes.entry(scope).or_insert_with(|| Scope::new(scope));
        let used = Arc::clone(used);
        let task = async move {
            loop {
                used.fetch_add(work(micros), Relaxed);
                match rest {
                    0 => tokio::task::yield_now().await,
                    rest => tokio::time::sleep(Duration::from_millis(rest)).await,
                }
            }
        };
        let builder = taskscope::Builder::new().name(name).scope(&*scope);
        drop(builder.spawn_on(runtime.handle(), task));
    }
    let before: Vec<u64> = used.iter().map(|used| used.load(Relaxed)).collect();
    let asker = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let cpu = taskprof::cpu().seconds(seconds).hz(hz as i32);
    let recorded = std::thread::spawn(move || asker.block_on(cpu.capture()).unwrap());
    std::thread::sleep(Duration::from_secs(seconds));
    let truth: Vec<f64> = used
        .iter()
        .zip(before)
        .map(|(used, before)| (used.load(Relaxed) - before) as f64)
        .collect();
    let profile = recorded.join().unwrap();
    println!("{}\n", profile.comments.join("\n"));
    let whole: f64 = truth.iter().sum();
    let mut by_scope: BTreeMap<&str, f64> = BTreeMap::new();
    for ((_, scope, ..), truth) in TASKS.iter().zip(&truth) {
        *by_scope.entry(scope).or_default() += truth;
    }
    let by_name = TASKS
        .iter()
        .zip(&truth)
        .map(|((name, ..), truth)| ("name", *name, *truth));
    let by_scope = by_scope
        .into_iter()
        .map(|(scope, truth)| ("scope", scope, truth));
    let (names, routes) = (shares(&profile, "name"), shares(&profile, "scope"));
    let mut wrong = 0;
    println!("| | used | profile | off by, of the whole |\n| --- | ---: | ---: | ---: |");
    for (key, value, truth) in by_name.chain(by_scope) {
        let found = if key == "name" { &names } else { &routes };
        let found = found.get(value).copied().unwrap_or_default();
        let off = (found - truth) / whole * 100.0;
        wrong += u8::from(off.abs() > 3.0);
        println!(
            "| {key} {value} | {:.3} s | {:.3} s | {off:+.2} % |",
            truth / 1e9,
            found / 1e9
        );
    }
    std::mem::forget(runtime);
    ExitCode::from(wrong.min(1))
}
