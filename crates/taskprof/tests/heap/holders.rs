//! Tests how much tasks, scopes and survivors hold: in dumps, reports, the page and the metrics.

use std::time::Duration;

use taskscope::{DumpOptions, Scope};

use crate::ask::{app, get};
use crate::{Holder, assert_within_five_percent, holds, sample_closely};

/// "12.1 MB" as bytes.
fn bytes(text: &str) -> f64 {
    let (number, unit) = text.split_once(' ').unwrap();
    let unit = match unit {
        "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        _ => panic!("{text}"),
    };
    number.parse::<f64>().unwrap() * unit
}

/// The number between two texts.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text
        .split(before)
        .nth(1)
        .unwrap_or_else(|| panic!("no {before:?} in\n{text}"));
    rest.split(after).next().unwrap()
}

/// Three survivors of a route with 2 MB each.
async fn survivors(route: &'static str) -> Vec<Holder> {
    let scope = Scope::new(route);
    let mut holders = Vec::new();
    for _ in 0..3 {
        holders.push(holds(&scope, "holder", 2_000_000).await);
    }
    drop(scope);
    holders
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_says_what_each_task_holds() {
    let _turn = sample_closely();
    let scope = Scope::new("GET /dump");
    let holder = holds(&scope, "holder", 6_000_000).await;
    let dump = DumpOptions::new().scope(&scope.to_ref()).capture().await;
    let mut text = Vec::new();
    taskprof::tasks::listed(&dump, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert_within_five_percent(bytes(between(&text, "  holds    ", " (sampled)")), 6e6);
    let mut json = Vec::new();
    taskprof::tasks::json(&dump, &mut json).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let held = json["tasks"][0]["held_bytes"].as_f64().unwrap();
    assert_within_five_percent(held, 6e6);
    holder.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn survivors_of_a_route_hold_memory_in_reports_and_on_the_page() {
    let _turn = sample_closely();
    let holders = survivors("POST /survivors").await;
    // Survivors count after a second: what is just about to end is none.
    let app = app();
    let asked = std::time::Instant::now();
    let leaks = loop {
        let leaks = get(&app, "/debug/pprof/leaks?debug=1").await;
        assert_eq!(leaks.status, 200);
        if leaks.text().contains("3 survivors of POST /survivors") {
            break leaks.text().to_owned();
        }
        assert!(
            asked.elapsed() < Duration::from_secs(60),
            "{}",
            leaks.text()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let sentence = between(&leaks, "3 survivors of POST /survivors hold ", " (sampled)");
    assert_within_five_percent(bytes(sentence), 6e6);
    let overview = get(&app, "/debug/pprof/").await;
    assert!(
        overview
            .text()
            .contains("3 survivors of POST /survivors hold "),
        "{}",
        overview.text()
    );
    let page = crate::ask::browse(&app, "/debug/pprof/").await;
    assert!(page.text().contains("holds (sampled)"));
    let scopes = crate::ask::browse(&app, "/debug/pprof/page/scopes").await;
    assert!(scopes.text().contains(" (sampled)"));
    let metrics = get(&app, "/debug/pprof/metrics").await;
    let line = between(
        metrics.text(),
        "taskscope_scope_held_bytes{scope=\"POST /survivors\"} ",
        "\n",
    );
    assert_within_five_percent(line.parse().unwrap(), 6e6);
    for holder in holders {
        holder.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finish_says_what_the_survivors_hold() {
    let _turn = sample_closely();
    let scope = Scope::new("GET /finish");
    let holder = holds(&scope, "holder", 5_000_000).await;
    let survivors = scope.finish(Duration::ZERO).await.unwrap_err();
    assert_within_five_percent(survivors.held().bytes() as f64, 5e6);
    let text = survivors.to_string();
    let held = between(&text, "still alive; it holds ", " (sampled)");
    assert_within_five_percent(bytes(held), 5e6);
    holder.end().await;
}

// Memory outlives its task: a cache that a request has filled is still the request's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_of_a_task_that_has_ended_belongs_to_its_route() {
    let _turn = sample_closely();
    let scope = Scope::new("GET /ended");
    let kept = scope
        .spawn(async {
            taskprof::heap::set_rate(1 << 10);
            crate::fill(4_000_000)
        })
        .await
        .unwrap();
    let profile = taskprof::heap().capture().await.unwrap();
    let held = crate::sum(&profile, "inuse_space", &[("route", "GET /ended")]);
    assert_within_five_percent(held, 4e6);
    // But no task holds it.
    let dump = DumpOptions::new().scope(&scope.to_ref()).capture().await;
    assert!(dump.tasks.is_empty());
    drop(kept);
}
