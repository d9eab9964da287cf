//! `assert_none!` and `check`: which tasks count as leaks, which do not, and the words of the
//! report.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use leakcheck::{Leaks, Options};
use taskscope::{Scope, Verdict};
use tokio::sync::oneshot;

/// Long enough that a test which waited for it would never end.
const FOREVER: Duration = Duration::from_secs(3600);

fn hasty() -> Options {
    Options::new().settle(Duration::ZERO)
}

async fn leaks() -> Leaks {
    leakcheck::check_with(hasty())
        .await
        .expect_err("something is left")
}

#[tokio::test]
async fn nothing_spawned_is_no_leak() {
    leakcheck::assert_none!();
}

#[tokio::test]
async fn a_task_that_was_joined_is_no_leak() {
    taskscope::spawn(async {}).await.unwrap();
    tokio::spawn(async {}).await.unwrap();
    leakcheck::assert_none!(Options::new().settle(FOREVER));
}

#[tokio::test]
async fn a_background_task_is_no_leak() {
    let task = taskscope::background("reaper", std::future::pending::<()>());
    leakcheck::assert_none!(hasty());
    task.abort();
}

/// The control of the test above.
#[tokio::test]
async fn the_same_task_not_declared_background_is_a_leak() {
    let task = taskscope::spawn_named("reaper", std::future::pending::<()>());
    assert_eq!(leaks().await.count(), 1);
    task.abort();
}

#[tokio::test]
async fn a_task_that_is_just_ending_is_waited_for() {
    let ending = taskscope::spawn(tokio::time::sleep(Duration::from_millis(30)));
    leakcheck::assert_none!(Options::new().settle(FOREVER));
    assert!(ending.is_finished());
}

#[tokio::test]
async fn an_untracked_task_that_is_just_ending_is_waited_for() {
    let ending = tokio::spawn(tokio::time::sleep(Duration::from_millis(30)));
    leakcheck::assert_none!(Options::new().settle(FOREVER));
    assert!(ending.is_finished());
}

/// With an hour to settle this test would not end if the check waited.
#[tokio::test]
async fn a_stuck_task_is_not_waited_for() {
    let _detached = taskscope::spawn(std::future::pending::<()>());
    let leaks = leakcheck::check_with(Options::new().settle(FOREVER))
        .await
        .expect_err("it is stuck");
    assert_eq!(leaks.dump().tasks[0].verdict, Verdict::Stuck);
}

#[tokio::test]
async fn an_aborted_task_is_no_leak() {
    let task = taskscope::spawn(std::future::pending::<()>());
    assert_eq!(leaks().await.count(), 1);
    task.abort();
    leakcheck::assert_none!(Options::new().settle(FOREVER));
}

