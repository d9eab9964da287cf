//! A name is text in every output, whatever is in it.

use std::future::pending;

use taskscope::Scope;
use taskscope::text::{MAX_NAME, is_hidden};
use taskscope_tests::get;

const NAME: &str = "<script>alert(1)</script>\n\u{1b}[31m;evil 7";

#[test]
fn a_script_in_a_task_or_scope_name_is_text_in_every_output() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .name(NAME)
        .build()
        .unwrap();
    let server = {
        let _inside = runtime.enter();
        taskprof::serve("127.0.0.1:0").unwrap()
    };
    let task = runtime.block_on(async {
        let scope = Scope::new(NAME).label(NAME, NAME);
        scope
            .run(async { drop(taskscope::spawn_named(NAME, pending::<()>())) })
            .await;
        let (open, closed) = tokio::sync::oneshot::channel::<()>();
        drop(taskscope::spawn_named(NAME, async move {
            closed.await.unwrap_err()
        }));
        open
    });
    let page = |query: &str| get(server.local_addr(), &format!("/debug/profile{query}"));

    let dump = taskscope::DumpOptions::new().capture_blocking();
    let pages: Vec<String> = [
        "",
        "/",
        "/page/tasks",
        "/page/tasks?group=none",
        "/page/tasks?group=scope",
        "/page/scopes",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain(
        dump.tasks
            .iter()
            .map(|task| format!("/page/tasks/{}", task.id)),
    )
    .collect();
    assert_eq!(pages.len(), 8);
    for query in pages {
        let answer = page(&query);
        assert_eq!(answer.status, 200, "{query}");
        // There, as text, and nothing of it can talk to a terminal.
        assert!(
            answer.text().contains("script&gt;alert(1)"),
            "{query}: {}",
            answer.text()
        );
        assert!(
            !answer.text().contains('\u{1b}'),
            "{query}: {}",
            answer.text()
        );
    }
    for query in ["", "/", "/tasks?format=svg"] {
        let answer = page(query);
        assert_eq!(answer.status, 200, "{query}");
        assert!(
            !answer.text().contains("<script>alert"),
            "{query}: {}",
            answer.text()
        );
    }
    for query in ["/tasks?debug=1", "/tasks?debug=2", "/tasks?format=folded"] {
        let answer = page(query);
        assert!(
            answer
                .head
                .to_ascii_lowercase()
                .contains("content-type: text/plain"),
            "{}",
            answer.head
        );
        assert!(
            answer
                .head
                .to_ascii_lowercase()
                .contains("x-content-type-options: nosniff"),
            "{}",
            answer.head
        );
        assert!(
            !answer.text().contains('\u{1b}'),
            "{query}: {}",
            answer.text()
        );
        assert!(
            !answer
                .text()
                .lines()
                .any(|line| line.trim_start().starts_with("[31m")),
            "{query}: {}",
            answer.text()
        );
    }
    // In JSON it is there, whole, as a string.
    let json: serde_json::Value = serde_json::from_slice(&page("/tasks?format=json").body).unwrap();
    assert_eq!(json["tasks"][0]["name"], NAME);
    assert_eq!(json["tasks"][0]["scope"]["labels"][NAME], NAME);
    drop(task);
}

/// Names with characters of every kind that hides, reorders, ends a line or talks to a terminal;
/// and some harmless ones.
const NASTY: [&str; 16] = [
    "line\nfeed\r\nforged: 1 task",
    "\u{1b}]0;title\u{7}\u{1b}[2J",
    "c1\u{9b}2J\u{85}\u{9d}0;x\u{9c}",
    "nul\0del\u{7f}bs\u{8}tab\t",
    "bidi\u{202e}txt.exe\u{202c}",
    "isolate\u{2066}\u{2069}\u{61c}\u{200f}",
    "zero\u{200b}wi\u{200c}dt\u{200d}h\u{2060}",
    "bom\u{feff}soft\u{ad}hy\u{180e}phen",
    "tags\u{e0041}\u{e007f}\u{fe0f}",
    "separators\u{2028}\u{2029}",
    "annotation\u{fff9}\u{fffa}\u{fffb}",
    "nobody\u{ffff}\u{fdd0}\u{10ffff}",
    r"back\slash \n \u{202e} \\",
    "quote\"s ' < > & ; = { } # $(x) `y`",
    "größe 数 日本語 שלום مرحبا हिन्दी",
    "🦀 ☃ 𝒳 한글",
];

