//! Every workload runs with every variant on both flavours. Whether a figure is good is no question here.

use std::process::Command;

use serde_json::Value;

const VARIANTS: [&str; 7] = [
    "bare",
    "tokio-metrics",
    "tracing-span",
    "async-backtrace",
    "await-tree",
    "taskscope",
    "taskscope-in-scope",
];

fn measure(workload: &str, variant: &str, runtime: &str, n: u64) -> Value {
    let case = format!("{workload}, {variant}, {runtime}");
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["one", "--workload", workload, "--variant", variant])
        .args(["--runtime", runtime, "-n", &n.to_string()])
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{case}: {output:?}");
    serde_json::from_slice(&output.stdout).expect("the program prints JSON")
}

#[test]
fn operations_and_memory_are_measured_with_every_variant() {
    for runtime in ["current", "multi"] {
        for variant in VARIANTS {
            for workload in ["spawn", "self-wake", "ping-pong"] {
                assert!(measure(workload, variant, runtime, 4000)["cpu_ns"][0].is_number());
            }
            assert!(measure("idle", variant, runtime, 1000)["allocated_bytes"][0].is_number());
        }
    }
}

#[test]
fn dumps_see_every_idle_task() {
    for variant in ["async-backtrace", "await-tree", "taskscope"] {
        for workload in ["dump-alike", "dump-mixed"] {
            let values = measure(workload, variant, "multi", 600);
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
    for variant in ["bare", "taskscope"] {
        assert!(measure("http", variant, "multi", 1)["per_second"][0].is_number());
        assert!(measure("http-dumps", variant, "multi", 1)["per_second_with_dumps"][0].is_number());
    }
}
