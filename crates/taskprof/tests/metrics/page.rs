//! The figures are true: of tasks, scopes, runtimes, and of what the pages themselves have done.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use taskprof::Server;
use taskscope::Scope;
use tokio::runtime::{Builder, Runtime};

use crate::exposition::{self, Exposition};

fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn runtime(name: &str) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(2)
        .name(name)
        .enable_all()
        .build()
        .unwrap()
}

/// A page, status and body.
fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let answer = testkit::get(address, path);
    (answer.status, answer.text().to_owned())
}

fn scrape(server: &Server) -> Exposition {
    let (status, text) = get(server.local_addr(), "/debug/profile/metrics");
    assert_eq!(status, 200, "{text}");
    exposition::openmetrics(&text)
}

/// Scrapes until there is what is looked for.
#[track_caller]
fn until(server: &Server, found: impl Fn(&Exposition) -> bool) -> Exposition {
    testkit::until_some(|| Some(scrape(server)).filter(&found))
}

fn served(runtime: &Runtime) -> Server {
    let _inside = runtime.enter();
    taskprof::serve("127.0.0.1:0").unwrap()
}

#[test]
fn tasks_are_counted_by_state_verdict_and_scope() {
    let _turn = turn();
    let runtime = runtime("counted");
    let server = served(&runtime);
    let inside = runtime.enter();
    let route = Scope::new("GET /\"quoted\"\\{id}\n");
    let sleep = || tokio::time::sleep(Duration::from_secs(600));
    for _ in 0..3 {
        route.spawn(sleep());
    }
    let open = Scope::new("open");
    open.spawn(sleep());
    drop(taskscope::spawn(sleep()));
    drop(taskscope::background("metronome", sleep()));
    drop(tokio::spawn(pending::<()>()));
    let _held = taskscope::track("pg connection", ());
    drop(route);
    let scraped = until(&server, |it| {
        it.sum("taskscope_tasks", &[("state", "idle")]) == 6.0
    });

    let tasks = |labels: &[(&str, &str)]| scraped.sum("taskscope_tasks", labels);
    assert_eq!(tasks(&[]), 6.0);
    assert_eq!(tasks(&[("verdict", "outlived")]), 3.0);
    assert_eq!(scraped.get("taskscope_leak_suspects", &[]), Some(3.0));
    let outlived = |scope| {
        let labels = [("scope", scope), ("verdict", "outlived")];
        scraped.get("taskscope_scope_tasks", &labels)
    };
    // Nothing hides in a label, and names that differ have labels that differ.
    assert_eq!(outlived(r#"GET /"quoted"\\{id}\n"#), Some(3.0));
    assert_eq!(outlived("open"), Some(0.0));
    assert_eq!(
        scraped.sum("taskscope_scope_tasks", &[("scope", "open")]),
        1.0
    );
    let suspects = |scope| scraped.get("taskscope_scope_leak_suspects", &[("scope", scope)]);
    assert_eq!(suspects("open"), Some(0.0));
    assert_eq!(suspects(r#"GET /"quoted"\\{id}\n"#), Some(3.0));
    assert_eq!(scraped.sum("taskscope_unscoped_tasks", &[]), 2.0);
    assert_eq!(scraped.sum("taskscope_overflow_scope_tasks", &[]), 0.0);
    assert_eq!(
        scraped.get("taskscope_resources", &[("kind", "pg connection")]),
        Some(1.0)
    );
    let of_runtime = |name| scraped.sum(name, &[("runtime", "counted")]);
    assert_eq!(of_runtime("taskscope_runtime_untracked_tasks"), 1.0);
    assert_eq!(of_runtime("taskscope_runtime_live_tasks"), 7.0);
    assert_eq!(of_runtime("taskscope_runtime_workers"), 2.0);
    assert_eq!(of_runtime("taskscope_runtime_blocked_workers"), 0.0);
    assert!(of_runtime("taskscope_runtime_parks_total") > 0.0);
    assert!((0.0..=1.0).contains(&of_runtime("taskscope_runtime_busy_ratio")));
    assert!(scraped.get("taskscope_record_bytes", &[]).unwrap() > 0.0);
    assert!(scraped.get("taskscope_scrape_seconds", &[]).unwrap() > 0.0);

    // Gone, and the series of the scopes are still there.
    drop(inside);
    drop(runtime);
    let scraped = until(&server, |it| it.sum("taskscope_tasks", &[]) == 0.0);
    assert_eq!(
        scraped.get("taskscope_scope_leak_suspects", &[("scope", "open")]),
        Some(0.0)
    );
}

#[test]
fn the_answer_comes_while_every_worker_is_blocked_and_says_so() {
    let _turn = turn();
    let runtime = runtime("blocked");
    let server = served(&runtime);
    let control = scrape(&server);
    assert_eq!(
        control.sum("taskscope_tasks", &[("verdict", "blocking")]),
        0.0
    );
    let releases: Vec<_> = (0..2)
        .map(|_| {
            let (release, released) = mpsc::channel::<()>();
            drop(taskscope::spawn_on(runtime.handle(), async move {
                let _ = released.recv();
            }));
            release
        })
        .collect();
    let scraped = until(&server, |it| {
        let blocked = it.sum(
            "taskscope_runtime_blocked_workers",
            &[("runtime", "blocked")],
        );
        it.sum("taskscope_tasks", &[("verdict", "blocking")]) == 2.0 && blocked == 2.0
    });
    assert_eq!(
        scraped.get(
            "taskscope_tasks",
            &[("state", "running"), ("verdict", "blocking")]
        ),
        Some(2.0)
    );
    drop(releases);
    until(&server, |it| it.sum("taskscope_tasks", &[]) == 0.0);
}

#[test]
fn waits_are_in_the_histogram_and_no_counter_gets_smaller() {
    let _turn = turn();
    let runtime = runtime("waits");
    let server = served(&runtime);
    let before = scrape(&server);
    let waits = async {
        for _ in 0..50 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let task = taskscope::spawn_on(runtime.handle(), waits);
    runtime.block_on(task).unwrap();
    let after = scrape(&server);
    let grown = |name: &str| after.get(name, &[]).unwrap() - before.get(name, &[]).unwrap();
    // The first poll of a thread is not chosen; sums go by a clock that may be late on a busy
    // machine.
    assert!(grown("taskscope_task_wait_seconds_count") > 40.0);
    assert!(grown("taskscope_task_wait_seconds_sum") > 0.4);
    assert!(grown("taskscope_task_poll_seconds_count") > 40.0);
    assert!(grown("taskscope_task_schedule_delay_seconds_count") > 40.0);
    for name in [
        "lengths_lost",
        "sampling_lost",
        "sampling_without_room",
        "scopes_unreported",
        "requests_refused",
    ] {
        assert!(grown(&format!("taskscope_{name}_total")) >= 0.0);
    }
    assert_eq!(after.get("taskscope_sampling_enabled", &[]), Some(1.0));
}

#[test]
fn captures_are_counted_by_their_source() {
    let _turn = turn();
    let runtime = runtime("captures");
    let server = served(&runtime);
    let captures = |source| {
        scrape(&server)
            .get("taskscope_captures_total", &[("source", source)])
            .unwrap()
    };
    let (tasks, threads) = (captures("tasks"), captures("threads"));
    let (status, _) = get(server.local_addr(), "/debug/profile/tasks?format=folded");
    assert_eq!(status, 200);
    assert_eq!(
        (captures("tasks"), captures("threads")),
        (tasks + 1.0, threads)
    );
}
