//! Real captures of tasks: every sample knows whose it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use taskprof::Profile;
use taskprof::cpu::{By, Cpu};
use taskprof::profile::{Label, LabelValue, Sample};
use taskscope::Scope;

use crate::go::{go_tool_pprof_ok, tmp_dir};
use crate::{block_on, my_turn};

/// Uses the processor for so long.
#[inline(never)]
pub(crate) fn burn(time: Duration) {
    let began = Instant::now();
    let mut x = 1_u64;
    while began.elapsed() < time {
        for _ in 0..200 {
            x = std::hint::black_box(x.wrapping_mul(31));
        }
    }
}

/// Two routes, a task that nobody tracks, a blocking call and a thread of no runtime, each busy
/// until it is dropped.
pub(crate) struct Service {
    stop: Arc<AtomicBool>,
    _scopes: Vec<Scope>,
    runtime: Option<tokio::runtime::Runtime>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Service {
    pub(crate) fn start() -> Service {
        let stop = Arc::new(AtomicBool::new(false));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap();
        let turns = |stop: &Arc<AtomicBool>, worth: u64| {
            let stop = Arc::clone(stop);
            async move {
                while !stop.load(Ordering::Relaxed) {
                    burn(Duration::from_millis(worth));
                    tokio::task::yield_now().await;
                }
            }
        };
        let mut scopes = Vec::new();
        let enter = runtime.enter();
        for (route, request, worth) in [("POST /orders", "r1", 3), ("GET /health", "r2", 1)] {
            let scope = Scope::new(route).label("request_id", request);
            let task = taskscope::Builder::new().name("handler");
            drop(task.scope(&scope).spawn(turns(&stop, worth)));
            scopes.push(scope);
        }
        drop(tokio::spawn(turns(&stop, 1)));
        let blocking = Arc::clone(&stop);
        drop(tokio::task::spawn_blocking(move || {
            while !blocking.load(Ordering::Relaxed) {
                burn(Duration::from_millis(1));
            }
        }));
        drop(enter);
        let elsewhere = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("elsewhere".to_owned());
        let thread = thread.spawn(move || {
            while !elsewhere.load(Ordering::Relaxed) {
                burn(Duration::from_millis(1));
            }
        });
        Service {
            stop,
            _scopes: scopes,
            runtime: Some(runtime),
            thread: Some(thread.unwrap()),
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().unwrap().join();
        self.runtime
            .take()
            .unwrap()
            .shutdown_timeout(Duration::from_secs(60));
    }
}

fn text<'a>(sample: &'a Sample, key: &str) -> Option<&'a str> {
    let label = sample.labels.iter().find(|label| label.key == key)?;
    match &label.value {
        LabelValue::Str(text) => Some(text),
        LabelValue::Num { .. } => None,
    }
}

fn nanoseconds(profile: &Profile, key: &str, value: &str) -> i64 {
    let samples = profile.samples.iter();
    let chosen = samples.filter(|sample| text(sample, key) == Some(value));
    chosen.map(|sample| sample.values[1]).sum()
}

#[test]
fn samples_know_their_route_request_and_task_and_the_rest_says_where_it_was() {
    let _turn = my_turn();
    let service = Service::start();
    let profile = block_on(Cpu::new().hz(999).seconds(2).capture()).unwrap();
    drop(service);
    let of = |key, value| nanoseconds(&profile, key, value);
    let orders = of("route", "POST /orders");
    assert!(orders > 0 && of("route", "GET /health") > 0, "{profile:?}");
    for place in ["task", "untracked task", "blocking pool", "other"] {
        assert!(of("where", place) > 0, "{place}: {:?}", profile.comments);
    }
    let of_orders = profile
        .samples
        .iter()
        .find(|sample| text(sample, "route") == Some("POST /orders"))
        .unwrap();
    for (key, value) in [
        ("name", "handler"),
        ("scope", "POST /orders"),
        ("request_id", "r1"),
        ("where", "task"),
    ] {
        assert_eq!(text(of_orders, key), Some(value));
    }
    let spawned = text(of_orders, "spawned").unwrap();
    assert!(spawned.contains("tests/cpu/tasks.rs:"), "{spawned}");
    let elsewhere = nanoseconds(&profile, "thread", "elsewhere");
    assert!(elsewhere > 0 && elsewhere <= of("where", "other"));

    // As go sees it.
    let dir = tmp_dir("cpu-tasks");
    let file = dir.join("cpu.pb.gz");
    std::fs::write(&file, taskprof::write::pprof(&profile).unwrap()).unwrap();
    let file = file.to_str().unwrap();
    let all = go_tool_pprof_ok(&["-raw", file], &dir);
    let focus = "-tagfocus=route=GET /health";
    let one = go_tool_pprof_ok(&["-tags", focus, file], &dir);
    assert!(all.contains("POST /orders"), "{all}");
    assert!(one.contains("r2") && !one.contains("r1"), "{one}");
}

#[test]
fn a_route_has_a_profile_and_a_tower_of_its_own() {
    let _turn = my_turn();
    let _service = Service::start();
    let cpu = Cpu::new().hz(500).seconds(1);
    let profile = block_on(cpu.clone().route("POST /orders").capture()).unwrap();
    let route = Label::str("route", "POST /orders");
    assert!(!profile.samples.is_empty(), "{:?}", profile.comments);
    assert!(
        profile
            .samples
            .iter()
            .all(|sample| sample.labels.contains(&route))
    );

    let profile = block_on(cpu.by(By::Route).capture()).unwrap();
    let folded = taskprof::write::folded(&profile, None).unwrap();
    for root in [
        "POST /orders;",
        "(no route: blocking pool);",
        "(no route: other);",
    ] {
        assert!(
            folded.lines().any(|line| line.starts_with(root)),
            "{root}\n{folded}"
        );
    }
}

#[test]
fn on_the_wall_every_thread_has_all_the_time_and_blocked_ones_say_in_what() {
    let _turn = my_turn();
    let _service = Service::start();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let waiting = std::thread::Builder::new().name("waits".to_owned());
    let waiting = waiting.spawn(move || stopped.recv()).unwrap();
    let profile = block_on(Cpu::new().wall().seconds(2).capture()).unwrap();
    drop(stop);
    waiting.join().unwrap().unwrap_err();
    let columns: Vec<_> = profile
        .sample_types
        .iter()
        .map(|t| format!("{}/{}", t.kind, t.unit))
        .collect();
    assert_eq!(columns, ["samples/count", "wall/nanoseconds"]);
    let seconds = |thread| nanoseconds(&profile, "thread", thread) as f64 / 1e9;
    let took = profile.duration.as_secs_f64();
    for thread in ["waits", "elsewhere"] {
        let share = seconds(thread) / took;
        assert!((0.8..1.2).contains(&share), "{thread}: {share} of {took} s");
    }
    let folded = taskprof::write::folded(&profile, None).unwrap();
    // Others wait in the same call.
    let mut lines = folded.lines();
    let waits = |line: &str| line.contains("recv") && line.contains("(blocked in futex)");
    assert!(lines.any(waits), "{folded}");
}
