//! What the views of a dump say of tasks whose state is known exactly: text, JSON, profile and index.

#![allow(
    clippy::async_yields_async,
    reason = "a handle that leaves the runtime unawaited is what is looked at"
)]

use std::future::{Future, pending};
use std::sync::{Arc, Barrier, OnceLock, mpsc};
use std::task::Poll;
use std::time::Duration;

use serde_json::Value;
use taskprof::profile::{Frame, LabelValue, Sample};
use taskscope::{BLOCKING_THRESHOLD, CancelReason, DumpOptions, Scope, Stacks, TaskDump, Verdict};
use taskscope_tests::{get, request};
use tokio::runtime::Runtime;
use tokio::sync::{Notify, oneshot};

const LONG: Duration = Duration::from_secs(600);

/// A program with one task of each sort; nothing in it moves while it is looked at.
struct Shop {
    runtime: Runtime,
    server: taskprof::Server,
    /// Of the task that is in a poll.
    thread: u32,
    _open: Scope,
    _kept: Vec<Box<dyn std::any::Any + Send + Sync>>,
}

impl Shop {
    fn get(&self, path: &str) -> String {
        let answer = get(self.server.local_addr(), &format!("/debug/profile{path}"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text().to_owned()
    }

    fn number(&self) -> String {
        self.runtime.handle().id().to_string()
    }
}

async fn await_the_parcel(parcel: oneshot::Receiver<()>) {
    drop(parcel.await);
}

async fn serve_the_counter(bell: Arc<Notify>) {
    tokio::select! {
        biased;
        () = bell.notified() => {}
        () = tokio::time::sleep(LONG) => {}
    }
}

/// More leaves than a trace keeps, each at a stack of its own.
async fn count_everything(mut leaves: Vec<oneshot::Receiver<()>>) {
    fn descend(leaves: &mut [oneshot::Receiver<()>], cx: &mut std::task::Context<'_>) {
        if let Some((first, rest)) = leaves.split_first_mut() {
            let _ = std::hint::black_box(std::pin::Pin::new(first).poll(cx));
            descend(rest, cx);
            std::hint::black_box(rest);
        }
    }
    std::future::poll_fn(move |cx| {
        descend(&mut leaves, cx);
        Poll::<()>::Pending
    })
    .await;
}

fn shop() -> &'static Shop {
    static SHOP: OnceLock<Shop> = OnceLock::new();
    SHOP.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("shop-worker")
            .name("shop")
            .enable_all()
            .build()
            .unwrap();
        let _inside = runtime.enter();
        let server = taskprof::serve("127.0.0.1:0").unwrap();
        let mut kept: Vec<Box<dyn std::any::Any + Send + Sync>> = Vec::new();

        let order = Scope::new("POST /orders")
            .label("id", "7")
            .label("peer", "x");
        for number in 0..3 {
            let (open, parcel) = oneshot::channel();
            let (scope, keeps) = (&order, number == 2);
            let courier =
                scope.run(async { taskscope::spawn_named("courier", await_the_parcel(parcel)) });
            let courier = runtime.block_on(courier);
            kept.push(Box::new(open));
            if keeps {
                kept.push(Box::new(courier));
            }
            // Apart, so that their ages are a range.
            std::thread::sleep(Duration::from_millis(150));
        }
        order.cancel(CancelReason::Shutdown);
        drop(order);

        for number in 0..10 {
            let (open, parcel) = oneshot::channel();
            kept.push(Box::new(open));
            drop(taskscope::spawn_named(
                format!("line {number:02}"),
                await_the_parcel(parcel),
            ));
        }
        drop(taskscope::background("packer", tokio::time::sleep(LONG)));
        let bell = Arc::new(Notify::new());
        drop(taskscope::spawn_named(
            "clerk",
            serve_the_counter(bell.clone()),
        ));
        drop(taskscope::spawn_named("lost", pending::<()>()));
        let (leaves, parcels): (Vec<_>, Vec<_>) = (0..taskscope::MAX_BRANCHES + 3)
            .map(|_| oneshot::channel())
            .unzip();
        kept.push(Box::new(leaves));
        drop(taskscope::spawn_named("auditor", count_everything(parcels)));
        let open = Scope::new("GET /stock");
        let reading = bell.clone();
        drop(runtime.block_on(open.run(async move {
            taskscope::spawn_named("reader", async move { reading.notified().await })
        })));
        drop(taskscope::spawn_named("manager", async {
            drop(taskscope::spawn_named("child", tokio::time::sleep(LONG)).await);
        }));
        for _ in 0..2 {
            drop(tokio::spawn(pending::<()>()));
        }
        let (entered, (never, blocked)) = (Arc::new(Barrier::new(2)), mpsc::channel::<()>());
        kept.push(Box::new(std::sync::Mutex::new(never)));
        let enter = entered.clone();
        drop(taskscope::spawn_named("blocked", async move {
            enter.wait();
            let _ = blocked.recv();
        }));
        entered.wait();
        let thread = loop {
            let tasks = DumpOptions::new()
                .stacks(Stacks::None)
                .capture_blocking()
                .tasks;
            let settled = tasks.len() == 21
                && tasks.iter().all(|task| match &task.state {
                    // A cancelled task has a moment before anything is said of it.
                    taskscope::State::Idle { .. } => {
                        task.scope_cancelled.is_none() || task.verdict == Verdict::CancelIgnored
                    }
                    state => {
                        task.name.as_deref() == Some("blocked")
                            && state.since() > BLOCKING_THRESHOLD
                    }
                });
            if let (
                true,
                Some(taskscope::State::Running {
                    thread: Some(thread),
                    ..
                }),
            ) = (
                settled,
                tasks
                    .iter()
                    .find(|task| task.name.as_deref() == Some("blocked"))
                    .map(|task| &task.state),
            ) {
                break thread.os_id;
            }
            std::thread::yield_now();
        };
        drop(_inside);
        Shop {
            runtime,
            server,
            thread,
            _open: open,
            _kept: kept,
        }
    })
}

