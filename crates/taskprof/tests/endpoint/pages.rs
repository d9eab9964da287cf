//! Tests the pages for people: links that lead somewhere behind any prefix, what each takes, and
//! captures through the form.

use std::collections::BTreeSet;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};

use crate::ask::{Answer, ask, browse, get, send};
use crate::my_turn;

/// Every link of the page, resolved as a browser does against the address of the page.
fn links(page: &str, address: &str) -> Vec<String> {
    let of = |attribute: &'static str| {
        page.split(attribute)
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&"))
    };
    of(" href=\"")
        .chain(of(" src=\""))
        .chain(of(" action=\""))
        .filter(|link| !link.starts_with("data:") && !link.starts_with('#'))
        .map(|link| {
            assert!(
                link.starts_with("./") || link.starts_with("../"),
                "relative: {link}"
            );
            let (path, query) = match link.split_once('?') {
                Some((path, query)) => (path, format!("?{query}")),
                None => (&*link, String::new()),
            };
            let mut at: Vec<&str> = address.split('/').collect();
            at.pop();
            for segment in path.split('/') {
                match segment {
                    "." => {}
                    ".." => {
                        at.pop().unwrap();
                    }
                    segment => at.push(segment),
                }
            }
            format!("{}{query}", at.join("/"))
        })
        .collect()
}

/// Follows the links of the pages, beginning at an address, and gives every address that they name.
///
/// Everything that is not a page is asked for by HEAD.
async fn walk(app: &Router, start: &str) -> BTreeSet<String> {
    let mut met = BTreeSet::from([start.to_owned()]);
    let mut ahead = vec![start.to_owned()];
    while let Some(address) = ahead.pop() {
        let is_page =
            address == start || (address.contains("/page/") && !address.ends_with("capture"));
        let answer = if is_page {
            browse(app, &address).await
        } else if address.ends_with("/capture") {
            // Where a form leads, which adds what it asks for.
            ask(app, Method::HEAD, &format!("{address}?source=leaks")).await
        } else {
            // HEAD checks the parameters and captures nothing.
            ask(app, Method::HEAD, &address).await
        };
        assert_eq!(
            answer.status,
            200,
            "{start} -> {address}: {}",
            answer.text()
        );
        if answer.header("content-type") != Some("text/html; charset=utf-8") {
            continue;
        }
        // A path is gone through once: the same page with another query has the same links.
        let path = |address: &str| address.split('?').next().unwrap().to_owned();
        let known: BTreeSet<String> = met.iter().map(|met| path(met)).collect();
        for link in links(answer.text(), &address) {
            if met.insert(link.clone()) && (!is_known_page(&known, &path(&link))) {
                ahead.push(link);
            }
        }
    }
    met
}

fn is_known_page(known: &BTreeSet<String>, path: &str) -> bool {
    path.contains("/page/") && known.contains(path)
}

#[tokio::test]
async fn links_lead_somewhere_behind_any_prefix_with_and_without_a_slash() {
    #[derive(Clone)]
    struct State;

    let _turn = my_turn();
    for prefix in ["/debug/profile", "/p", "/odd:name"] {
        // State of the outer application, and a router within a router.
        let nested: Router = Router::<State>::new()
            .nest(prefix, taskprof::router())
            .with_state(State);
        let twice: Router = Router::new().nest("/outer", nested.clone());
        let service: Router = Router::new().nest_service(prefix, taskprof::router::<()>());
        for (app, address) in [
            (&nested, prefix.to_owned()),
            (&twice, format!("/outer{prefix}")),
            (&service, prefix.to_owned()),
            (&service, format!("{prefix}/")),
        ] {
            let base = address.trim_end_matches('/');
            let taken = browse(app, &format!("{base}/page/capture?source=threads")).await;
            assert_eq!(taken.status, 303);
            let open = taken.header("location").unwrap();
            let graph = browse(app, &format!("{base}/page/{open}")).await;
            assert!(
                links(graph.text(), &format!("{base}/page/profiles"))
                    .contains(&format!("{base}/captures/1?format=svg"))
            );
            let met = walk(app, &address).await;
            for page in [
                "/page/tasks",
                "/page/scopes",
                "/page/profiles",
                "/page/addresses",
                "/page/page.css",
                "/page/page.js",
                "/cpu?seconds=5&format=svg",
                "/captures/1?format=pprof",
            ] {
                let page = format!("{base}{page}");
                assert!(met.contains(&page), "{address}: {page} in {met:?}");
            }
        }
    }
}

