//! Tests Go's names as Go's clients see them: every route with every method and parameter, against
//! the answers of `net/http/pprof` of Go 1.27.

use std::io::Read as _;

use axum::http::Method;

use crate::ask::{Answer, app, ask, get};
use crate::my_turn;

const BINARY: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";

/// The expected answer to a query: status, content type, and the disposition or the first words of
/// the text.
enum Is {
    File(&'static str),
    Text(&'static str),
    Refused(u16, &'static str),
}
use Is::{File, Refused, Text};

const NOT_POSITIVE: &str = "invalid value for \"seconds\" - must be a positive integer";
const BOTH: &str = "seconds and debug params are incompatible";
const NO_HEAP: &str = "no heap sampler is installed in this process, so there is no profile of allocations; add \
     #[global_allocator] static ALLOC: taskprof::heap::Sampler<std::alloc::System> = taskprof::heap::Sampler::new(std::alloc::System); \
     to the program (any allocator can be in it)";

/// Every route. Profiles of CPU are asked for one second here, and their default is tested by HEAD.
const TABLE: &[(&str, Is)] = &[
    ("profile?seconds=1", File("profile")),
    ("profile?seconds=1&debug=1", File("profile")),
    ("profile?seconds=+1", File("profile")),
    (
        "profile?seconds=301",
        Refused(
            400,
            "parameter seconds must be a whole number from 1 to 300, not \"301\"",
        ),
    ),
    ("goroutine", File("goroutine")),
    ("goroutine?debug=0", File("goroutine")),
    ("goroutine?debug=x", File("goroutine")),
    ("goroutine?debug=1", Text("tasks: ")),
    ("goroutine?debug=2", Text("tasks: ")),
    ("goroutine?debug=3", Text("tasks: ")),
    ("goroutine?debug=-1", Text("tasks: ")),
    ("goroutine?debug=99999999999999999999", Text("tasks: ")),
    ("goroutine?seconds=", File("goroutine")),
    ("goroutine?seconds=1", File("goroutine-delta")),
    ("goroutine?seconds=1&debug=0", File("goroutine-delta")),
    ("goroutine?seconds=1&debug=1", Refused(400, BOTH)),
    ("goroutine?seconds=0", Refused(400, NOT_POSITIVE)),
    ("goroutine?seconds=-1", Refused(400, NOT_POSITIVE)),
    ("goroutine?seconds=1.5", Refused(400, NOT_POSITIVE)),
    ("goroutine?seconds=x", Refused(400, NOT_POSITIVE)),
    // Which of two mistakes is told comes from the order in which Go looks.
    ("goroutine?seconds=x&debug=1", Refused(400, NOT_POSITIVE)),
    (
        "goroutine?seconds=301",
        Refused(
            400,
            "parameter seconds must be a whole number from 1 to 300, not \"301\"",
        ),
    ),
    ("goroutine?unknown=1&gc=1&x=2", File("goroutine")),
    ("goroutineleak", File("goroutineleak")),
    ("goroutineleak?debug=1", Text("tasks: ")),
    ("goroutineleak?debug=2", Text("tasks: ")),
    ("goroutineleak?seconds=1", File("goroutineleak-delta")),
    ("goroutineleak?seconds=0", Refused(400, NOT_POSITIVE)),
    ("threadcreate", File("threadcreate")),
    ("threadcreate?debug=1", Text("threadcreate profile: total ")),
    ("threadcreate?debug=2", Text("threadcreate profile: total ")),
    ("threadcreate?seconds=1", File("threadcreate-delta")),
    ("threadcreate?seconds=1&debug=2", Refused(400, BOTH)),
    ("cmdline", Text("/")),
    ("cmdline?debug=1&seconds=x", Text("/")),
    ("symbol", Text("num_symbols: 1\n")),
    ("symbol?0x1+zz", Text("num_symbols: 1\n")),
    ("block", File("block")),
    ("block?debug=1", Text("delay profile: total ")),
    ("block?seconds=1", File("block-delta")),
    ("block?unknown=1", File("block")),
    ("block?seconds=0", Refused(400, NOT_POSITIVE)),
    ("mutex", File("mutex")),
    ("mutex?debug=2", Text("delay profile: total ")),
    ("mutex?seconds=1", File("mutex-delta")),
    ("mutex?seconds=1&debug=1", Refused(400, BOTH)),
    ("mutex?seconds=x", Refused(400, NOT_POSITIVE)),
    ("allocs", Refused(404, NO_HEAP)),
    ("heap?gc=1", Refused(404, NO_HEAP)),
    ("heap?debug=1", Refused(404, NO_HEAP)),
    (
        "trace?seconds=1",
        Refused(
            404,
            ": execution traces are a thing of Go's runtime, and tokio has none; tasks?debug=2 shows what every task does",
        ),
    ),
    (
        "nothing",
        Refused(
            404,
            "there is no such page; page/addresses lists what there is",
        ),
    ),
    (
        "%3Cscript%3E",
        Refused(
            404,
            "there is no such page; page/addresses lists what there is",
        ),
    ),
];

fn check(path: &str, answer: &Answer, is: &Is, with_body: bool) {
    assert_eq!(
        answer.header("x-content-type-options"),
        Some("nosniff"),
        "{path}"
    );
    let (status, content_type, disposition) = match is {
        File(name) => (
            200,
            BINARY,
            Some(format!("attachment; filename=\"{name}\"")),
        ),
        Text(_) => (200, TEXT, None),
        Refused(status, _) => (*status, TEXT, None),
    };
    assert_eq!(
        answer.status,
        status,
        "{path}: {}",
        String::from_utf8_lossy(&answer.body)
    );
    assert_eq!(answer.header("content-type"), Some(content_type), "{path}");
    assert_eq!(
        answer.header("content-disposition"),
        disposition.as_deref(),
        "{path}"
    );
    assert_eq!(
        answer.header("x-go-pprof"),
        matches!(is, Refused(..)).then_some("1"),
        "{path}"
    );
    if !with_body {
        assert!(answer.body.is_empty(), "{path}");
        return;
    }
    match is {
        File(_) => assert!(answer.body.starts_with(&[0x1f, 0x8b]), "{path}"),
        Text(start) => assert!(
            answer.text().starts_with(start),
            "{path}: {}",
            answer.text()
        ),
        Refused(_, sentence) => {
            let line = answer.text().strip_suffix('\n').unwrap();
            assert!(line.ends_with(sentence), "{path}: {line}");
            assert!(!line.contains('\n'), "{path}: {line}");
        }
    }
}

#[tokio::test]
async fn every_route_answers_a_get_and_a_head_as_go_does() {
    let _turn = my_turn();
    let app = app();
    for (path, is) in TABLE {
        let address = format!("/debug/pprof/{path}");
        check(path, &get(&app, &address).await, is, true);
        check(path, &ask(&app, Method::HEAD, &address).await, is, false);
    }
}

#[tokio::test]
async fn a_cpu_profile_takes_wrong_seconds_for_the_default() {
    let app = app();
    // Answered at once: a HEAD captures nothing.
    for query in [
        "",
        "?seconds=",
        "?seconds=x",
        "?seconds=0",
        "?seconds=-5",
        "?seconds=99999999999999999999",
    ] {
        let path = format!("/debug/pprof/profile{query}");
        check(
            query,
            &ask(&app, Method::HEAD, &path).await,
            &File("profile"),
            false,
        );
    }
}

#[tokio::test]
async fn other_methods_are_405_and_only_symbol_takes_a_post() {
    let app = app();
    for name in [
        "profile",
        "goroutine",
        "goroutineleak",
        "block",
        "mutex",
        "threadcreate",
        "cmdline",
        "allocs",
        "heap",
        "trace",
    ] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let answer = ask(&app, method.clone(), &format!("/debug/pprof/{name}")).await;
            assert_eq!(answer.status, 405, "{method} {name}");
            assert_eq!(answer.header("allow"), Some("GET,HEAD"), "{method} {name}");
            assert_eq!(answer.header("x-go-pprof"), Some("1"), "{method} {name}");
        }
    }
    let answer = ask(&app, Method::PUT, "/debug/pprof/symbol").await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), Some("GET,HEAD,POST"));
}