#[test]
fn nothing_that_hides_leaves_by_any_exit() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name(NASTY[2])
        .enable_all()
        .name(NASTY[4])
        .build()
        .unwrap();
    let server = {
        let _inside = runtime.enter();
        taskprof::serve("127.0.0.1:0").unwrap()
    };
    let mut held = Vec::new();
    for (at, name) in NASTY.iter().enumerate() {
        let other = NASTY[(at + 1) % NASTY.len()];
        let _inside = runtime.enter();
        let scope = Scope::new(*name).label(*name, other).label(other, *name);
        let child = scope.child(other);
        let task = taskscope::Builder::new()
            .name(*name)
            .label(other, *name)
            .scope(&child);
        let kind: &'static str = name;
        drop(task.spawn(async move {
            let _held = taskscope::Tracked::new(kind, ());
            drop(taskscope::spawn_named(kind, pending::<()>()));
            std::future::poll_fn(|cx| {
                drop(cx.waker().clone());
                std::task::Poll::<()>::Pending
            })
            .await;
        }));
        let ended = Scope::new(*name);
        drop(ended.spawn(pending::<()>()));
        held.extend([scope, child]);
    }
    let encoded = |text: &str| {
        let bytes = text.bytes();
        bytes.map(|byte| format!("%{byte:02X}")).collect::<String>()
    };
    let get = |query: &str| get(server.local_addr(), &format!("/debug/profile{query}"));

    let mut queries: Vec<String> = ["", "/", "/metrics", "/metrics?format=prometheus"]
        .map(str::to_owned)
        .into();
    for group in ["alike", "verdict", "wait", "scope", "site", "name", "none"] {
        queries.push(format!("/page/tasks?group={group}"));
    }
    for page in ["scopes", "profiles", "addresses"] {
        queries.push(format!("/page/{page}"));
    }
    for source in ["tasks", "stuck", "leaks"] {
        queries.extend([1, 2].map(|debug| format!("/{source}?debug={debug}")));
    }
    for source in ["tasks", "leaks", "stuck", "threads", "sched", "block"] {
        for format in taskprof::write::FORMATS
            .iter()
            .filter(|it| it.name != "pprof")
        {
            queries.push(format!("/{source}?format={}", format.name));
        }
    }
    for format in ["text", "json", "openmetrics", "prometheus"] {
        queries.push(format!("/runtime?format={format}"));
    }
    let dump = taskscope::DumpOptions::new().capture_blocking();
    assert!(dump.tasks.len() >= 2 * NASTY.len());
    // Others may have ended by then.
    let ours = |task: &&taskscope::TaskDump| {
        let name = task.name.as_deref();
        name.is_some_and(|name| NASTY.contains(&name))
    };
    for task in dump.tasks.iter().filter(ours).step_by(3) {
        queries.push(format!("/page/tasks/{}", task.id));
    }
    let good = queries.len();
    for name in NASTY {
        let name = encoded(name);
        queries.push(format!("/tasks?debug=1&name={name}"));
        queries.push(format!(
            "/page/tasks?group=none&q={name}&scope={name}&name={name}&site={name}&wait={name}"
        ));
        // Errors that repeat what was asked for.
        queries.push(format!("/tasks?{name}=1"));
        queries.push(format!("/tasks?format={name}"));
        queries.push(format!("/cpu?seconds={name}"));
        queries.push(format!("/captures/{name}"));
        queries.push(format!("/page/tasks/{name}"));
        queries.push(format!("/{name}"));
    }
    for (at, query) in queries.iter().enumerate() {
        let answer = get(query);
        assert!(
            at >= good || answer.status == 200,
            "{query}: {}",
            answer.text()
        );
        assert!(answer.status < 500, "{query}: {}", answer.text());
        let raw = |text: &str| {
            let hides = |c: &char| is_hidden(*c) && !matches!(c, '\n' | '\t');
            text.chars().find(hides)
        };
        assert_eq!(raw(answer.text()), None, "{query}: {}", answer.text());
        assert_eq!(
            raw(&answer.head.replace("\r\n", "\n")),
            None,
            "{query}: {}",
            answer.head
        );
        assert!(
            !answer.text().lines().any(|line| line.starts_with("forged")),
            "{query}: {}",
            answer.text()
        );
        if answer
            .head
            .to_ascii_lowercase()
            .contains("content-type: application/json")
        {
            serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap();
        }
    }
    // Letters of all scripts are as they were, and JSON holds every name as it is.
    let text = get("/tasks?debug=2").text().to_owned();
    for name in &NASTY[14..] {
        assert!(text.contains(name), "{text}");
    }
    let json: serde_json::Value = serde_json::from_slice(&get("/tasks?format=json").body).unwrap();
    let names: Vec<&str> = json["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|task| task["name"].as_str())
        .collect();
    for name in NASTY {
        assert!(names.contains(&name), "{name:?} is not among {names:?}");
    }
    drop(held);
}