/// The paragraph that has all these words.
fn block<'a>(text: &'a str, words: &[&str]) -> &'a str {
    let mut blocks = text
        .split("\n\n")
        .filter(|block| words.iter().all(|word| block.contains(word)));
    let found = blocks
        .next()
        .unwrap_or_else(|| panic!("no block with {words:?} in {text}"));
    assert!(
        blocks.next().is_none(),
        "two blocks with {words:?} in {text}"
    );
    found
}

#[test]
fn the_header_counts_tasks_and_says_which_stacks_are_missing() {
    let shop = shop();
    for debug in [1, 2] {
        let text = shop.get(&format!("/tasks?debug={debug}"));
        let header = text.split("\n\n").next().unwrap();
        assert!(
            header.starts_with("tasks: 21 tracked, 2 untracked; taken "),
            "{header}"
        );
        let notes: Vec<&str> = header.lines().skip(1).collect();
        assert_eq!(
            notes,
            [
                "verdicts: 1 stuck, 1 blocking, 0 spinning, 3 cancel ignored, 0 cancel slow, 0 outlived, 16 idle, 0 active",
                "note: 1 of 21 tasks without a stack: being polled",
                "note: 1 of 21 tasks without a stack: took no waker when polled",
                &format!(
                    "note: 2 untracked on runtime {} (plain tokio::spawn)",
                    shop.number()
                ),
            ]
        );
    }
    let without = shop.get("/tasks?debug=2&stacks=none");
    for note in [
        "note: 20 of 21 tasks without a stack: not asked for one",
        "note: 1 of 21 tasks without a stack: took no waker when polled",
    ] {
        assert!(without.contains(note), "{without}");
    }
}

