//! Every source: through code, and as a page in every format.

use std::time::Duration;

use axum::http::Method;
use taskprof::source::{self, Seconds};
use taskprof::write::FORMATS;

use crate::ask::{app, ask, get};
use crate::my_turn;

#[tokio::test]
async fn every_source_is_a_page_in_every_format_and_the_list_of_addresses_links_to_each() {
    let _turn = my_turn();
    let app = app();
    let index = get(&app, "/debug/pprof/page/addresses").await;
    let index = index.text();
    for source in source::ALL {
        let name = source.name;
        assert!(index.contains(&format!("<dt>{name}</dt>")), "{name}");
        if let Err(why) = source.available() {
            assert!(why.is_unavailable());
            let shown = why.to_string().replace('<', "&lt;").replace('>', "&gt;");
            assert!(index.contains(&format!("Not here: {shown}.")), "{name}");
            let answer = get(&app, &format!("/debug/pprof/{name}?format=svg")).await;
            assert_eq!(answer.status, 404, "{name}");
            assert_eq!(answer.text(), format!("{why}\n"), "{name}");
            continue;
        }
        if source.sample_types.is_empty() {
            assert_eq!(
                get(&app, &format!("/debug/pprof/{name}")).await.status,
                200,
                "{name}"
            );
            continue;
        }
        let seconds = match source.seconds {
            Seconds::Timed => "seconds=1&",
            _ => "",
        };
        // A source that takes time is captured once, in one format. Its other formats are those of
        // any capture.
        let formats = FORMATS
            .iter()
            .take(if seconds.is_empty() { FORMATS.len() } else { 1 });
        for format in formats {
            let path = format!("/debug/pprof/{name}?{seconds}format={}", format.name);
            let answer = get(&app, &path).await;
            assert_eq!(answer.status, 200, "{path}");
            // No line for no task.
            assert!(!answer.body.is_empty() || format.name == "folded", "{path}");
            let head = ask(&app, Method::HEAD, &path).await;
            for header in ["content-type", "content-disposition"] {
                assert!(answer.header(header).is_some(), "{path}");
                assert_eq!(head.header(header), answer.header(header), "{path}");
            }
        }
    }
}

#[tokio::test]
async fn every_source_keeps_the_columns_that_it_promises() {
    let _turn = my_turn();
    for source in source::ALL {
        let mut ask = source.request();
        if source.seconds == Seconds::Timed {
            ask = ask.seconds(1);
        }
        match ask.capture().await {
            Ok(profile) => {
                let columns: Vec<_> = profile
                    .sample_types
                    .iter()
                    .map(|column| (&*column.kind, &*column.unit))
                    .collect();
                assert_eq!(columns, source.sample_types, "{}", source.name);
            }
            Err(error) if source.sample_types.is_empty() => {
                assert!(error.is_invalid_argument(), "{error}");
            }
            Err(error) => {
                assert!(error.is_unavailable(), "{error}");
                assert!(source.available().is_err());
            }
        }
    }
    assert!(source::named("threads").is_some());
    assert!(source::named("nothing").is_none());
}

#[tokio::test]
async fn stuck_and_leaked_tasks_are_told_from_those_that_wait_in_peace() {
    let (_open, closed) = tokio::sync::oneshot::channel::<()>();
    drop(taskscope::spawn_named("patient", async move {
        closed.await.unwrap_err();
    }));
    drop(taskscope::spawn_named(
        "hopeless",
        std::future::pending::<()>(),
    ));
    let (_keep, kept) = tokio::sync::oneshot::channel::<()>();
    taskscope::Scope::new("request")
        .label("route", "/orders/{id}")
        .run(async {
            drop(taskscope::spawn_named("survivor", async move {
                kept.await.unwrap_err();
            }));
            tokio::task::yield_now().await;
        })
        .await;
    tokio::task::yield_now().await;

    let mut seen = Vec::new();
    for source in [taskprof::tasks(), taskprof::stuck(), taskprof::leaks()] {
        let profile = source.capture().await.unwrap();
        let text = taskprof::write::json(&profile).unwrap();
        let names = ["patient", "hopeless", "survivor"];
        seen.push(names.map(|name| text.contains(&format!("\"name\":\"{name}\""))));
        if seen.len() == 3 {
            assert!(text.contains("\"suspect\":\"survivor\""), "{text}");
            assert!(text.contains("\"route\":\"/orders/{id}\""), "{text}");
        }
    }
    assert_eq!(
        seen,
        [
            [true, true, true],
            [false, true, false],
            [false, true, true]
        ]
    );
}

#[tokio::test]
async fn a_difference_over_time_has_only_what_has_changed() {
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let (started, is_started) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name("steady".to_owned());
    let thread = thread
        .spawn(move || {
            started.send(()).unwrap();
            ended.recv().unwrap_err();
        })
        .unwrap();
    is_started.recv().unwrap();
    let is_in = |profile: &taskprof::Profile| {
        let text = taskprof::write::folded(profile, None).unwrap();
        text.lines().any(|line| line.starts_with("steady;"))
    };
    assert!(is_in(&taskprof::threads().capture().await.unwrap()));
    let difference = taskprof::threads().seconds(1).capture().await.unwrap();
    assert!(!is_in(&difference), "{difference:?}");
    assert!(difference.duration >= Duration::from_secs(1));
    drop(end);
    thread.join().unwrap();
}

#[tokio::test]
async fn the_runtimes_are_there_as_text_json_and_metrics() {
    let guard = taskscope::register_runtime(&tokio::runtime::Handle::current());
    let app = app();
    for (query, content_type, part) in [
        ("", "text/plain; charset=utf-8", "current_thread, 1 workers"),
        (
            "?format=json",
            "application/json",
            "\"flavor\": \"current_thread\"",
        ),
        (
            "?format=openmetrics",
            taskprof::write::OPENMETRICS_TYPE,
            "# TYPE taskscope_runtime_workers gauge",
        ),
        (
            "?format=prometheus",
            taskprof::write::PROMETHEUS_TYPE,
            "taskscope_runtime_workers{",
        ),
    ] {
        let answer = get(&app, &format!("/debug/pprof/runtime{query}")).await;
        assert_eq!(answer.status, 200, "{query}");
        assert_eq!(answer.header("content-type"), Some(content_type));
        assert!(answer.text().contains(part), "{}", answer.text());
    }
    let json = source::runtime_json().await.unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
    assert!(
        source::runtime_text()
            .await
            .unwrap()
            .starts_with("runtimes: ")
    );
    drop(guard);
}

#[tokio::test]
async fn tasks_take_seconds_and_a_base_but_not_with_debug() {
    let app = app();
    for (query, status) in [
        ("seconds=1&format=json", 200),
        ("seconds=1&debug=1", 400),
        ("base=1&debug=1", 400),
        ("seconds=1&debug=0", 200),
        ("seconds=0", 400),
    ] {
        let answer = get(&app, &format!("/debug/pprof/tasks?{query}")).await;
        assert_eq!(
            answer.status,
            status,
            "{query}: {}",
            String::from_utf8_lossy(&answer.body)
        );
    }
    for source in ["stuck", "leaks"] {
        let answer = get(&app, &format!("/debug/pprof/{source}?verdict=idle")).await;
        assert_eq!(answer.status, 400, "{source} has chosen its own");
    }
}