#[tokio::test]
async fn symbol_names_the_addresses_of_a_query_or_a_body() {
    let app = app();
    let here = named_by_symbol as *const () as usize;
    // Its first instruction: one less belongs to something else.
    let asked = format!("{here:#x}+zz+0x1");
    let by_get = get(&app, &format!("/debug/pprof/symbol?{asked}")).await;
    let request = axum::http::Request::post("/debug/pprof/symbol").body(asked.into());
    let by_post = crate::ask::send(&app, request.unwrap()).await;
    for answer in [by_get, by_post] {
        assert_eq!(answer.status, 200);
        let lines: Vec<&str> = answer.text().lines().collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(lines[0], "num_symbols: 1");
        assert_eq!(
            lines[1],
            format!("{here:#x} endpoint::gos::named_by_symbol")
        );
    }
    named_by_symbol();
}

#[inline(never)]
fn named_by_symbol() {
    std::hint::black_box(());
}

#[tokio::test]
async fn cmdline_has_zero_bytes_between_its_arguments_and_none_at_its_end() {
    let answer = get(&app(), "/debug/pprof/cmdline").await;
    let own: Vec<String> = std::env::args().collect();
    assert_eq!(answer.text(), own.join("\0"));
}

/// Gunzips a profile and gives its message as text, with the names of the columns as Go's own tool
/// reads them.
fn texts(answer: &Answer) -> String {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&*answer.body)
        .read_to_end(&mut bytes)
        .unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn columns_have_gos_names() {
    let _turn = my_turn();
    let app = app();
    for (name, kind) in [
        ("goroutine", "goroutine"),
        ("goroutineleak", "goroutineleak"),
        ("threadcreate", "threadcreate"),
    ] {
        for query in ["", "?seconds=1"] {
            let answer = get(&app, &format!("/debug/pprof/{name}{query}")).await;
            let texts = texts(&answer);
            assert!(texts.contains(kind) && texts.contains("count"), "{name}");
            assert!(!texts.contains("\u{5}tasks\u{12}"), "{name}");
        }
    }
}