/// Nothing can wake it, and nothing but its turn is missing: it must not be taken for a stuck one.
#[test]
fn an_aborted_task_is_no_leak_while_the_worker_is_busy() {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build().unwrap();
    let _entered = runtime.enter();
    let task = taskscope::spawn(std::future::pending::<()>());
    let (tell, told) = std::sync::mpsc::channel();
    let (open, closed) = std::sync::mpsc::channel::<()>();
    let _busy = taskscope::background("busy", async move {
        tell.send(()).unwrap();
        let _ = closed.recv();
    });
    told.recv().unwrap();
    task.abort();
    let mut check = pin!(leakcheck::check_with(Options::new().settle(FOREVER)));
    let (mut open, mut polls) = (Some(open), 0);
    let verdict = runtime.block_on(poll_fn(|cx| {
        polls += 1;
        // By then the check has looked more than once.
        if polls == 60 {
            open = None;
        }
        check.as_mut().poll(cx)
    }));
    assert!(verdict.is_ok() && polls >= 60, "{polls}: {verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leak_on_a_multi_thread_runtime_is_found() {
    let (open, closed) = oneshot::channel::<()>();
    let _detached = taskscope::spawn_named("waiter", closed.map(drop));
    let leaks = leaks().await;
    assert_eq!((leaks.count(), leaks.untracked()), (1, 0), "{leaks}");
    drop(open);
    leakcheck::assert_none!(Options::new().settle(FOREVER));
}

#[tokio::test]
async fn a_task_of_plain_tokio_spawn_is_counted_as_untracked() {
    let (open, closed) = oneshot::channel::<()>();
    tokio::spawn(closed);
    let leaks = leaks().await;
    assert_eq!((leaks.count(), leaks.untracked()), (1, 1));
    let text = leaks.to_string();
    assert!(
        text.starts_with("leakcheck: 1 task is still alive after "),
        "{text}"
    );
    assert!(
        text.contains("1. 1 task untracked: spawned with plain tokio::spawn"),
        "{text}"
    );
    assert!(
        text.contains("spawn with taskscope::spawn to see"),
        "{text}"
    );
    drop(open);
    leakcheck::assert_none!(Options::new().settle(FOREVER));
}

#[tokio::test]
async fn the_callers_own_task_is_left_out() {
    let checked = taskscope::spawn(async { leakcheck::check_with(hasty()).await });
    checked.await.unwrap().unwrap();
    let checked = tokio::spawn(async { leakcheck::check_with(hasty()).await });
    checked.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_tasks_that_wait_for_the_caller_are_left_out() {
    let outer = taskscope::spawn(async {
        let inner = taskscope::spawn(async { leakcheck::check_with(hasty()).await });
        inner.await.unwrap()
    });
    outer.await.unwrap().unwrap();
}

/// The control of the two tests above.
#[tokio::test]
async fn another_task_is_found_from_inside_a_task() {
    for tracked in [true, false] {
        let _stuck = taskscope::spawn(std::future::pending::<()>());
        let check = async {
            leakcheck::check_with(hasty())
                .await
                .expect_err("one is stuck")
                .count()
        };
        let count = if tracked {
            taskscope::spawn(check).await
        } else {
            tokio::spawn(check).await
        };
        assert_eq!(count.unwrap(), if tracked { 1 } else { 2 });
    }
}

#[test]
fn the_tasks_of_another_runtime_are_not_seen() {
    let other = tokio::runtime::Runtime::new().unwrap();
    let _entered = other.enter();
    let _tracked = taskscope::spawn(std::future::pending::<()>());
    let _untracked = tokio::spawn(std::future::pending::<()>());
    let own = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    own.block_on(async { leakcheck::assert_none!(hasty()) });
    other.block_on(async { assert_eq!(leaks().await.count(), 2) });
}

/// Sixteen tests at once in one process: eight leak one to eight tasks, eight none, and each sees
/// its own.
#[test]
fn parallel_tests_see_only_their_own_leaks() {
    let barrier = Arc::new(std::sync::Barrier::new(16));
    let tests: Vec<_> = (0..16)
        .map(|test| {
            let barrier = barrier.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let leaking = if test % 2 == 0 { test / 2 + 1 } else { 0 };
                    for _ in 0..leaking {
                        let _detached = taskscope::spawn(std::future::pending::<()>());
                    }
                    barrier.wait();
                    let found = leakcheck::check_with(hasty())
                        .await
                        .map_or_else(|leaks| leaks.count(), |()| 0);
                    barrier.wait();
                    assert_eq!(found, leaking);
                });
            })
        })
        .collect();
    for test in tests {
        test.join().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_paused_clock_does_not_move() {
    let before = tokio::time::Instant::now();
    let sleeper = taskscope::spawn(tokio::time::sleep(Duration::from_secs(600)));
    let leaks = leakcheck::check_with(Options::new().settle(Duration::from_millis(50)))
        .await
        .expect_err("it sleeps");
    assert_eq!(leaks.dump().tasks[0].wait_reason().to_string(), "sleep");
    assert_eq!(before.elapsed(), Duration::ZERO);
    sleeper.abort();
}

#[test]
fn a_runtime_without_time_and_io_can_be_checked() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let _stuck = taskscope::spawn(std::future::pending::<()>());
        assert_eq!(leaks().await.count(), 1);
    });
}