#[tokio::test]
async fn at_the_root_of_an_application_links_work_too() {
    let app: Router = taskprof::router();
    let met = walk(&app, "/").await;
    assert!(met.contains("/page/tasks"), "{met:?}");
}

// A property of axum of which the documentation of `router()` warns. When this fails, the warning
// can go.
#[tokio::test]
async fn nest_does_not_match_a_slash_at_the_end() {
    let app: Router = Router::new().nest("/debug/profile", taskprof::router());
    assert_eq!(get(&app, "/debug/profile/").await.status, 404);
}

#[tokio::test]
async fn a_prefix_with_markup_in_it_stays_text() {
    let app: Router = Router::new().nest("/of/{tenant}", taskprof::router());
    let page = get(&app, "/of/%22%3E%3Cscript%3E'&").await;
    assert_eq!(page.status, 200);
    let page = page.text();
    assert!(!page.contains("<script>"), "{page}");
    assert!(
        page.contains("./%22%3E%3Cscript%3E'&amp;/page/tasks"),
        "{page}"
    );
}

fn policy(answer: &Answer) -> &str {
    answer.header("content-security-policy").unwrap()
}

#[tokio::test]
async fn pages_run_only_our_script_and_graphs_stand_in_no_frame_but_ours() {
    let _turn = my_turn();
    let app = crate::ask::app();
    let mut pages = 0;
    for page in [
        "",
        "/page/tasks",
        "/page/scopes",
        "/page/profiles",
        "/page/addresses",
    ] {
        let answer = browse(&app, &format!("/debug/pprof{page}")).await;
        assert_eq!(answer.status, 200, "{page}");
        assert!(policy(&answer).contains("script-src 'self'"), "{page}");
        assert!(!policy(&answer).contains("unsafe"), "{page}");
        let text = answer.text();
        // Nothing that the policy forbids is in the page.
        assert!(
            !text.contains(" style=") && !text.contains("<style") && !text.contains(" onclick"),
            "{page}"
        );
        assert_eq!(text.matches("<script").count(), 1, "{page}");
        assert_eq!(text.matches("<h1").count(), 1, "{page}");
        pages += 1;
    }
    assert_eq!(pages, 5);
    let svg = get(&app, "/debug/pprof/threads?format=svg").await;
    assert!(
        policy(&svg).contains("frame-ancestors 'self'"),
        "{}",
        policy(&svg)
    );
    let text = get(&app, "/debug/pprof/threads?format=folded").await;
    assert!(
        policy(&text).contains("frame-ancestors 'none'"),
        "{}",
        policy(&text)
    );
}

#[tokio::test]
async fn a_terminal_gets_the_overview_as_text() {
    let app = crate::ask::app();
    let asked = |accept: &'static str| {
        let request = Request::get("/debug/pprof").header("accept", accept);
        send(&app, request.body(Body::empty()).unwrap())
    };
    // As curl asks.
    let text = asked("*/*").await;
    assert_eq!(
        text.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    for words in [
        "tracked tasks, ",
        "  stuck ",
        "  outlived ",
        "more: tasks?debug=1",
    ] {
        assert!(text.text().contains(words), "{words} in {}", text.text());
    }
    assert!(!text.text().contains('<'));
    let page = asked("text/html").await;
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
}