#[test]
fn a_group_tells_what_its_tasks_share_and_counts_what_differs() {
    let text = shop().get("/tasks?debug=1");
    let couriers = block(&text, &["courier"]);
    assert!(
        couriers.starts_with("3 tasks: cancel ignored, waiting for oneshot recv, for "),
        "{couriers}"
    );
    assert!(
        couriers.lines().next().unwrap().contains(" to "),
        "waits of different length: {couriers}"
    );
    for line in [
        "  name     courier",
        "  scope    POST /orders",
        "  detached 2 of 3: nobody has kept the JoinHandle",
    ] {
        assert!(
            couriers.lines().any(|it| it == line),
            "{line:?} in {couriers}"
        );
    }
    assert!(
        couriers.contains("  age      ") && couriers.contains("views::await_the_parcel"),
        "{couriers}"
    );
    let lines = block(&text, &["line 00"]);
    let names = "  name     line 00, line 01, line 02, line 03, line 04, line 05, line 06, line 07 and 2 more";
    assert!(
        lines.starts_with("10 tasks: idle") && lines.lines().any(|line| line == names),
        "{lines}"
    );
    assert!(
        text.find("line 00") < text.find("courier"),
        "the largest group first: {text}"
    );
    assert!(
        block(&text, &["packer"]).contains("\n  declared background\n"),
        "{text}"
    );
    assert_eq!(text.matches("declared background").count(), 1, "{text}");
    assert!(
        block(&text, &["auditor"]).contains("\n    (3 more branches were not kept)"),
        "{text}"
    );
}

#[test]
fn the_list_tells_everything_of_each_task() {
    let shop = shop();
    let text = shop.get("/tasks?debug=2");
    let id = |name: &str| {
        let at = text
            .find(&format!(" {name:?} ["))
            .unwrap_or_else(|| panic!("no {name} in {text}"));
        text[..at].rsplit(' ').next().unwrap().to_owned()
    };
    let of = |name: &str| block(&text, &[&format!(" {name:?} [")]);

    let blocked = of("blocked");
    let running = format!(
        "[running on thread shop-worker ({})]: blocking, running",
        shop.thread
    );
    assert!(shop.thread > 0 && blocked.contains(&running), "{blocked}");

    let couriers: Vec<&str> = text
        .split("\n\n")
        .filter(|block| block.contains("\"courier\""))
        .collect();
    assert_eq!(couriers.len(), 3);
    for courier in &couriers {
        let scope = courier
            .lines()
            .find(|line| line.starts_with("  scope "))
            .unwrap();
        assert!(
            scope.starts_with("  scope    POST /orders id=7 peer=x, ended "),
            "{scope}"
        );
        assert!(
            scope.contains(" ago, cancelled (shutdown, ")
                && scope.ends_with(" ago), token never looked at"),
            "{scope}"
        );
        assert!(courier.contains("; wakers out 1; "), "{courier}");
    }
    let dropped = couriers
        .iter()
        .filter(|courier| courier.contains("; JoinHandle dropped "))
        .count();
    assert_eq!(dropped, 2);
    assert!(
        of("reader").contains("\n  scope    GET /stock, open\n"),
        "{text}"
    );
    assert!(
        of("child").contains(&format!(", by task {} \"manager\"\n", id("manager"))),
        "{text}"
    );
    assert!(!of("manager").contains(", by task"), "{text}");
    assert!(of("packer").contains("; declared background\n"), "{text}");
    assert_eq!(text.matches("declared background").count(), 1, "{text}");
    assert!(of("lost").contains("wakers out 0; "), "{text}");
    let clerk = of("clerk");
    assert!(
        clerk.contains("  branch 1 of 2: notify\n") && clerk.contains("  branch 2 of 2: sleep\n"),
        "{clerk}"
    );
}

