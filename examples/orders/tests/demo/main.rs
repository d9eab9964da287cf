//! The demo from end to end: the real binary, its console, and what its profiles say under load.

mod service;

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::service::{Service, run_to_end};

/// 50 requests by 32 workers, each of which places an order before it looks at it: 32 orders
/// placed, 18 of them shown.
const LOAD: [&str; 4] = ["--load", "50", "--seconds", "1"];
const PLACED: usize = 32;
const SHOWN: usize = 18;

/// A leaky service whose load is over.
fn loaded() -> Service {
    let service = Service::start(&LOAD);
    let done = service.wait_for_line("load: done");
    assert!(
        done.contains("requests     50   errors    0"),
        "all requests are answered: {done}"
    );
    service
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

/// The parts of a text between empty lines that contain a word.
fn blocks<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    text.split("\n\n")
        .filter(|block| block.contains(word))
        .collect()
}

#[test]
fn the_console_shows_progress_and_a_signal_under_load_ends_the_service_in_good_order() {
    let service = Service::start(&["--load", "50", "--seconds", "600"]);
    let progress = service.wait_for_line(" s   requests ");
    assert_says(&progress, &["errors    0", "live tasks"]);
    assert_eq!(service.stop("TERM").code(), Some(0));
}

#[test]
fn after_the_load_the_service_serves_on_until_it_is_interrupted() {
    let service = Service::start(&["--load", "20", "--seconds", "1"]);
    let done = service.wait_for_line("load: done");
    assert_says(&done, &["requests     20   errors    0", "still serving"]);
    assert_eq!(service.stop("INT").code(), Some(0));
}

