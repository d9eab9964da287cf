//! `LEAKCHECK_REPORT`: one line of JSON for each check.

#[path = "support/child.rs"]
mod child;
#[path = "support/workspace.rs"]
mod workspace;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use workspace::Workspace;

const REPORT: &str = "LEAKCHECK_REPORT";

#[test]
fn child() {
    child::make_checks();
}

/// In a child it leaks.
#[leakcheck::test(settle(Duration::ZERO), allow(1, "told to"))]
async fn leaks_if_told() {
    if let Ok(tasks) = std::env::var("LEAKCHECK_CHILD_LEAKS") {
        for _ in 0..tasks.parse().unwrap() {
            drop(taskscope::spawn(std::future::pending::<()>()));
        }
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'));
    let parse =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(parse).collect()
}

#[test]
fn a_line_has_everything_that_the_message_has() {
    let report = child::directory("json_everything").join("leaks.jsonl");
    let said = child::run(child::checks("shop::refund: mail mail untracked").env(REPORT, &report));
    assert!(!said.passed, "{}", said.text);
    let [line] = &lines(&report)[..] else {
        panic!("one check, one line");
    };
    assert_eq!(line["version"], 1);
    assert_eq!(line["test"], "shop::refund");
    assert_eq!(line["outcome"], "leaked");
    assert_eq!(line["passed"], false);
    assert_eq!(line["count"], 3);
    assert_eq!(line["untracked"], 1);
    assert!(
        line["waited_seconds"]
            .as_f64()
            .is_some_and(|waited| waited > 0.0)
    );
    assert_eq!(
        line["ignored"],
        json!([{"rule": "name \"reaper\"", "reason": "of the fixture", "tasks": 0}])
    );
    assert_eq!(line["unused"], json!(["name \"reaper\" (of the fixture)"]));
    assert_eq!(line["listed"], json!([]));
    assert_eq!(line["allowed"], Value::Null);
    assert_eq!(line["problem"], Value::Null);
    let [group] = &line["groups"].as_array().unwrap()[..] else {
        panic!("both are alike: {line}");
    };
    assert_eq!(group["count"], 2);
    assert_eq!(group["verdict"], "idle");
    assert_eq!(group["wait"], json!(["oneshot recv"]));
    assert_eq!(group["names"], json!(["mailer"]));
    assert_eq!(group["future"], "json_report::child::mail::{{closure}}");
    assert_eq!(
        group["spawned"]["file"],
        "crates/leakcheck/tests/support/child.rs"
    );
    assert_eq!(group["detached"], 2);
    let functions: Vec<&Value> = group["branches"][0]["frames"]
        .as_array()
        .unwrap()
        .iter()
        .map(|frame| &frame["function"])
        .collect();
    assert_eq!(
        functions.last().unwrap().as_str(),
        Some("json_report::child::mail::{{closure}}")
    );
    // Each line of the message that says something has its field.
    for field in [
        "hint",
        "activity",
        "since_seconds",
        "youngest_seconds",
        "oldest_seconds",
        "holds",
        "scopes",
    ] {
        assert!(!group[field].is_null(), "{field}: {group}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn threads_and_descriptors_have_fields_of_their_own() {
    let report = child::directory("json_os").join("leaks.jsonl");
    let mut checks = child::checks("shop::refund: feed file, shop::order:");
    let said = child::run(checks.env(REPORT, &report).env(child::OS, "1"));
    assert!(!said.passed, "{}", said.text);
    let [leaking, clean] = &lines(&report)[..] else {
        panic!("two checks, two lines");
    };
    let [thread] = &leaking["threads"].as_array().unwrap()[..] else {
        panic!("one thread: {leaking}");
    };
    assert_eq!(thread["name"], "price feed");
    assert_eq!(thread["state"], "asleep");
    assert!(thread["os_id"].as_u64().is_some_and(|id| id > 1));
    assert!(thread["age_seconds"].is_f64() && thread["began_after_seconds"].is_f64());
    assert!(thread.get("waits_in").is_some());
    let [open] = &leaking["descriptors"].as_array().unwrap()[..] else {
        panic!("one descriptor: {leaking}");
    };
    let target = open["target"].as_str().unwrap();
    assert!(target.starts_with("/proc/") && target.ends_with("/cmdline"));
    assert!(open["number"].as_u64().is_some_and(|number| number > 2));
    assert_eq!(open["other_end"], Value::Null);
    // Lines that were there before do not belong to the next check.
    assert_eq!(clean["threads"], json!([]));
    assert_eq!(clean["descriptors"], json!([]));
}

#[test]
fn a_clean_check_has_a_line_as_well() {
    let report = child::directory("json_clean").join("leaks.jsonl");
    let said =
        child::run(child::checks("shop::order:, shop::refund: audit, :").env(REPORT, &report));
    assert!(!said.passed, "{}", said.text);
    let lines = lines(&report);
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["test"].as_str(),
                line["outcome"].as_str(),
                line["count"].as_u64(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (Some("shop::order"), Some("clean"), Some(0)),
            (Some("shop::refund"), Some("leaked"), Some(1)),
            (None, Some("clean"), Some(0)),
        ]
    );
}

#[test]
fn a_test_of_the_attribute_is_named_and_what_is_allowed_is_told() {
    for (tasks, passed, outcome) in [
        ("0", true, "clean"),
        ("1", true, "known"),
        ("2", false, "leaked"),
    ] {
        let report = child::directory("json_attribute").join("leaks.jsonl");
        let mut test = child::test("leaks_if_told");
        let said = child::run(
            test.env(REPORT, &report)
                .env("LEAKCHECK_CHILD_LEAKS", tasks),
        );
        assert_eq!(said.passed, passed, "{}", said.text);
        let line = &lines(&report)[0];
        assert_eq!(line["test"], "json_report::leaks_if_told");
        assert_eq!(line["outcome"], outcome);
        assert_eq!(line["passed"], passed);
        assert_eq!(line["allowed"], json!({"tasks": 1, "reason": "told to"}));
        let unused = match outcome {
            "clean" => json!(["up to 1 task (told to)"]),
            _ => json!([]),
        };
        assert_eq!(line["unused"], unused);
        let named = said.text.contains("(test json_report::leaks_if_told)");
        assert_eq!(named, !passed, "{}", said.text);
    }
}

/// The control of all tests above.
#[test]
fn without_the_variable_nothing_is_written() {
    let directory = child::directory("json_control");
    child::run(child::checks("a: mail").current_dir(&directory));
    child::run(
        child::checks("a: mail")
            .current_dir(&directory)
            .env(REPORT, ""),
    );
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
}

/// The lines are longer than what the system writes at once into a pipe, and than a page of a file.
#[test]
fn lines_of_many_processes_do_not_mix() {
    let report = child::directory("json_many").join("leaks.jsonl");
    let children: Vec<_> = (0..8)
        .map(|child| {
            let checks: Vec<String> = (0..10)
                .map(|check| format!("shop::{child}_{check}: deep mail audit"))
                .collect();
            let mut command = child::checks(&checks.join(","));
            command.env(REPORT, &report);
            std::thread::spawn(move || child::run(&mut command))
        })
        .collect();
    for child in children {
        assert!(!child.join().unwrap().passed);
    }
    let lines = lines(&report);
    // A busy machine may give a task no time for its stack, and its line is short then.
    let long = lines.iter().filter(|line| line.to_string().len() > 4096);
    assert!(long.count() > 40);
    let tests = lines.iter().map(|line| line["test"].as_str().unwrap());
    let mut tests: Vec<&str> = tests.collect();
    tests.sort();
    tests.dedup();
    assert_eq!(tests.len(), 80);
}

#[test]
fn a_report_that_cannot_be_written_is_said_and_fails_nothing() {
    let directory = child::directory("json_unwritable");
    let said = child::run(child::checks("shop::order:").env(REPORT, &directory));
    assert!(said.passed, "{}", said.text);
    let start = format!(
        "leakcheck: LEAKCHECK_REPORT: nothing was written to {}: ",
        directory.display()
    );
    assert!(said.text.contains(&start), "{}", said.text);
}

/// Cargo runs the tests of each package in the package's directory.
#[test]
fn a_relative_path_is_one_from_the_root_of_the_workspace() {
    let workspace = Workspace::new("json_relative");
    let mut checks = child::checks("shop::order:");
    let said = child::run(
        checks
            .current_dir(&workspace.package)
            .env(REPORT, "leaks.jsonl"),
    );
    assert!(said.passed, "{}", said.text);
    assert_eq!(lines(&workspace.root.join("leaks.jsonl")).len(), 1);
    assert!(!workspace.package.join("leaks.jsonl").exists());
}