#[test]
fn json_has_all_that_the_text_has() {
    let shop = shop();
    let json: Value = serde_json::from_str(&shop.get("/tasks?format=json")).unwrap();
    assert_eq!(json["version"], 1);
    let missed = serde_json::json!({
        "running": 1, "no_answer": 0, "no_waker": 1, "not_asked": 0, "not_allowed": 0, "observed": 0
    });
    assert_eq!(json["missed"], missed);
    assert_eq!(json["notes"].as_array().unwrap().len(), 3);
    let runtime = &json["runtimes"][0];
    assert_eq!(
        (
            &runtime["name"],
            &runtime["flavor"],
            &runtime["workers"],
            &runtime["tracked"],
            &runtime["untracked"]
        ),
        (
            &"shop".into(),
            &"multi_thread".into(),
            &2.into(),
            &21.into(),
            &2.into()
        )
    );
    let task = |name: &str| {
        json["tasks"]
            .as_array()
            .unwrap()
            .iter()
            .find(|task| task["name"] == name)
            .unwrap()
    };

    let blocked = task("blocked");
    assert_eq!(
        blocked["thread"],
        serde_json::json!({"name": "shop-worker", "os_id": shop.thread})
    );
    assert_eq!(
        (&blocked["state"], &blocked["verdict"]),
        (&"running".into(), &"blocking".into())
    );
    assert!(
        blocked["no_stack"]
            .as_str()
            .unwrap()
            .contains("being polled"),
        "{blocked}"
    );

    let courier = task("courier");
    let scope = &courier["scope"];
    assert_eq!(scope["labels"], serde_json::json!({"id": "7", "peer": "x"}));
    assert_eq!(scope["cancelled"], "shutdown");
    for seconds in [
        &scope["ended_seconds"],
        &scope["cancelled_seconds"],
        &courier["detached_seconds"],
    ] {
        assert!(seconds.as_f64().unwrap() > 0.0, "{courier}");
    }
    let seconds = |key: &str| courier[key].as_f64().unwrap();
    assert!(
        seconds("state_seconds") < seconds("age_seconds"),
        "it had to be polled first: {courier}"
    );
    assert_eq!(
        (&courier["thread"], &courier["no_stack"], &courier["wakers"]),
        (&Value::Null, &Value::Null, &1.into())
    );
    let frames = courier["branches"][0]["frames"].as_array().unwrap();
    let own = frames
        .iter()
        .find(|frame| {
            frame["function"]
                .as_str()
                .is_some_and(|name| name.contains("views::await_the_parcel"))
        })
        .unwrap();
    assert!(
        own["file"].as_str().unwrap().ends_with("tests/views.rs")
            && own["line"].as_u64().unwrap() > 0,
        "{own}"
    );

    let clerk = task("clerk");
    assert_eq!(clerk["wait"], serde_json::json!(["notify", "sleep"]));
    assert_eq!(clerk["branches"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&task("packer")["background"], &clerk["background"]),
        (&true.into(), &false.into())
    );
    assert_eq!(
        (&task("child")["parent"], &clerk["parent"]),
        (&task("manager")["id"], &Value::Null)
    );
    assert_eq!(task("auditor")["branches_dropped"], 3);
    let reader = &task("reader")["scope"];
    assert_eq!(
        (
            &reader["name"],
            &reader["ended_seconds"],
            &reader["cancelled"]
        ),
        (&"GET /stock".into(), &Value::Null, &Value::Null)
    );
}

fn names(sample: &Sample) -> Vec<&str> {
    let mut names = Vec::new();
    for frame in &sample.stack {
        names.push(match frame {
            Frame::Named { name, .. } => name.as_ref(),
            Frame::Address(_) => "(address)",
        });
    }
    names
}

