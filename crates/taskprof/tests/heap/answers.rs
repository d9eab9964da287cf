//! What the profiles say: by route and task, to Go's tool, as JSON, over HTTP.

use taskprof::write;
use taskscope::Scope;

use crate::ask::{app, ask, get};
use crate::go::{go_tool_pprof_ok, tmp_dir};
use crate::{assert_within_five_percent, holds, sample_closely, sum};

const MEGABYTE: usize = 1_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_known_by_route_and_task() {
    let _turn = sample_closely();
    let (orders, items) = (Scope::new("POST /known"), Scope::new("GET /known"));
    let mut holders = Vec::new();
    for (scope, task, megabytes) in [
        (&orders, "audit", 12),
        (&items, "cache", 8),
        (&items, "index", 10),
    ] {
        holders.push(holds(scope, task, megabytes * MEGABYTE).await);
        // At this rate that nearly fills the queue: each is added up before the next, however busy
        // the machine is.
        taskprof::heap().capture().await.unwrap();
    }
    let profile = taskprof::heap().capture().await.unwrap();
    for (route, task, megabytes) in [
        ("POST /known", "audit", 12),
        ("GET /known", "cache", 8),
        ("GET /known", "index", 10),
    ] {
        let labels = [("route", route), ("task", task)];
        let truth = (megabytes * MEGABYTE) as f64;
        assert_within_five_percent(sum(&profile, "inuse_space", &labels), truth);
        assert_within_five_percent(sum(&profile, "alloc_space", &labels), 2.0 * truth);
        let objects = truth / 4000.0;
        let estimate = sum(&profile, "inuse_objects", &labels);
        assert!(
            (0.7..1.3).contains(&(estimate / objects)),
            "{estimate} of {objects}"
        );
    }
    // The same in the eyes of Go's tool.
    let dir = tmp_dir("heap");
    let file = dir.join("heap.pb.gz");
    std::fs::write(&file, write::pprof(&profile).unwrap()).unwrap();
    let file = file.to_str().unwrap();
    let focused = |focus: &str, index: &str| {
        let arguments = [
            "-top",
            "-unit=B",
            &format!("-sample_index={index}"),
            &format!("-tagfocus={focus}"),
            file,
        ];
        let text = go_tool_pprof_ok(&arguments, &dir);
        // "Showing nodes accounting for 24100000B, 45.1% of 53400000B total".
        let shown = text.split("accounting for ").nth(1).unwrap();
        let number: f64 = shown.split('B').next().unwrap().parse().unwrap();
        (number, text)
    };
    let (bytes, text) = focused("route=POST /known", "inuse_space");
    assert_within_five_percent(bytes, 12e6);
    assert!(text.contains("heap::fill"), "{text}");
    assert!(!text.contains("__rust_alloc"), "{text}");
    assert_within_five_percent(focused("task=index", "alloc_space").0, 20e6);
    // And as JSON.
    let json: serde_json::Value = serde_json::from_str(&write::json(&profile).unwrap()).unwrap();
    let cache: i64 = json["samples"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|sample| sample["labels"]["task"] == "cache")
        .map(|sample| sample["values"][3].as_i64().unwrap())
        .sum();
    assert_within_five_percent(cache as f64, 8e6);
    for holder in holders {
        holder.end().await;
    }
    let after = taskprof::heap().capture().await.unwrap();
    let held = |route| sum(&after, "inuse_space", &[("route", route)]);
    assert!(held("POST /known") < 1e5 && held("GET /known") < 1e5);
    // What was allocated stays.
    assert_within_five_percent(
        sum(&after, "alloc_space", &[("route", "POST /known")]),
        24e6,
    );
}

#[tokio::test]
async fn the_columns_are_those_of_go() {
    let _turn = sample_closely();
    let heap = taskprof::heap().capture().await.unwrap();
    let allocs = taskprof::allocs().capture().await.unwrap();
    for (profile, first) in [(&heap, "inuse_space"), (&allocs, "alloc_space")] {
        let columns: Vec<_> = profile
            .sample_types
            .iter()
            .map(|column| format!("{}/{}", column.kind, column.unit))
            .collect();
        assert_eq!(
            columns,
            [
                "alloc_objects/count",
                "alloc_space/bytes",
                "inuse_objects/count",
                "inuse_space/bytes"
            ]
        );
        assert_eq!(profile.default_sample_type.as_deref(), Some(first));
        let period = profile.period_type.as_ref().unwrap();
        assert_eq!((&*period.kind, &*period.unit), ("space", "bytes"));
        assert_eq!(profile.period, 1 << 10);
    }
}

#[tokio::test]
async fn gos_clients_find_both_under_their_names() {
    let _turn = sample_closely();
    let app = app();
    for (path, name) in [
        ("heap", "heap"),
        ("heap?gc=1", "heap"),
        ("heap?debug=0", "heap"),
        ("allocs", "allocs"),
        ("heap?seconds=1", "heap-delta"),
        ("allocs?seconds=1", "allocs-delta"),
    ] {
        for method in ["GET", "HEAD"] {
            let method = axum::http::Method::from_bytes(method.as_bytes()).unwrap();
            let answer = ask(&app, method.clone(), &format!("/debug/pprof/{path}")).await;
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(
                answer.header("content-type"),
                Some("application/octet-stream")
            );
            assert_eq!(
                answer.header("content-disposition"),
                Some(&*format!("attachment; filename=\"{name}\"")),
                "{path}"
            );
            if method == axum::http::Method::GET {
                assert!(answer.body.starts_with(&[0x1f, 0x8b]), "{path}");
            }
        }
    }
    let text = get(&app, "/debug/pprof/heap?debug=1").await;
    assert_eq!(text.status, 200);
    assert!(
        text.text().starts_with("inuse_space profile: total "),
        "{}",
        text.text()
    );
    let both = get(&app, "/debug/pprof/heap?debug=1&seconds=1").await;
    assert_eq!(both.status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_format_writes_it() {
    let _turn = sample_closely();
    let app = app();
    for format in write::FORMATS {
        for source in ["heap", "allocs"] {
            let path = format!("/debug/pprof/{source}?format={}", format.name);
            let answer = get(&app, &path).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            assert!(!answer.body.is_empty(), "{path}");
        }
    }
}

// In the window is what was allocated in it, and what it left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delta_is_what_has_changed_meanwhile() {
    let _turn = sample_closely();
    let scope = Scope::new("GET /delta");
    let before = holds(&scope, "before", 4 * MEGABYTE).await;
    let first = taskprof::allocs().capture().await.unwrap();
    let during = holds(&scope, "during", 4 * MEGABYTE).await;
    before.end().await;
    let second = taskprof::allocs().capture().await.unwrap();
    let delta = second.difference(&first).unwrap();
    let sum = |column, task| sum(&delta, column, &[("route", "GET /delta"), ("task", task)]);
    assert_within_five_percent(sum("alloc_space", "during"), 8e6);
    assert_within_five_percent(sum("inuse_space", "during"), 4e6);
    assert_within_five_percent(sum("inuse_space", "before"), -4e6);
    // A capture of its stack, for a test beside this one, counts as its own.
    assert!(sum("alloc_space", "before").abs() < 2e5);
    during.end().await;
}
