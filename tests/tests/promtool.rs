//! The page for scrapers, read by the real promtool, with the worst labels there can be: more
//! scopes than have a series, long names, and characters that mean something.
//!
//! Names keep their places for the life of the process, so this is the only test of its binary.

// Nothing here depends on that flag, and once is enough of what takes minutes.
#![cfg(not(tokio_unstable))]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use taskscope::Scope;
use taskscope_tests::get;

/// Runs promtool on a text and returns its output. Its absence is a failure, because then nothing
/// was proven.
fn check(text: &str) -> String {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| {
            panic!("this test needs the real promtool (scripts/setup promtool): {e}")
        });
    let mut stdin = promtool.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
    let said = said.concat();
    assert_eq!(output.status.success(), said.is_empty(), "{said}");
    said
}

fn scrape(address: SocketAddr) -> String {
    let answer = get(address, "/debug/profile/metrics?format=prometheus");
    assert_eq!(answer.status, 200);
    answer.text().to_owned()
}

/// The labels of all points of that name, as they are written, and the sum of their values.
fn points(text: &str, name: &str) -> (BTreeSet<String>, f64) {
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
    let points = lines.map(|line| line.rsplit_once("} ").unwrap());
    let (labels, values): (BTreeSet<String>, Vec<f64>) = points
        .map(|(labels, value)| (labels.to_owned(), value.parse::<f64>().unwrap()))
        .unzip();
    (labels, values.iter().sum())
}

#[test]
fn promtool_finds_no_fault_with_a_hundred_scopes_and_the_rest_are_counted_together() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .name("orders \"eu\" \\ 1")
        .enable_all()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    let server = taskprof::serve("127.0.0.1:0").unwrap();
    let address = server.local_addr();
    assert_eq!(check(&scrape(address)), "", "before there is anything");

    let long = "a".repeat(200);
    let mut names = vec![
        format!("{long}1"),
        format!("{long}2"),
        "other".to_owned(),
        String::new(),
        "GET /\"quoted\"\\{id}\n# EOF\nü".to_owned(),
    ];
    let first = names.len();
    let spawn = |names: &[String]| -> Vec<Scope> {
        let scopes = names.iter().map(|name| Scope::new(name.as_str()));
        let spawned =
            scopes.inspect(|scope| drop(scope.spawn(tokio::time::sleep(Duration::from_secs(600)))));
        spawned.collect()
    };
    let mut scopes = spawn(&names);
    let _held = [
        taskscope::track("pg \"connection\"", ()),
        taskscope::track("file\\\n", ()),
    ];
    let text = scrape(address);
    assert_eq!(check(&text), "");
    let (few, tasks) = points(&text, "taskscope_scope_tasks");
    // The two long ones are the same when they are cut, and nobody is lost.
    assert_eq!((few.len(), tasks), ((first - 1) * 8, first as f64));

    names = (0..200).map(|number| format!("GET /{number}")).collect();
    scopes.extend(spawn(&names));
    let text = scrape(address);
    assert_eq!(check(&text), "");
    let (many, with) = points(&text, "taskscope_scope_tasks");
    // A hundred names, of which two are one series.
    assert_eq!(many.len(), 99 * 8);
    assert!(many.is_superset(&few), "who came first keeps the place");
    let (_, without) = points(&text, "taskscope_overflow_scope_tasks");
    assert_eq!((with, without), (100.0, (scopes.len() - 100) as f64));
    for labels in &many {
        let scope = labels
            .split("\",verdict=")
            .next()
            .unwrap()
            .strip_prefix("scope=\"")
            .unwrap();
        assert!(scope.chars().count() <= 130, "{scope}");
    }

    // The control: promtool does find faults.
    assert_ne!(
        check("# TYPE orders_counter counter\norders_counter 1\n"),
        ""
    );
}
