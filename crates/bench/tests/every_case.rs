//! Every workload runs with every variant on both flavours; without the feature `enable`, too.
//! Whether a figure is good is no question here.

use std::process::{Command, Output};

use serde_json::Value;

const PEERS: [&str; 5] = [
    "bare",
    "tokio-metrics",
    "tracing-span",
    "async-backtrace",
    "await-tree",
];
const ON: &[&str] = &["taskscope", "taskscope-in-scope", "taskscope-sampling"];
const OFF: &[&str] = &["taskscope-off"];

/// The variants that this build has beside its peers, and those that only the other one has.
const OURS: (&[&str], &[&str]) = if cfg!(feature = "enable") {
    (ON, OFF)
} else {
    (OFF, ON)
};

fn case(workload: &str, variant: &str, runtime: &str, n: u64) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command
        .args(["one", "--workload", workload, "--variant", variant])
        .args(["--runtime", runtime, "-n", &n.to_string()]);
    command
}

fn run(workload: &str, variant: &str, runtime: &str, n: u64) -> Output {
    case(workload, variant, runtime, n)
        .output()
        .expect("the program starts")
}

fn measure(workload: &str, variant: &str, runtime: &str, n: u64) -> Value {
    let case = format!("{workload}, {variant}, {runtime}");
    let output = run(workload, variant, runtime, n);
    assert!(output.status.success(), "{case}: {output:?}");
    serde_json::from_slice(&output.stdout).expect("the program prints JSON")
}

#[test]
fn operations_and_memory_are_measured_with_every_variant() {
    for runtime in ["current", "multi"] {
        for variant in PEERS.iter().chain(OURS.0) {
            for workload in ["spawn", "self-wake", "ping-pong", "clean-check"] {
                assert!(measure(workload, variant, runtime, 4000)["cpu_ns"][0].is_number());
            }
            assert!(measure("idle", variant, runtime, 1000)["allocated_bytes"][0].is_number());
        }
    }
}

#[cfg(feature = "enable")]
#[test]
fn what_sampling_says_is_compared_with_what_the_tasks_say() {
    for workload in ["known", "known-busy"] {
        let values = measure(workload, "taskscope", "multi", 1);
        assert!(values["short_told"][0].as_f64() > Some(0.0), "{values}");
        assert!(values["hogs_truth"][0].as_f64() > Some(0.0), "{values}");
    }
}

/// It would be measured all the same, as something that it is not.
#[test]
fn a_variant_of_the_other_build_is_refused() {
    for variant in OURS.1 {
        let output = run("spawn", variant, "current", 4000);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{variant}: {output:?}");
        assert!(said.contains("feature `enable`"), "{variant}: {said}");
    }
}

#[test]
fn dumps_see_every_idle_task() {
    let with_dumps = ["async-backtrace", "await-tree", "taskscope"];
    for variant in with_dumps.iter().filter(|name| !OURS.1.contains(name)) {
        for workload in ["dump-alike", "dump-mixed"] {
            let values = measure(workload, variant, "multi", 600);
            assert!(values["touch_first_ms"][0].is_number(), "{values}");
            // A ticker's task may be alive as well.
            let tasks = values["first_tasks"][0].as_f64();
            assert!(
                tasks.is_some_and(|tasks| (600.0..=601.0).contains(&tasks)),
                "{values}"
            );
        }
    }
}

#[test]
fn a_service_answers_under_load_with_and_without_dumps() {
    for variant in ["bare", OURS.0[0]] {
        assert!(measure("http", variant, "multi", 1)["per_second"][0].is_number());
        assert!(measure("http-dumps", variant, "multi", 1)["per_second_with_dumps"][0].is_number());
    }
}

#[cfg(feature = "enable")]
#[test]
fn the_endpoint_answers_while_every_worker_is_blocked() {
    let values = measure("blocked", "taskscope", "multi", 1);
    for way in ["first", "sleeping", "spinning"] {
        for page in ["index", "tasks", "cpu", "goroutine", "block"] {
            let took = &values[format!("{way}_{page}_ms")][0];
            assert!(took.as_f64() > Some(0.0), "{values}");
        }
    }
}

/// The demo is another package: `BENCH_DEMO` says where its program is. Without, the sentence that
/// says so.
#[test]
fn a_crowd_asks_the_demo_while_its_latency_is_measured() {
    for workload in ["askers", "askers-fixed"] {
        if std::env::var_os("BENCH_DEMO").is_some() {
            let values = measure(workload, "bare", "multi", 1);
            for name in ["p99_ms", "p99_ms_with_askers", "rss_after"] {
                assert!(values[name][0].as_f64() > Some(0.0), "{values}");
            }
            assert_eq!(values["failed"][0], 0.0, "{values}");
            assert!(values["answers_200"][0].as_f64() > Some(0.0), "{values}");
            assert_eq!(values["answers_other"][0], 0.0, "{values}");
        }
        for (demo, why) in [(None, "set BENCH_DEMO"), (Some("/nowhere"), "no such file")] {
            let mut command = case(workload, "bare", "multi", 1);
            command.env_remove("BENCH_DEMO");
            command.envs(demo.map(|demo| ("BENCH_DEMO", demo)));
            let output = command.output().expect("the program starts");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{output:?}");
            assert!(said.contains(why), "{said}");
        }
    }
}
