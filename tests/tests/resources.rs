//! Tracked resources in the views of a dump.

use serde_json::Value;
use taskscope::{Dump, DumpOptions, Scope};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// A request that has ended: its task keeps a connection and a permit, and no task holds its file.
struct Request {
    runtime: Runtime,
    dump: Dump,
    task: u64,
}

fn request() -> Request {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let file = runtime.block_on(async {
        let request = Scope::new("POST /orders").label("request_id", "r-1");
        let (acquired, all) = oneshot::channel();
        request
            .run(async {
                drop(taskscope::spawn_named("audit", async move {
                    let _held = (
                        taskscope::track("pg connection", ()),
                        taskscope::track("upload permit", ()),
                    );
                    acquired.send(()).unwrap();
                    std::future::pending::<()>().await;
                }));
                drop(taskscope::spawn_named("idle", std::future::pending::<()>()));
                all.await.unwrap();
                taskscope::track("file", ())
            })
            .await
    });
    let dump = DumpOptions::new().runtime(runtime.handle().id());
    let dump = runtime.block_on(dump.capture());
    drop(file);
    let audit = dump
        .tasks
        .iter()
        .find(|task| task.name.as_deref() == Some("audit"));
    let task = audit.unwrap().id;
    Request {
        runtime,
        dump,
        task,
    }
}

fn written(
    dump: &Dump,
    write: fn(&Dump, &mut dyn std::io::Write) -> std::io::Result<()>,
) -> String {
    let mut text = Vec::new();
    write(dump, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn paragraph<'a>(text: &'a str, word: &str) -> &'a str {
    let mut all = text.split("\n\n");
    let found = all.find(|paragraph| paragraph.contains(word));
    found.unwrap_or_else(|| panic!("no {word:?} in {text}"))
}

#[test]
fn the_text_says_what_a_task_holds_and_lists_what_is_held() {
    let request = request();
    let site = request.dump.resources[0].site;

    let list = written(&request.dump, taskprof::tasks::listed);
    let task = paragraph(&list, "\"audit\" [");
    assert!(task.contains("\n  holds    pg connection for "), "{task}");
    assert!(task.contains(&format!(", acquired at {site}\n")), "{task}");
    assert!(task.contains("\n  holds    upload permit for "), "{task}");
    assert!(!paragraph(&list, "\"idle\" [").contains("holds"), "{list}");
    let held = paragraph(&list, "resources: ");
    assert!(
        held.starts_with("resources: 3 held, 3 of them past the end of their scope\n"),
        "{held}"
    );
    let by = format!(
        " by task {} \"audit\" for \"POST /orders\", which ended ",
        request.task
    );
    assert_eq!(held.matches(&by).count(), 2, "{held}");
    assert!(held.contains(" by no task for \"POST /orders\""), "{held}");

    let groups = written(&request.dump, taskprof::tasks::grouped);
    let group = paragraph(&groups, "  name     audit\n");
    assert!(
        group.contains("\n  holds    1 pg connection, 1 upload permit\n"),
        "{group}"
    );
    let held = paragraph(&groups, "resources: ");
    let by = format!(", last used by task {} \"audit\" (alive)\n", request.task);
    assert_eq!(held.matches(&by).count(), 2, "{held}");
    assert!(
        held.contains("  1 file for up to ") && held.contains("last used by no task\n"),
        "{held}"
    );
}

#[test]
fn the_json_has_the_same() {
    let request = request();
    let json = written(&request.dump, taskprof::tasks::json);
    let json: Value = serde_json::from_str(&json).unwrap();
    let tasks = json["tasks"].as_array().unwrap();
    let holds = |name: &str| &tasks.iter().find(|task| task["name"] == name).unwrap()["holds"];
    assert_eq!(
        *holds("audit"),
        serde_json::json!(["pg connection", "upload permit"])
    );
    assert_eq!(*holds("idle"), serde_json::json!([]));
    let [connection, _, file] = &json["resources"].as_array().unwrap()[..] else {
        panic!("{json}")
    };
    assert_eq!(connection["kind"], "pg connection");
    assert!(connection["age_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(connection["acquired"]["file"], file!());
    let holder = serde_json::json!({"task": request.task, "name": "audit", "state": "alive"});
    assert_eq!(connection["acquired_by"], holder);
    assert_eq!(connection["last_used_by"], holder);
    assert_eq!(connection["scope"]["name"], "POST /orders");
    assert_eq!(connection["scope"]["labels"]["request_id"], "r-1");
    assert_eq!(connection["scope"]["end_reason"], "scope ended");
    assert_eq!(connection["leak_suspect"], true);
    assert_eq!(
        (&file["kind"], &file["acquired_by"]),
        (&"file".into(), &Value::Null)
    );
}

/// The control: without resources there is nothing to say.
#[test]
fn nothing_is_said_where_nothing_is_held() {
    let Request { runtime, dump, .. } = request();
    let id = runtime.handle().id();
    drop(dump);
    drop(runtime);
    let dump = DumpOptions::new().runtime(id).capture_blocking();
    for view in [taskprof::tasks::grouped, taskprof::tasks::listed] {
        let text = written(&dump, view);
        assert!(
            !text.contains("holds") && !text.contains("resources"),
            "{text}"
        );
    }
    let json: Value = serde_json::from_str(&written(&dump, taskprof::tasks::json)).unwrap();
    assert_eq!(json["resources"], serde_json::json!([]));
}