#[test]
fn a_port_that_is_taken_is_an_error_that_names_the_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let free = "127.0.0.1:0";
    for (flag, other) in [("--addr", "--profile-addr"), ("--profile-addr", "--addr")] {
        let output = run_to_end(&[flag, &taken, other, free]);
        assert_eq!(output.status.code(), Some(1), "{flag}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert_says(
            &message,
            &["orders: cannot listen on", &taken, flag, "in use"],
        );
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    for arguments in [
        ["--load", "0"],
        ["--seconds", "0"],
        ["--addr", "home"],
        ["--load", "1000000"],
    ] {
        let output = run_to_end(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_says(&String::from_utf8(output.stderr).unwrap(), &[arguments[0]]);
    }
}

// With everything that it takes, the program is shown by `tests/tests/console.rs` and
// `scripts/console`.
#[test]
#[cfg(not(all(feature = "console", tokio_unstable)))]
fn a_console_that_would_show_nothing_is_an_error_that_says_what_to_build_with() {
    let output = run_to_end(&[
        "--console",
        "--addr",
        "127.0.0.1:0",
        "--profile-addr",
        "127.0.0.1:0",
    ]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert_says(
        &message,
        &["orders: no --console: ", "--cfg tokio_unstable"],
    );
    if cfg!(not(feature = "console")) {
        assert_says(&message, &["--features console"]);
    }
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
#[cfg(all(feature = "console", tokio_unstable))]
fn with_the_console_the_service_says_where_it_is_and_ends_in_good_order() {
    let service = Service::start(&["--console", "--load", "20", "--seconds", "1"]);
    assert_says(
        &service.wait_for_line("  console "),
        &["tokio-console http://127.0.0.1:"],
    );
    let done = service.wait_for_line("load: done");
    assert_says(&done, &["requests     20   errors    0"]);
    assert_eq!(service.stop("TERM").code(), Some(0));
}

#[tokio::test]
async fn the_overview_counts_what_is_alive_and_names_the_suspects() {
    let service = loaded();
    let page = service.fetch_text("").await;
    assert_says(&page, &["<!DOCTYPE html>", "./profile/page/tasks"]);
    let row = |what: &str| {
        let mut rows = page
            .split("<tr")
            .filter_map(|row| row.split("</tr>").next())
            .filter(|row| row.contains(what));
        rows.next()
            .unwrap_or_else(|| panic!("no row with {what:?} in:\n{page}"))
    };
    assert_says(row(">audit<"), &[&format!(">{PLACED}<"), "POST /orders"]);
    assert_says(row(">price-hold<"), &[&format!(">{SHOWN}<")]);
    assert_says(row(" data-verdict=\"stuck\""), &[">1<"]);
    assert_says(
        row(" data-verdict=\"outlived\""),
        &[&format!(">{}<", PLACED + SHOWN)],
    );
    let addresses = service.fetch_text("/page/addresses").await;
    assert_says(
        &addresses,
        &["../cpu?", "../tasks?debug=1", "../tasks?debug=2"],
    );
}

#[tokio::test]
async fn a_flame_graph_shows_the_functions_of_the_shop() {
    let service = Service::start(&["--load", "200", "--seconds", "600"]);
    let svg = service.fetch_text("/cpu?seconds=1&format=svg").await;
    assert_says(&svg, &["<svg", "orders::signing::sign_order"]);
}

#[tokio::test]
async fn go_reads_the_cpu_profile_and_names_the_functions_of_the_shop() {
    let service = Service::start(&["--load", "200", "--seconds", "600"]);
    let profile = service.fetch("/cpu?seconds=1").await;
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("orders-demo");
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("cpu.pb.gz");
    std::fs::write(&file, profile).unwrap();

    let output = Command::new("go")
        .args(["tool", "pprof", "-top", "-cum"])
        .arg(&file)
        .env("PPROF_TMPDIR", &dir)
        .output()
        .expect("this test needs `go tool pprof` (Debian: apt-get install golang-go)");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_says(
        &String::from_utf8(output.stdout).unwrap(),
        &["flat%", "orders::signing::sign_order"],
    );
}

#[tokio::test]
async fn surviving_tasks_are_grouped_with_the_largest_group_first() {
    let text = loaded().fetch_text("/tasks?debug=1").await;
    let (audits, holds) = (
        blocks(&text, "wait_for_acknowledgement"),
        blocks(&text, "wait_for_expiry"),
    );
    assert_eq!(
        (audits.len(), holds.len()),
        (1, 1),
        "one group each:\n{text}"
    );
    assert_says(
        audits[0],
        &[
            &PLACED.to_string(),
            "audit",
            "outlived",
            "oneshot recv",
            "POST /orders",
        ],
    );
    assert_says(
        holds[0],
        &[
            &SHOWN.to_string(),
            "price-hold",
            "outlived",
            "sleep",
            "GET /orders/{id}",
        ],
    );
    assert_says(&text, &["config-watcher", "stuck"]);
    assert!(
        text.find(audits[0]) < text.find(holds[0]),
        "most first:\n{text}"
    );
}

#[tokio::test]
async fn each_task_is_shown_with_its_scope_its_wait_and_its_async_stack() {
    let text = loaded().fetch_text("/tasks?debug=2").await;
    let audits = blocks(&text, "wait_for_acknowledgement");
    assert_eq!(audits.len(), PLACED, "{text}");
    for audit in audits {
        assert_says(
            audit,
            &[
                "audit",
                "idle",
                "outlived",
                "oneshot recv",
                "POST /orders",
                "orders::leaky::wait_for_acknowledgement",
                "orders::leaky::write_entry",
                "orders::leaky::record_audit",
                "examples/orders/src/leaky.rs:",
            ],
        );
    }
    let holds = blocks(&text, "wait_for_expiry");
    assert_eq!(holds.len(), SHOWN, "{text}");
    assert_says(holds[0], &["price-hold", "sleep", "GET /orders/{id}"]);
    let stuck = blocks(&text, "config-watcher");
    assert_eq!(stuck.len(), 1, "{text}");
    assert_says(
        stuck[0],
        &["stuck", "orders::leaky::watch_config", "leaky.rs:"],
    );
}

/// The tasks of a JSON dump by name.
fn named<'a>(dump: &'a Value, name: &str) -> Vec<&'a Value> {
    let tasks = dump["tasks"].as_array().expect("a list of tasks");
    tasks.iter().filter(|task| task["name"] == name).collect()
}

#[tokio::test]
async fn json_says_the_same_of_each_task() {
    let dump = loaded().fetch_json("/tasks?format=json").await;
    let audits = named(&dump, "audit");
    assert_eq!(audits.len(), PLACED, "{dump:#}");
    for audit in audits {
        assert!(audit["id"].is_u64(), "{audit:#}");
        assert_eq!(audit["verdict"], "outlived");
        assert_says(
            &audit.to_string(),
            &[
                "oneshot recv",
                "POST /orders",
                "orders::leaky::write_entry",
                "examples/orders/src/leaky.rs",
            ],
        );
    }
    assert_eq!(named(&dump, "price-hold").len(), SHOWN, "{dump:#}");
    let stuck = named(&dump, "config-watcher");
    assert_eq!(stuck.len(), 1, "{dump:#}");
    assert_eq!(stuck[0]["verdict"], "stuck");
}

#[tokio::test]
async fn the_fixed_service_has_no_task_that_is_stuck_or_outlived_its_request() {
    let service = Service::start(&["--fixed", "--load", "50", "--seconds", "1"]);
    service.wait_for_line("load: done");
    // The tasks of the last requests end just after their answers; the health page says when they
    // have.
    loop {
        let health = service.shop.get("/healthz").await.unwrap();
        let health: Value = serde_json::from_slice(health.body()).unwrap();
        if health["prices_held"] == 0 {
            break;
        }
    }
    let dump = service.fetch_json("/tasks?format=json").await;
    for name in ["audit", "price-hold"] {
        assert_eq!(named(&dump, name).len(), 0, "{dump:#}");
    }
    for task in dump["tasks"].as_array().expect("a list of tasks") {
        assert_ne!(task["verdict"], "stuck", "{task:#}");
        assert_ne!(task["verdict"], "outlived", "{task:#}");
    }
    assert_eq!(named(&dump, "auditor").len(), 1, "{dump:#}");
}