#[test]
fn tasks_of_a_local_set_are_found() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let not_send = std::rc::Rc::new(());
        let _stuck = taskscope::spawn_local(async move {
            std::future::pending::<()>().await;
            drop(not_send);
        });
        let leaks = leaks().await;
        assert_eq!((leaks.count(), leaks.untracked()), (1, 0), "{leaks}");
    });
}

#[tokio::test]
async fn the_report_groups_and_tells_what_is_known() {
    async fn wait_for_acknowledgement(acknowledged: oneshot::Receiver<()>) {
        let _ = acknowledged.await;
    }
    let request = Scope::new("POST /orders");
    let mut never = Vec::new();
    for _ in 0..3 {
        let (open, acknowledged) = oneshot::channel();
        never.push(open);
        let _detached = request.spawn(async move { wait_for_acknowledgement(acknowledged).await });
    }
    let _stuck = taskscope::spawn_named("config watcher", std::future::pending::<()>());
    drop(request);

    let text = leaks().await.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let has = |start: &str| {
        assert!(
            lines.iter().any(|line| line.starts_with(start)),
            "no line {start:?} in:\n{text}"
        );
    };
    has("leakcheck: 4 tasks are still alive after ");
    has("2. 3 tasks outlived, waiting for oneshot recv since ");
    has("spawned at crates/leakcheck/tests/assertion.rs:");
    has("scope      POST /orders");
    has("detached   3 of 3");
    has(
        "assertion::the_report_groups_and_tells_what_is_known::{{closure}}::wait_for_acknowledgement::{{closure}}",
    );
    has("hint       end it with its scope");
    has("1. 1 task stuck, waiting for nothing since ");
    has("name       config watcher");
    has("stack      it took no waker when polled");
    assert!(text.contains("tests/assertion.rs:"), "{text}");
}

#[tokio::test]
async fn the_report_says_what_the_survivors_hold() {
    async fn keep<T>(kept: T) {
        std::future::pending::<()>().await;
        drop(kept);
    }
    for _ in 0..2 {
        let connection = taskscope::track("pg connection", ());
        let _detached = taskscope::spawn(async move {
            let () = *connection;
            keep(connection).await;
        });
    }
    let _empty_handed = taskscope::spawn_named("empty-handed", std::future::pending::<()>());
    let text = leaks().await.to_string();
    assert!(text.contains("\n   holds      2 pg connection\n"), "{text}");
    assert_eq!(text.matches("   holds ").count(), 1, "{text}");
}

/// The message of a failed test is printed by the panic hook with this location.
#[tokio::test]
async fn the_panic_points_at_the_line_of_the_assertion() {
    static SEEN: std::sync::Mutex<Option<(String, u32, std::thread::ThreadId)>> =
        std::sync::Mutex::new(None);
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let mine = info
            .payload()
            .downcast_ref::<String>()
            .is_some_and(|text| text.contains("pointed at"));
        if let (true, Some(at)) = (mine, info.location()) {
            *SEEN.lock().unwrap() =
                Some((at.file().to_owned(), at.line(), std::thread::current().id()));
        } else {
            previous(info);
        }
    }));
    let _stuck = taskscope::spawn_named("pointed at", std::future::pending::<()>());
    #[rustfmt::skip]
    let failed = AssertUnwindSafe(async { leakcheck::assert_none!(hasty()); }).catch_unwind().await;
    let text = *failed.unwrap_err().downcast::<String>().unwrap();
    assert!(
        text.starts_with("leakcheck: 1 task is still alive"),
        "{text}"
    );
    let (file, seen, _) = SEEN.lock().unwrap().take().unwrap();
    assert!(file.ends_with("tests/assertion.rs"), "{file}");
    let own = include_str!("assertion.rs")
        .lines()
        .nth(seen as usize - 1)
        .unwrap();
    assert!(
        own.contains("leakcheck::assert_none!(hasty())") && own.contains("catch_unwind"),
        "line {seen}: {own}"
    );
}