#[tokio::test]
async fn the_addresses_are_listed_with_their_parameters() {
    let app = crate::ask::app();
    let answer = get(&app, "/debug/pprof/page/addresses").await;
    let page = answer.text();
    for part in [
        "<code>seconds</code>",
        "<code>format</code>",
        "seconds=5&amp;format=svg",
        "<code>goroutine</code>",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[tokio::test]
async fn what_a_page_does_not_know_is_refused_with_a_sentence() {
    let app = crate::ask::app();
    for (page, status, sentence) in [
        (
            "?debug=1",
            400,
            "unknown parameter \"debug\"; none are known here",
        ),
        (
            "/page/scopes?x=1",
            400,
            "unknown parameter \"x\"; none are known here",
        ),
        (
            "/page/tasks?verdict=sad",
            400,
            "parameter verdict must be one of stuck, blocking, spinning, cancel-ignored, cancel-slow, outlived, idle, active, not \"sad\"",
        ),
        (
            "/page/tasks/seven",
            400,
            "the number of a task is a whole number",
        ),
        (
            "/page/tasks/18446744073709551615",
            404,
            "task 18446744073709551615 is not there: it has ended, or never had a record",
        ),
        (
            "/page/profiles?open=7",
            404,
            "capture 7 is not stored here, or no longer: at most 32 are stored",
        ),
        (
            "/page/capture?seconds=1",
            400,
            "parameter source is missing: what to take a profile of",
        ),
        (
            "/page/capture?source=cpu&seconds=301",
            400,
            "parameter seconds must be a whole number from 1 to 300, not \"301\"",
        ),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let answer = ask(&app, method.clone(), &format!("/debug/pprof{page}")).await;
            assert_eq!(answer.status, status, "{method} {page}");
            if method == Method::GET {
                assert_eq!(answer.text(), format!("{sentence}\n"), "{page}");
            }
        }
    }
    // The sources that are text are none to be taken.
    let answer = get(&app, "/debug/pprof/page/capture?source=cmdline").await;
    assert_eq!(answer.status, 400);
    assert!(
        answer
            .text()
            .starts_with("parameter source must be one of tasks, "),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn a_capture_through_the_form_tells_a_script_how_far_it_is_and_shows_a_browser_a_page() {
    let _turn = my_turn();
    let app = crate::ask::app();
    let address = "/debug/pprof/page/capture?source=threads&seconds=1";
    let request = Request::get(address).header("accept", "application/x-ndjson");
    let answer = send(&app, request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<serde_json::Value> = answer
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (last, before) = lines.split_last().unwrap();
    assert_eq!(last["open"], 1, "{lines:?}");
    let done: Vec<f64> = before
        .iter()
        .map(|line| line["done"].as_f64().unwrap())
        .collect();
    assert!(
        done.is_sorted() && done[0] == 0.0 && done.len() > 1,
        "{done:?}"
    );
    let page = browse(&app, address).await;
    assert!(
        page.text().contains("href=\"profiles?open=2\""),
        "{}",
        page.text()
    );
    // Without seconds nothing takes time.
    let answer = browse(&app, "/debug/pprof/page/capture?source=threads&seconds=").await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("location")),
        (303, Some("profiles?open=3"))
    );
    // Two of the same source are compared in place, two of others are not.
    let compared = browse(&app, "/debug/pprof/page/profiles?open=2&base=1").await;
    assert!(
        compared
            .text()
            .contains("/captures/2?format=svg&amp;base=1\""),
        "{}",
        compared.text()
    );
    browse(&app, "/debug/pprof/page/capture?source=leaks").await;
    let other = browse(&app, "/debug/pprof/page/profiles?open=4&base=1").await;
    assert!(
        other.text().contains("These two cannot be compared"),
        "{}",
        other.text()
    );
    assert!(!other.text().contains("<iframe"), "{}", other.text());
}