/// Checks an answer as Grafana Alloy 1.12 does before it takes it for a profile.
fn alloy_takes(answer: &Answer) -> Result<(), String> {
    if !answer.status.is_success() {
        return Err(format!("status {}", answer.status));
    }
    if answer.body.is_empty() {
        return Err("empty".to_owned());
    }
    let content_type = answer.header("content-type").unwrap_or_default();
    if !content_type.starts_with("application/octet-stream") {
        return Err(format!("content type {content_type:?}"));
    }
    if !answer.body.starts_with(&[0x1f, 0x8b]) {
        return Err("no gzip".to_owned());
    }
    Ok(())
}

// `allocs` needs a heap sampler.
#[tokio::test]
async fn alloy_takes_what_there_is() {
    let _turn = my_turn();
    let app = app();
    for path in [
        "profile?seconds=1",
        "goroutine",
        "goroutineleak",
        "block",
        "mutex",
        "threadcreate",
    ] {
        let answer = get(&app, &format!("/debug/pprof/{path}")).await;
        assert_eq!(alloy_takes(&answer), Ok(()), "{path}");
    }
    // The control: it does not take everything.
    for path in ["cmdline", "goroutine?debug=1", "nothing", "allocs"] {
        let answer = get(&app, &format!("/debug/pprof/{path}")).await;
        assert!(alloy_takes(&answer).is_err(), "{path}");
    }
}

// A path that both know is Go's, until a parameter of ours is there.
#[tokio::test]
async fn a_shared_path_is_strict_as_soon_as_a_parameter_of_ours_is_there() {
    let app = app();
    let answer = get(&app, "/debug/pprof/cmdline?unknown=1").await;
    assert_eq!(answer.status, 200);
    let answer = get(&app, "/debug/pprof/cmdline?unknown=1&format=text").await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.text(),
        "unknown parameter \"unknown\"; known here: format\n"
    );
    let answer = get(&app, "/debug/pprof/cmdline?format=text").await;
    assert_eq!(answer.header("content-disposition"), Some("inline"));
}

// Scanners for an exposed pprof look for a page in Go's words.
#[tokio::test]
async fn no_page_has_any_of_the_words_that_scanners_look_for() {
    for prefix in ["/debug/pprof", "/debug/profile"] {
        let app = axum::Router::new().nest(prefix, taskprof::router());
        let addresses = get(&app, &format!("{prefix}/page/addresses")).await;
        let mut page = get(&app, prefix).await.text().to_lowercase();
        page.push_str(&addresses.text().to_lowercase());
        for words in [
            "types of profiles available",
            "full goroutine stack dump",
            "profile descriptions",
            "<title>/debug/pprof",
            "set debug=1 as a query parameter",
        ] {
            assert!(!page.contains(words), "{words} in {page}");
        }
        assert!(
            page.contains("tasks now") && page.contains("for clients of go"),
            "{page}"
        );
    }
}
