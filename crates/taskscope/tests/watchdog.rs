//! Polls that take too long, and spawn sites that only grow.
#![cfg(feature = "enable")]

use std::sync::mpsc;
use std::time::Duration;

use taskscope::{Dump, DumpOptions, Stacks, TaskDump, Watchdog};

fn current_thread() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

/// Blocks its thread until somebody lets it go. Not inlined, so that its name is in the stack of a
/// release build, too.
#[inline(never)]
fn block_here(release: &mpsc::Receiver<()>) {
    let _ = release.recv();
}

fn named(dump: &Dump, name: &str) -> Option<TaskDump> {
    let mut tasks = dump.tasks.iter();
    tasks
        .find(|task| task.name.as_deref() == Some(name))
        .cloned()
}

fn look(stacks: Stacks) -> Dump {
    DumpOptions::new()
        .stacks(stacks)
        .stall(Duration::from_millis(20))
        .capture_blocking()
}

/// Runs `f` while a task with this name blocks a thread of its own.
fn while_blocked<R>(name: &'static str, f: impl FnOnce() -> R) -> R {
    let (release, released) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        current_thread().block_on(async move {
            let task = taskscope::spawn_named(name, async move { block_here(&released) });
            task.await.unwrap();
        });
    });
    let result = f();
    drop(release);
    thread.join().unwrap();
    result
}

#[test]
fn a_blocked_poll_is_caught_with_the_stack_of_its_thread_while_it_is_blocked() {
    // No dump with stacks asks for it: the watchdog takes it by itself.
    let task = while_blocked("blocked", || {
        loop {
            let caught = named(&look(Stacks::None), "blocked")
                .filter(|task| task.long_poll.as_ref().is_some());
            if let Some(task) = caught {
                break task;
            }
            std::thread::yield_now();
        }
    });
    assert_eq!(task.verdict.name(), "blocking");
    let poll = task.long_poll.unwrap();
    assert!(!poll.over);
    assert!(poll.lasted >= taskscope::BLOCKING_THRESHOLD);
    let trace = poll.trace.unwrap().to_string();
    assert!(trace.contains("watchdog::block_here"), "{trace}");
    assert!(
        !trace.contains("tokio::runtime::"),
        "it ends at the task: {trace}"
    );
}

#[test]
fn a_dump_takes_the_stack_of_a_poll_that_it_finds_blocked() {
    let poll = while_blocked("found", || {
        loop {
            let task = named(&look(Stacks::Fresh), "found");
            if let Some(task) = task.filter(|task| task.verdict.name() == "blocking") {
                let poll = task.long_poll.expect("what is called blocking was caught");
                // A thread that gets no time does not answer; it is asked again.
                if poll.trace.is_ok() {
                    break poll;
                }
            }
        }
    });
    assert!(poll.trace.unwrap().to_string().contains("block_here"));
}

#[test]
fn what_blocked_is_still_known_when_it_is_over() {
    let runtime = current_thread();
    let task = runtime.block_on(async {
        let (release, released) = mpsc::channel();
        let _task = taskscope::spawn_named("over", async move {
            block_here(&released);
            std::future::pending::<()>().await;
        });
        let watcher = std::thread::spawn(move || {
            loop {
                let task = named(&look(Stacks::None), "over");
                if task.is_some_and(|task| task.long_poll.is_some()) {
                    break;
                }
                std::thread::yield_now();
            }
            drop(release);
        });
        tokio::task::yield_now().await;
        watcher.join().unwrap();
        named(&look(Stacks::None), "over").unwrap()
    });
    assert_eq!(task.state.name(), "idle");
    let poll = task.long_poll.unwrap();
    assert!(poll.over && poll.trace.is_ok());
}

#[test]
fn a_short_poll_and_a_call_on_the_blocking_pool_are_not_caught() {
    let runtime = current_thread();
    runtime.block_on(async {
        let (release, released) = mpsc::channel();
        let short = taskscope::spawn_named("short", std::future::pending::<()>());
        let call = taskscope::Builder::new()
            .name("call")
            .spawn_blocking(move || block_here(&released));
        let call_dump = loop {
            tokio::task::yield_now().await;
            let task = named(&look(Stacks::Fresh), "call").unwrap();
            let since = task.state.since();
            if task.state.name() == "running" && since >= 2 * taskscope::BLOCKING_THRESHOLD {
                break task;
            }
        };
        assert_eq!(call_dump.verdict.name(), "active");
        assert!(call_dump.long_poll.is_none());
        let short_dump = named(&look(Stacks::None), "short").unwrap();
        assert!(short_dump.long_poll.is_none());
        drop(release);
        call.await.unwrap();
        short.abort();
    });
}

#[test]
fn a_signal_that_is_in_use_is_refused_with_a_reason() {
    let error = Watchdog::new().signal(9).install().unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    // The second, if another test of this process has needed a signal before.
    let why = ["choose a realtime signal", "has claimed signal"];
    assert!(why.iter().any(|why| cause.contains(why)), "{cause}");
}

#[test]
fn a_site_that_only_grows_comes_before_one_with_more_tasks_that_does_not() {
    current_thread().block_on(async {
        for _ in 0..8 {
            drop(taskscope::spawn(std::future::pending::<()>()));
        }
        let stays = line!() - 2;
        for _ in 0..taskscope::GROWTH_MIN_SAMPLES {
            drop(taskscope::spawn(std::future::pending::<()>()));
            taskscope::sample_growth();
        }
        let grows = line!() - 3;
        let growth: Vec<_> = taskscope::growth()
            .into_iter()
            .filter(|site| site.site.file().ends_with("watchdog.rs"))
            .collect();
        let at = |line| growth.iter().position(|site| site.site.line() == line);
        let (grows, stays) = (at(grows).unwrap(), at(stays).unwrap());
        assert!(grows < stays);
        assert!(growth[grows].only_grows() && !growth[stays].only_grows());
        assert_eq!((growth[grows].grew_by(), growth[stays].alive()), (2, 8));
    });
}
