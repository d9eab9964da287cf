//! Tests captures that are over: their addresses, differences, the page that leads there, and how
//! many there may be.

use axum::Router;
use axum::http::Method;

use crate::ask::{app, ask, browse, get};
use crate::busy::Busy;
use crate::{my_turn, xml};

const GONE: &str = "there is no such capture, or it is not kept any more: 32 are kept at the most, and page/profiles lists them\n";

/// Captures in no time, and gives its number.
async fn snapshot(app: &Router) -> u64 {
    let answer = get(app, "/debug/pprof/threads?format=folded").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let kept = answer.header("content-location").unwrap();
    let number = kept.strip_prefix("captures/").unwrap();
    number
        .strip_suffix("?format=folded")
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn a_finished_capture_has_an_address_of_its_own_in_every_format() {
    let _turn = my_turn();
    let _busy = Busy::start("grinder");
    let app = app();
    let first = get(&app, "/debug/pprof/cpu?seconds=1&format=folded").await;
    assert_eq!(
        first.header("content-location"),
        Some("captures/1?format=folded")
    );
    let again = get(&app, "/debug/pprof/captures/1?format=folded").await;
    assert_eq!(again.status, 200);
    assert_eq!(again.text(), first.text(), "the same, not a new one");
    assert!(again.text().contains("Grinder<"), "{}", again.text());
    for format in taskprof::write::FORMATS {
        let path = format!("/debug/pprof/captures/1?format={}", format.name);
        for method in [Method::GET, Method::HEAD] {
            let answer = ask(&app, method.clone(), &path).await;
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(
                answer.header("content-type"),
                Some(format.content_type),
                "{path}"
            );
            let disposition = answer.header("content-disposition").unwrap();
            let file = format!("attachment; filename=\"cpu-1.{}\"", format.extension);
            assert_eq!(
                disposition,
                if format.inline { "inline" } else { &file },
                "{path}"
            );
            assert_eq!(answer.body.is_empty(), method == Method::HEAD, "{path}");
        }
    }
    let svg = get(&app, "/debug/pprof/captures/1?format=svg&x=1&y=2&s=work").await;
    assert!(
        xml::xml_texts(svg.text())
            .iter()
            .any(|text| text.contains("cpu, capture 1"))
    );
    let page = get(&app, "/debug/pprof/page/profiles").await;
    assert!(
        page.text().contains("href=\"../captures/1?format=svg\""),
        "{}",
        page.text()
    );
}

#[tokio::test]
async fn what_is_not_kept_is_404_and_bad_parameters_are_400() {
    let app = app();
    snapshot(&app).await;
    for id in ["0", "2", "-1", "x", "18446744073709551616", "%3Cb%3E"] {
        let answer = get(&app, &format!("/debug/pprof/captures/{id}")).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (404, GONE), "{id}");
    }
    for (query, status, sentence) in [
        (
            "format=gif",
            400,
            "parameter format must be one of pprof, svg",
        ),
        (
            "seconds=1",
            400,
            "unknown parameter \"seconds\"; known here: format, base\n",
        ),
        (
            "x=1",
            400,
            "unknown parameter \"x\"; known here: format, base\n",
        ),
        (
            "base=x",
            400,
            "parameter base must be a whole number from 1 to 18446744073709551615, not \"x\"\n",
        ),
        (
            "base=9",
            404,
            "capture 9, the base, is not kept here, or not any more; page/profiles lists what is\n",
        ),
    ] {
        let answer = get(&app, &format!("/debug/pprof/captures/1?{query}")).await;
        assert_eq!(answer.status, status, "{query}");
        assert!(answer.text().starts_with(sentence), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_difference_in_a_format_without_negative_values_is_refused_before_anything_is_captured() {
    let app = app();
    let base = snapshot(&app).await;
    let begun = std::time::Instant::now();
    for path in [
        format!("threads?format=speedscope&base={base}"),
        "threads?format=speedscope&seconds=300".to_owned(),
        format!("tasks?format=speedscope&seconds=300&base={base}"),
        format!("captures/{base}?format=speedscope&base={base}"),
    ] {
        let answer = get(&app, &format!("/debug/pprof/{path}")).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text());
        assert_eq!(
            answer.text(),
            "format speedscope cannot show a difference, because it has no negative values; choose one of pprof, svg, icicle, text, \
             traces, folded, json, or leave base and seconds out\n",
            "{path}"
        );
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(60));
    // The controls: what is no difference is shown, and so is a difference elsewhere.
    for path in [
        "threads?format=speedscope".to_owned(),
        format!("captures/{base}?format=speedscope"),
        format!("captures/{base}?format=svg&base={base}"),
    ] {
        let answer = get(&app, &format!("/debug/pprof/{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    for (path, offers) in [
        ("page/profiles?open=1", true),
        ("page/profiles?open=2&base=1", false),
    ] {
        let page = get(&app, &format!("/debug/pprof/{path}")).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text());
        let (_, shown) = page.text().split_once("Download as ").unwrap();
        let (shown, _) = shown.split_once("</p>").unwrap();
        assert_eq!(
            shown.contains("format=speedscope"),
            offers,
            "{path}: {shown}"
        );
    }
}

#[tokio::test]
async fn a_base_gives_the_difference_and_one_of_another_kind_is_refused() {
    let app = app();
    let base = snapshot(&app).await;
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let (started, is_started) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("newcomer".to_owned())
        .spawn(move || {
            started.send(()).unwrap();
            ended.recv().unwrap_err();
        })
        .unwrap();
    is_started.recv().unwrap();
    // A thread more is a line more, and those that have not changed are none.
    let difference = get(
        &app,
        &format!("/debug/pprof/threads?format=text&base={base}"),
    )
    .await;
    assert!(
        difference.text().contains("newcomer"),
        "{}",
        difference.text()
    );
    let itself = get(
        &app,
        &format!("/debug/pprof/captures/{base}?format=text&base={base}"),
    )
    .await;
    assert!(
        itself.text().starts_with("threads profile: total 0\n"),
        "{}",
        itself.text()
    );
    let svg = get(
        &app,
        &format!("/debug/pprof/threads?format=svg&base={base}"),
    )
    .await;
    assert!(
        xml::xml_texts(svg.text())
            .iter()
            .any(|text| text.contains("against 1"))
    );
    drop(end);
    thread.join().unwrap();

    let other = get(&app, &format!("/debug/pprof/tasks?format=text&base={base}")).await;
    assert_eq!(other.status, 400);
    assert!(
        other
            .text()
            .starts_with("profiles of different sample types cannot be combined"),
        "{}",
        other.text()
    );
}

#[tokio::test]
async fn a_browser_gets_a_page_that_leads_to_the_capture() {
    let _turn = my_turn();
    let app = app();
    let page = browse(
        &app,
        "/debug/pprof/cpu?seconds=1&format=svg&s=%22%3E%3C/script%3E'",
    )
    .await;
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let text = page.text();
    assert!(text.contains("Capturing cpu for 1 s"), "{text}");
    let to = "captures/1?format=svg&s=%22%3E%3C%2Fscript%3E%27";
    assert!(
        text.contains(&format!("location.replace(\"{to}\")")),
        "{text}"
    );
    assert!(
        text.contains(&format!("href=\"{}\"", to.replace('&', "&amp;"))),
        "{text}"
    );
    assert!(text.ends_with("</html>\n"), "{text}");
    assert_eq!(get(&app, &format!("/debug/pprof/{to}")).await.status, 200);
    // A moment needs no progress, and Go's names have no pages.
    for path in ["threads?format=svg", "profile?seconds=1"] {
        let answer = browse(&app, &format!("/debug/pprof/{path}")).await;
        assert_ne!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8"),
            "{path}"
        );
    }
    // Nor does a mistake begin one.
    let answer = browse(&app, "/debug/pprof/cpu?seconds=0").await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn too_many_captures_are_429_with_a_time_to_ask_again() {
    let app = app();
    let path = "/debug/pprof/threads?seconds=300";
    let mut running = Vec::new();
    for _ in 0..32 {
        let app = app.clone();
        let mut request = Box::pin(async move { get(&app, path).await.status });
        // Polled once, it has taken its place.
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(request.as_mut().poll(&mut context).is_pending());
        running.push(request);
    }
    for path in [
        path,
        "/debug/pprof/cpu?seconds=1",
        "/debug/pprof/profile?seconds=1",
    ] {
        let answer = get(&app, path).await;
        assert_eq!(answer.status, 429, "{path}");
        assert_eq!(answer.header("retry-after"), Some("2"));
        assert_eq!(
            answer.text(),
            "32 captures are running here, and more are not started; ask again when one has ended\n"
        );
    }
    // A look at this moment is in nobody's way, and neither is the next one when one has gone.
    assert_eq!(get(&app, "/debug/pprof/threads").await.status, 200);
    drop(running.pop());
    assert_eq!(
        get(&app, "/debug/pprof/threads?seconds=1").await.status,
        200
    );
}

#[tokio::test]
async fn a_panicking_or_stuck_asker_leaves_nothing_behind() {
    let app = app();
    // Dropped before it is over: the places are free again.
    for _ in 0..100 {
        let mut request = Box::pin(get(&app, "/debug/pprof/threads?seconds=300"));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(request.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(
        get(&app, "/debug/pprof/threads?seconds=1").await.status,
        200
    );
}