#[test]
fn the_profile_has_one_sample_for_tasks_that_are_alike() {
    shop();
    let dump = DumpOptions::new().capture_blocking();
    let profile = taskprof::tasks::profile(&dump);
    assert_eq!(profile.total(0), 21);
    assert_eq!(profile.comments.len(), 3, "{:?}", profile.comments);
    let label = |sample: &Sample, key: &str| {
        sample
            .labels
            .iter()
            .find(|label| label.key == key)
            .map(|label| match &label.value {
                LabelValue::Str(text) => text.to_string(),
                LabelValue::Num { value, .. } => value.to_string(),
            })
    };
    let named = |name: &str| {
        let mut samples = profile
            .samples
            .iter()
            .filter(|sample| label(sample, "name").as_deref() == Some(name));
        let sample = samples.next().unwrap();
        assert!(samples.next().is_none(), "two samples for {name}");
        sample
    };
    let courier = named("courier");
    assert_eq!(courier.values, [3]);
    assert_eq!(label(courier, "scope").as_deref(), Some("POST /orders"));
    assert_eq!(label(courier, "verdict").as_deref(), Some("cancel ignored"));
    assert_eq!(label(courier, "wait").as_deref(), Some("oneshot recv"));
    assert_eq!(label(courier, "background"), None);
    assert!(
        names(courier)[0].contains("oneshot::Receiver"),
        "leaf first: {:?}",
        names(courier)
    );
    let root = *names(courier).last().unwrap();
    assert!(
        root.starts_with("spawned at ") && root.contains("views.rs:"),
        "{root}"
    );
    assert_eq!(label(named("packer"), "background").as_deref(), Some("yes"));

    // Branches: what they share, and a leaf that counts them.
    let clerk = names(named("clerk"));
    assert_eq!(clerk[0], "(2 branches: notify | sleep)");
    assert!(
        clerk[1].contains("views::serve_the_counter"),
        "the innermost that both share: {clerk:?}"
    );
    assert!(
        !clerk
            .iter()
            .any(|name| name.contains("Notified") || name.contains("Sleep")),
        "{clerk:?}"
    );
    // Without a trace: why, and the type of the future.
    let lost = names(named("lost"));
    assert!(
        lost[0].starts_with("(no stack: it took no waker") && lost[1].contains("Pending"),
        "{lost:?}"
    );
}

/// The cells of the row that begins with these.
fn row<'a>(page: &'a str, first: &str) -> Vec<&'a str> {
    let start = format!("<tr><td>{first}</td>");
    let at = page
        .find(&start)
        .unwrap_or_else(|| panic!("no row {first} in {page}"));
    let row = &page[at..at + page[at..].find("</tr>").unwrap()];
    row.split("<td")
        .skip(1)
        .map(|cell| {
            cell.split_once('>')
                .unwrap()
                .1
                .split("</td>")
                .next()
                .unwrap()
        })
        .collect()
}

#[test]
fn the_index_counts_verdicts_lists_suspects_and_asks_nobody() {
    let shop = shop();
    let polls = || -> u64 {
        let dump = DumpOptions::new().stacks(Stacks::None).capture_blocking();
        dump.tasks.iter().map(|task: &TaskDump| task.polls).sum()
    };
    // Traces that are still true need no poll; other tests of this process take theirs first.
    drop(DumpOptions::new().capture_blocking());
    let before = polls();
    let page = shop.get("");
    assert_eq!(polls(), before);
    assert!(
        page.contains("21 with a record") && page.contains(", 2 untracked; "),
        "{page}"
    );
    for (verdict, count) in [
        (Verdict::Stuck, "1"),
        (Verdict::Blocking, "1"),
        (Verdict::CancelIgnored, "3"),
        (Verdict::Outlived, "0"),
        (Verdict::Idle, "16"),
        (Verdict::Active, "0"),
    ] {
        assert_eq!(row(&page, verdict.name())[1], count, "{verdict} in {page}");
    }
    let suspects = page
        .split("<h2>Leak suspects</h2>")
        .nth(1)
        .unwrap()
        .split("</table>")
        .next()
        .unwrap();
    let rows: Vec<&str> = suspects.split("<tr><td").skip(1).collect();
    assert_eq!(rows.len(), 2, "{suspects}");
    assert!(
        rows[0].starts_with(" class=\"n\">3</td>")
            && rows[0].contains(">courier at ")
            && rows[0].contains(", scope POST /orders<"),
        "{suspects}"
    );
    assert!(
        rows[1].starts_with(" class=\"n\">1</td>") && rows[1].contains(">lost at "),
        "{suspects}"
    );
    let runtime = row(&page, &format!("{} shop", shop.number()));
    assert_eq!(runtime[1..5], ["multi_thread", "2", "21", "2"], "{page}");
    assert!(!page.contains("None is known"), "{page}");
}

