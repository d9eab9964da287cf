//! A name is text in every output, whatever is in it.

use std::future::pending;

use taskscope::Scope;
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
