//! Arbitrary paths, queries and headers: never a panic, never markup of a client's in a page.
//!
//! What once failed stays in `tests/corpus/requests.txt`, with what is worth trying every time.

use axum::body::Body;
use axum::http::{Method, Request};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};

use crate::ask::{Answer, app, send};

/// Markup that a hostile client sends, and that no page may have as it is.
const MARK: &str = "<b id=x>";

fn harmless(asked: &str, answer: &Answer) -> Result<(), TestCaseError> {
    prop_assert_ne!(answer.status.as_u16(), 500, "{}", asked);
    let content_type = answer.header("content-type").unwrap_or_default();
    if content_type.contains("html") || content_type.contains("xml") {
        prop_assert!(
            !answer.text().contains(MARK),
            "{}: {}",
            asked,
            answer.text()
        );
    }
    if !answer.status.is_success() && !answer.body.is_empty() {
        let text = answer.text();
        prop_assert_eq!(text.lines().count(), 1, "{}: {}", asked, text);
        prop_assert!(
            !text
                .trim_end_matches('\n')
                .contains(|c: char| c.is_control()),
            "{}: {:?}",
            asked,
            text
        );
    }
    prop_assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    Ok(())
}

/// Sends a request, if one can be made of these.
fn request(method: &str, target: &str, header: (&str, &[u8])) -> Option<Request<Body>> {
    Request::builder()
        .method(Method::from_bytes(method.as_bytes()).ok()?)
        .uri(target)
        .header(header.0, header.1)
        .body(Body::empty())
        .ok()
}

/// Percent-encodes what a target cannot hold.
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Captures take time, which a fuzzer has not.
fn takes_time(target: &str) -> bool {
    ["/cpu", "/profile", "seconds"]
        .iter()
        .any(|part| target.contains(part))
}

#[tokio::test]
async fn the_kept_corpus_of_requests_harms_nothing() {
    let app = app();
    let mut asked = 0;
    for line in include_str!("../corpus/requests.txt").lines() {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let (method, target) = line.split_once(' ').unwrap();
        let request = request(method, target, ("accept", b"text/html")).expect(line);
        let answer = send(&app, request).await;
        harmless(line, &answer).unwrap();
        asked += 1;
    }
    assert!(asked > 40);
}

#[test]
fn arbitrary_requests_harm_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let app = app();
    let page = prop_oneof![
        4 => prop::sample::select(vec![
            "", "/", "/tasks", "/stuck", "/leaks", "/threads", "/symbol", "/cmdline", "/block", "/lock", "/mutex", "/goroutine", "/threadcreate",
            "/heap", "/trace", "/captures/1", "/captures/2", "/page/tasks", "/page/tasks/1", "/page/scopes", "/page/addresses", "/page/capture",
        ])
        .prop_map(str::to_owned),
        1 => ".{0,20}".prop_map(|text| format!("/{}", encoded(&text))),
        1 => "/captures/.{0,8}".prop_map(|text| text.chars().filter(char::is_ascii_graphic).collect()),
    ];
    let name = prop_oneof![
        6 => prop::sample::select(vec![
            "format", "debug", "base", "limit", "min_age", "verdict", "scope", "name", "stacks", "x", "y", "s", "gc", "q", "wait", "site",
            "group", "sort", "from", "look", "suspects", "source",
        ])
        .prop_map(str::to_owned),
        1 => ".{0,10}".prop_map(|text| encoded(&text)),
        1 => Just(encoded(MARK)),
    ];
    let value = prop_oneof![
        4 => prop::sample::select(vec![
            "svg", "icicle", "folded", "text", "traces", "json", "pprof", "speedscope", "0", "1", "2", "3", "-1", "none", "idle", "",
        ])
        .prop_map(str::to_owned),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        2 => ".{0,30}".prop_map(|text| encoded(&text)),
        1 => Just(encoded(MARK)),
        1 => "[%0-9a-fA-F]{0,6}",
    ];
    let query = prop::collection::vec((name, value), 0..4);
    let method = prop::sample::select(vec!["GET", "HEAD", "POST", "DELETE", "OPTIONS"]);
    let header = (
        prop::sample::select(vec![
            "accept",
            "host",
            "cookie",
            "range",
            "accept-encoding",
            "content-type",
        ]),
        prop::collection::vec(any::<u8>(), 0..20),
    );
    let mut runner = TestRunner::new(Config {
        cases: 400,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/corpus/proptest-regressions-requests.txt"
        )))),
        ..Config::default()
    });
    runner
        .run(
            &(method, page, query, header),
            |(method, page, query, header)| {
                let query: Vec<String> = query
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                let target = format!("/debug/pprof{page}?{}", query.join("&"));
                if takes_time(&target) {
                    return Ok(());
                }
                let Some(request) = request(method, &target, (header.0, &header.1)) else {
                    return Ok(());
                };
                let answer = runtime.block_on(send(&app, request));
                harmless(&format!("{method} {target} {header:?}"), &answer)
            },
        )
        .unwrap();
}