#[test]
fn each_view_has_its_type_and_head_checks_what_get_does() {
    let address = shop().server.local_addr();
    for (query, kind, disposition) in [
        (
            "",
            "application/octet-stream",
            "attachment; filename=\"tasks.pb.gz\"",
        ),
        (
            "?debug=0",
            "application/octet-stream",
            "attachment; filename=\"tasks.pb.gz\"",
        ),
        ("?format=json", "application/json", "inline"),
        ("?format=svg", "image/svg+xml", "inline"),
        ("?format=folded", "text/plain; charset=utf-8", "inline"),
        ("?debug=1", "text/plain; charset=utf-8", "inline"),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = request(address, method, &format!("/debug/profile/tasks{query}"));
            let head = answer.head.to_ascii_lowercase();
            assert_eq!(answer.status, 200, "{method} {query}");
            for header in [
                format!("content-type: {kind}"),
                format!("content-disposition: {disposition}"),
            ] {
                assert!(
                    head.lines().any(|line| line == header),
                    "{method} {query}: {header} in {head}"
                );
            }
            assert_eq!(answer.body.is_empty(), method == "HEAD", "{method} {query}");
        }
    }
    for query in [
        "?debug=3",
        "?format=xml",
        "?debug=1&format=json",
        "?stacks=all",
        "?x=1",
    ] {
        assert_eq!(
            request(address, "HEAD", &format!("/debug/profile/tasks{query}")).status,
            400,
            "{query}"
        );
    }
}

#[test]
fn a_parent_that_has_ended_is_still_told_by_its_id() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (parent, text) = runtime.block_on(async {
        let spawns = taskscope::spawn(async {
            drop(taskscope::spawn_named(
                "orphan",
                std::future::pending::<()>(),
            ));
        });
        let parent = spawns.id();
        spawns.await.unwrap();
        let here = tokio::runtime::Handle::current().id();
        let dump = taskscope::DumpOptions::new().runtime(here).capture().await;
        let mut text = Vec::new();
        taskprof::tasks::listed(&dump, &mut text).unwrap();
        (parent, String::from_utf8(text).unwrap())
    });
    let expected = format!(", by task {parent} (not in this dump)\n");
    assert!(text.contains(&expected), "{text}");
}

#[test]
fn a_cancellation_from_above_is_told_with_the_scope_that_it_began_at() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (text, json) = runtime.block_on(async {
        let connection = Scope::new("connection");
        let request = connection.child("request");
        drop(request.spawn(std::future::pending::<()>()));
        connection.cancel(CancelReason::ClientGone);
        let here = tokio::runtime::Handle::current().id();
        let dump = taskscope::DumpOptions::new().runtime(here).capture().await;
        let mut text = Vec::new();
        taskprof::tasks::listed(&dump, &mut text).unwrap();
        let mut json = Vec::new();
        taskprof::tasks::json(&dump, &mut json).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        (String::from_utf8(text).unwrap(), json)
    });
    let expected = "open, cancelled (parent (client gone of connection), ";
    assert!(text.contains(expected), "{text}");
    let scope = &json["tasks"][0]["scope"];
    assert_eq!(scope["cancelled"], "parent", "{json}");
    assert_eq!(scope["cancelled_root_reason"], "client gone");
    assert_eq!(scope["cancelled_root_scope"], "connection");
}