#[test]
fn outside_of_a_runtime_the_check_says_so() {
    let panic = std::panic::catch_unwind(|| drop(leakcheck::check())).unwrap_err();
    let text = panic.downcast_ref::<&str>().unwrap();
    assert!(text.contains("no tokio runtime"), "{text}");
}

/// `Debug` is shown by a test that returns a `Result`, or unwraps one.
#[tokio::test]
async fn the_debug_form_is_the_report() {
    let _stuck = taskscope::spawn_named("shown", std::future::pending::<()>());
    let leaks = leaks().await;
    assert_eq!(format!("{leaks:?}"), format!("\n{leaks}"));
}

#[tokio::test]
async fn the_report_counts_what_it_does_not_list_and_shows_what_differs() {
    let request = Scope::new("POST /orders");
    let mut never = Vec::new();
    let mut handles = Vec::new();
    for number in 0..10 {
        let (open, acknowledged) = oneshot::channel::<()>();
        never.push(open);
        let handles = &mut handles;
        let spawn = async move {
            let task = taskscope::spawn_named(format!("line {number:02}"), acknowledged.map(drop));
            // The first one is detached.
            if number > 0 {
                handles.push(task);
            }
        };
        request.run(spawn).await;
        // Until it is so much older than the others that it can be seen.
        while number == 0 && leaks().await.dump().tasks[0].age < Duration::from_millis(5) {}
    }
    drop(request);
    tokio::spawn(std::future::pending::<()>());
    let leaks = leaks().await;
    assert_eq!((leaks.count(), leaks.untracked()), (11, 1));
    let text = leaks.to_string();
    let line = |start: &str| {
        let mut lines = text
            .lines()
            .map(str::trim_start)
            .filter(|line| line.starts_with(start));
        lines
            .next()
            .unwrap_or_else(|| panic!("no line {start:?} in:\n{text}"))
    };
    assert!(
        line("name  ").ends_with("line 06, line 07 and 2 more"),
        "{text}"
    );
    assert!(line("ended ").ends_with(" ago"), "{text}");
    assert!(line("age  ").contains(" to "), "{text}");
    assert!(
        line("detached ").starts_with("detached   1 of 10: "),
        "{text}"
    );
    assert!(text.contains("\n2. 1 task untracked"), "{text}");
}

/// Neither the caller nor a stuck neighbour takes anything away from the others.
#[tokio::test]
async fn a_tracked_caller_does_not_hide_an_untracked_task() {
    let (open, closed) = oneshot::channel::<()>();
    tokio::spawn(closed);
    let checked = taskscope::spawn(async {
        leakcheck::check_with(hasty())
            .await
            .map_err(|leaks| leaks.untracked())
    });
    assert_eq!(checked.await.unwrap(), Err(1));
    drop(open);
}

#[tokio::test]
async fn a_stuck_task_does_not_end_the_wait_for_one_that_is_just_ending() {
    for tracked in [true, false] {
        let stuck = taskscope::spawn(std::future::pending::<()>());
        let ending = tokio::time::sleep(Duration::from_millis(30));
        if tracked {
            drop(taskscope::spawn(ending));
        } else {
            drop(tokio::spawn(ending));
        }
        let leaks = leakcheck::check_with(Options::new().settle(FOREVER))
            .await
            .expect_err("one is stuck");
        assert_eq!((leaks.count(), leaks.untracked()), (1, 0), "{leaks}");
        stuck.abort();
        drop(stuck.await);
    }
}

/// The default gives a task some time; the time that was waited is told.
#[tokio::test]
async fn the_default_settle_time_is_waited_and_told() {
    drop(taskscope::spawn(tokio::time::sleep(Duration::from_millis(
        30,
    ))));
    leakcheck::assert_none!();
    let settle = Duration::from_millis(50);
    drop(taskscope::spawn(tokio::time::sleep(FOREVER)));
    let leaks = leakcheck::check_with(Options::new().settle(settle))
        .await
        .expect_err("it sleeps");
    assert!(leaks.waited() >= settle);
}