#[test]
fn a_name_of_a_megabyte_is_cut_everywhere_and_says_by_how_much() {
    let long: String = "n".repeat(1 << 20);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .name(long.clone())
        .build()
        .unwrap();
    let server = {
        let _inside = runtime.enter();
        taskprof::serve("127.0.0.1:0").unwrap()
    };
    let scope = Scope::new(long.clone()).label(long.clone(), long.clone());
    let task = taskscope::Builder::new()
        .name(long.clone())
        .label(long.clone(), long.clone())
        .scope(&scope);
    {
        let _inside = runtime.enter();
        drop(task.spawn(pending::<()>()));
    }
    let dump = taskscope::DumpOptions::new()
        .named(long.clone())
        .scope_named(long.clone())
        .capture_blocking();
    // A filter with the whole name finds it.
    let [task] = &dump.tasks[..] else {
        panic!("{} tasks", dump.tasks.len());
    };
    let scope_of = task.scope.as_ref().unwrap();
    let (labels, scope_labels) = (&task.labels[0], &scope_of.labels()[0]);
    for name in [
        task.name.as_deref().unwrap(),
        scope_of.name(),
        &labels.0,
        &labels.1,
        &scope_labels.0,
        &scope_labels.1,
    ] {
        assert!(name.chars().count() <= MAX_NAME);
        let (kept, missing) = name.split_once("… (").unwrap();
        let missing = missing.strip_suffix(" more characters)").unwrap();
        let missing: usize = missing.replace(',', "").parse().unwrap();
        assert_eq!(kept.len() + missing, long.len());
    }
    for query in [
        "/",
        "/metrics",
        "/runtime",
        "/page/tasks?group=name",
        "/page/scopes",
        "/tasks?debug=2",
        "/tasks?format=json",
    ] {
        let answer = get(server.local_addr(), &format!("/debug/profile{query}"));
        assert_eq!(answer.status, 200, "{query}");
        assert!(answer.text().contains("more characters)"), "{query}");
        assert!(
            answer.body.len() < 200_000,
            "{query}: {}",
            answer.body.len()
        );
    }
    // A client's text is repeated to it as far as it is of use.
    let asked = format!("/debug/profile/tasks?{}=1", "q".repeat(30_000));
    let answer = get(server.local_addr(), &asked);
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("q\"…; known here"),
        "{}",
        answer.text()
    );
    assert!(answer.body.len() < 1_000, "{}", answer.text());
}
