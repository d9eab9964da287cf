//! A real test binary with many tests at a time, half of which leak: each leak is reported by its
//! test, and the run fails.

mod support;

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::support::{is, run};

/// The one that some tests share.
fn shared() -> &'static Runtime {
    static SHARED: LazyLock<Runtime> = LazyLock::new(|| {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap()
    });
    &SHARED
}

/// Tests that run at the same time in such a run.
const AT_A_TIME: usize = 16;

/// Returns when so many have begun, so that they overlap.
async fn all_are_here() {
    static HERE: AtomicUsize = AtomicUsize::new(0);
    HERE.fetch_add(1, Ordering::Relaxed);
    while is("leaking") && HERE.load(Ordering::Relaxed) < AT_A_TIME {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A task that is done before the test, or, in a run that leaks, never.
async fn leak(name: &'static str) {
    all_are_here().await;
    let task = taskscope::spawn_named(name, async {
        if is("leaking") {
            std::future::pending::<()>().await;
        }
    });
    if !is("leaking") {
        task.await.unwrap();
    }
}

/// The body of a test whose task ends in every run.
async fn clean() {
    all_are_here().await;
    taskscope::spawn_named("clean", tokio::task::yield_now())
        .await
        .unwrap();
}

macro_rules! tests {
    ($($kind:ident $options:tt { $($leaking:ident)* | $($clean:ident)* })*) => {
        $(mod $kind {
            $(#[leakcheck::test $options]
            async fn $leaking() {
                crate::leak(concat!(stringify!($kind), "::", stringify!($leaking))).await;
            })*

            $(#[leakcheck::test $options]
            async fn $clean() {
                crate::clean().await;
            })*
        })*

        const LEAKING: &[&str] = &[$($(concat!("tests::", stringify!($kind), "::", stringify!($leaking))),*),*];
        const CLEAN: &[&str] = &[$($(concat!("tests::", stringify!($kind), "::", stringify!($clean))),*),*];
    };
}

mod tests {
    tests! {
        current_thread() { leaks_1 leaks_2 leaks_3 leaks_4 leaks_5 leaks_6 | clean_1 clean_2 clean_3 clean_4 clean_5 clean_6 }
        multi_thread(flavor = "multi_thread", worker_threads = 2) { leaks_1 leaks_2 leaks_3 leaks_4 leaks_5 leaks_6 | clean_1 clean_2 clean_3 clean_4 clean_5 clean_6 }
        shared(runtime = crate::shared()) { leaks_1 leaks_2 leaks_3 leaks_4 leaks_5 leaks_6 | clean_1 clean_2 clean_3 clean_4 clean_5 clean_6 }
    }

    pub(crate) const ALL: (&[&str], &[&str]) = (LEAKING, CLEAN);
}

/// The failed tests of a run, each with its output.
fn sections(said: &str) -> Vec<(&str, &str)> {
    let failures = said.split("\n---- ").skip(1);
    failures
        .map(|section| section.split_once(" stdout ----\n").unwrap())
        .collect()
}

#[test]
fn a_leak_is_blamed_on_the_test_that_made_it_and_on_no_other() {
    let at_a_time = format!("--test-threads={AT_A_TIME}");
    let run = run(Some("leaking"), &["tests::", &at_a_time]);
    let (leaking, clean) = tests::ALL;
    assert_eq!(run.code, Some(101), "{}", run.said);
    run.has(&format!(
        "test result: FAILED. {} passed; {} failed;",
        clean.len(),
        leaking.len()
    ));
    for test in clean {
        run.has(&format!("test {test} ... ok\n"));
    }
    let sections = sections(&run.said);
    let failed: BTreeSet<&str> = sections.iter().map(|(test, _)| *test).collect();
    assert_eq!(failed, leaking.iter().copied().collect());
    for (test, report) in sections {
        let report = report.split("\n\nfailures:").next().unwrap();
        let name = test.strip_prefix("tests::").unwrap();
        assert!(
            report.contains("leakcheck: 1 task is still alive after "),
            "{test}: {report}"
        );
        assert!(
            report.contains("at crates/leakcheck/tests/parallel.rs:"),
            "{test}: {report}"
        );
        let names = report
            .lines()
            .filter_map(|line| line.trim().strip_prefix("name "));
        let names: Vec<&str> = names.map(str::trim).collect();
        assert_eq!(names, [name], "{report}");
        let scope = report
            .lines()
            .find_map(|line| line.trim().strip_prefix("scope "));
        assert_eq!(
            scope.map(str::trim),
            Some(format!("parallel::{test}").as_str()),
            "{report}"
        );
    }
}

/// The control: the same tests without the leak.
#[test]
fn a_clean_run_passes_and_says_nothing() {
    let run = run(None, &["tests::", "--test-threads=16", "--nocapture"]);
    assert_eq!(run.code, Some(0), "{}", run.said);
    let all = tests::ALL.0.len() + tests::ALL.1.len();
    run.has(&format!("test result: ok. {all} passed; 0 failed;"));
    run.has_not("leakcheck");
}

/// Tests that keep the processors busy, next to some whose tasks are just ending when the check
/// comes.
mod busy {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use crate::support::is;

    /// Many, so that each processor has several.
    macro_rules! hogs {
        ($($name:ident)*) => {$(
            #[leakcheck::test]
            async fn $name() {
                HOGS.fetch_add(1, Ordering::Relaxed);
                let began = Instant::now();
                while is("busy") && began.elapsed() < Duration::from_millis(1500) {
                    std::hint::spin_loop();
                }
            }
        )*};
    }

    hogs! { hog_1 hog_2 hog_3 hog_4 hog_5 hog_6 hog_7 hog_8 hog_9 hog_10 hog_11 hog_12 }

    static HOGS: AtomicUsize = AtomicUsize::new(0);

    async fn hogs_are_here() {
        while is("busy") && HOGS.load(Ordering::Relaxed) < 12 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Each leaves a task that has been told to end and has not got its turn.
    async fn leave_ending() {
        for _ in 0..20 {
            // Ends by itself, in many turns.
            drop(taskscope::spawn(async {
                for _ in 0..100 {
                    tokio::task::yield_now().await;
                }
            }));
            // Is woken, and ends.
            let (tell, told) = tokio::sync::oneshot::channel::<()>();
            drop(taskscope::spawn(told));
            tokio::task::yield_now().await;
            drop(tell);
            // Is aborted while nothing could wake it.
            let stuck = taskscope::spawn(std::future::pending::<()>());
            tokio::task::yield_now().await;
            stuck.abort();
            drop(tokio::spawn(tokio::task::yield_now()));
        }
    }

    /// Leaves a task that nothing can wake any more, and that has been aborted: what a record shows
    /// of it looks stuck until its turn comes.
    async fn leave_aborted() {
        // Many, because seldom one is met in the middle.
        for _ in 0..100 {
            let stuck = taskscope::spawn(std::future::pending::<()>());
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            stuck.abort();
            let scope = taskscope::Scope::current().unwrap();
            leakcheck::assert_none!(leakcheck::Options::new().scope(&scope));
        }
    }

    macro_rules! endings {
        ($leave:ident: $($name:ident($($options:tt)*))*) => {$(
            #[leakcheck::test($($options)*)]
            async fn $name() {
                hogs_are_here().await;
                $leave().await;
            }
        )*};
    }

    endings! {
        leave_ending: ending_1() ending_2()
        ending_3(flavor = "multi_thread", worker_threads = 2) ending_4(flavor = "multi_thread", worker_threads = 2)
        ending_5(flavor = "multi_thread", worker_threads = 4) ending_6(flavor = "multi_thread", worker_threads = 4)
        ending_7(runtime = crate::shared()) ending_8(runtime = crate::shared())
    }

    endings! {
        leave_aborted: aborted_1() aborted_2()
        aborted_3(flavor = "multi_thread", worker_threads = 2) aborted_4(flavor = "multi_thread", worker_threads = 2)
        aborted_5(flavor = "multi_thread", worker_threads = 4) aborted_6(flavor = "multi_thread", worker_threads = 4)
        aborted_7(runtime = crate::shared()) aborted_8(runtime = crate::shared())
    }
}

#[test]
fn a_test_that_hogs_the_processors_makes_no_false_alarm_in_another() {
    let run = run(Some("busy"), &["busy::", "--test-threads=28"]);
    assert_eq!(run.code, Some(0), "{}", run.said);
    run.has("test result: ok. 28 passed; 0 failed;");
}
