//! `#[leakcheck::test]`: when the check comes, and how it changes the end of a test.
//!
//! The tests in `cases` leak, fail or panic in some runs only, which the tests below start. In all
//! others they are the controls.

mod support;

use crate::support::{Run, run};

mod cases {
    use std::io::Error;
    use std::process::ExitCode;
    use std::time::Duration;

    use crate::support::is;

    /// Leaves a task in this mode.
    fn leak_in(mode: &str) {
        if is(mode) {
            drop(taskscope::spawn_named(
                "left behind",
                std::future::pending::<()>(),
            ));
        }
    }

    struct AbortOnDrop(tokio::task::AbortHandle);

    impl Drop for AbortOnDrop {
        fn drop(&mut self) {
            self.0.abort();
        }
    }

    fn guarded() -> AbortOnDrop {
        AbortOnDrop(
            taskscope::spawn_named("left behind", std::future::pending::<()>()).abort_handle(),
        )
    }

    #[leakcheck::test]
    async fn returns_nothing() {
        leak_in("leak");
    }

    #[leakcheck::test(flavor = "multi_thread", worker_threads = 2)]
    async fn returns_nothing_on_workers() {
        assert_eq!(tokio::runtime::Handle::current().metrics().num_workers(), 2);
        leak_in("leak");
    }

    #[leakcheck::test(flavor = "local", name = "of one test")]
    async fn returns_nothing_on_a_local_runtime() {
        let not_send = std::rc::Rc::new(7);
        let task = tokio::task::spawn_local(async move { *not_send });
        assert_eq!(task.await.unwrap(), 7);
        let name = tokio::runtime::Handle::current().name().map(str::to_owned);
        assert_eq!(name.as_deref(), Some("of one test"));
        if is("leak") {
            let left = taskscope::Builder::new().name("left behind");
            drop(left.spawn_local(std::future::pending::<()>()));
        }
    }

    /// Tokio has this with `--cfg tokio_unstable` only.
    #[cfg(tokio_unstable)]
    #[leakcheck::test(unhandled_panic = "shutdown_runtime")]
    #[should_panic(expected = "the runtime is configured to shut down on unhandled panic")]
    async fn ends_with_a_task_that_panics() {
        drop(tokio::spawn(async { panic!("of a task") }));
        std::future::pending::<()>().await;
    }

    #[leakcheck::test]
    async fn returns_a_result() -> Result<(), Error> {
        leak_in("leak");
        leak_in("leak and fail");
        if is("fail") || is("leak and fail") {
            Err(Error::other("the test's own error"))?;
        }
        Ok(())
    }

    #[leakcheck::test]
    async fn returns_an_exit_code() -> ExitCode {
        leak_in("leak");
        leak_in("leak and fail");
        ExitCode::from(u8::from(is("fail") || is("leak and fail")))
    }

    #[leakcheck::test]
    async fn panics() {
        leak_in("leak and fail");
        assert!(!is("fail") && !is("leak and fail"), "the test's own panic");
    }

    #[leakcheck::test]
    async fn has_a_guard() {
        let guard = guarded();
        if is("leak") {
            std::mem::forget(guard);
        }
    }

    #[leakcheck::test]
    async fn has_a_guard_and_panics() {
        let guard = guarded();
        if is("leak and fail") {
            std::mem::forget(guard);
        }
        assert!(!is("fail") && !is("leak and fail"), "the test's own panic");
    }

    /// The last expression's temporaries live longest.
    #[leakcheck::test]
    async fn has_a_guard_at_its_very_end() {
        std::future::ready(guarded()).await;
    }

    #[leakcheck::test]
    #[should_panic(expected = "the test's own panic")]
    async fn should_panic() {
        leak_in("leak and fail");
        leak_in("leak");
        assert!(is("leak"), "the test's own panic");
    }

    #[leakcheck::test(
        ignore_name("nobody", "left over from another time"),
        if_any(),
        deny_unused()
    )]
    async fn has_a_rule_that_may_be_without_use() {}

    #[leakcheck::test(ignore_name("left behind", "is what this is about"), if_any())]
    async fn ignores_its_leak() {
        leak_in("leak");
    }

    fn of_its_own() -> leakcheck::Options {
        leakcheck::Options::new().ignore_name("left behind", "is what this is about")
    }

    #[leakcheck::test(options = of_its_own(), if_any())]
    async fn has_options_of_its_own() {
        leak_in("leak");
    }

    /// Were the clock to move, the task would say so.
    #[leakcheck::test(start_paused = true, settle(Duration::from_millis(50)))]
    async fn has_a_paused_clock() {
        drop(taskscope::background("alarm", async {
            tokio::time::sleep(Duration::from_secs(600)).await;
            std::process::exit(42);
        }));
        // Has seen the sleeps begin, so the runtime has nothing else to do.
        tokio::task::yield_now().await;
        if is("leak") {
            drop(taskscope::spawn_named(
                "left behind",
                tokio::time::sleep(Duration::from_secs(900)),
            ));
        }
        // Ends in real time, for which the check waits.
        drop(taskscope::spawn_blocking(|| {
            std::thread::sleep(Duration::from_millis(20));
        }));
    }

    #[rstest::rstest]
    #[case::one(1)]
    #[case::two(2)]
    #[leakcheck::test]
    async fn rstest_makes_several_of(#[case] number: u32) {
        if number == 2 {
            leak_in("leak");
        }
    }

    #[test_case::test_case(1; "one")]
    #[test_case::test_case(2; "two")]
    #[leakcheck::test]
    async fn test_case_makes_several_of(number: u32) {
        if number == 2 {
            leak_in("leak");
        }
    }

    #[test_case::test_case(2 => 4; "two")]
    #[leakcheck::test]
    async fn test_case_looks_at_the_output_of(number: u32) -> u32 {
        leak_in("leak");
        number * 2
    }
}

/// One of the cases, in some mode.
fn case(mode: &str, name: &str) -> Run {
    run(Some(mode), &["--exact", &format!("cases::{name}")])
}

/// Checks that the run failed as a test fails, and that the leak was reported once.
#[track_caller]
fn leaked(run: &Run) {
    assert_eq!(run.code, Some(101), "{}", run.said);
    run.has("test result: FAILED. 0 passed; 1 failed;");
    run.has("leakcheck: 1 task is still alive after ");
    run.has("name       left behind");
    assert_eq!(
        run.said.matches("still alive after").count(),
        1,
        "{}",
        run.said
    );
}

/// Checks that the run failed of itself, without a report.
#[track_caller]
fn failed(run: &Run) {
    assert_eq!(run.code, Some(101), "{}", run.said);
    run.has("test result: FAILED. 0 passed; 1 failed;");
    run.has_not("leakcheck: ");
}

#[track_caller]
fn passed(run: &Run, count: usize) {
    assert_eq!(run.code, Some(0), "{}", run.said);
    run.has(&format!("test result: ok. {count} passed; 0 failed;"));
    run.has_not("leakcheck: ");
}

#[test]
fn a_test_that_leaks_fails_where_it_stands() {
    let own = include_str!("attribute.rs");
    for name in [
        "returns_nothing",
        "returns_nothing_on_workers",
        "returns_nothing_on_a_local_runtime",
    ] {
        let run = case("leak", name);
        leaked(&run);
        let line = own
            .lines()
            .position(|line| line.contains(&format!("async fn {name}()")));
        let at = format!("crates/leakcheck/tests/attribute.rs:{}:", line.unwrap() + 1);
        run.has(&format!("panicked at {at}"));
        run.has(&format!("scope      attribute::cases::{name}\n"));
    }
}

#[test]
fn a_result_that_is_ok_fails_with_a_leak() {
    leaked(&case("leak", "returns_a_result"));
    leaked(&case("leak", "returns_an_exit_code"));
}

#[test]
fn an_error_is_kept_and_the_leak_is_added() {
    let run = case("leak and fail", "returns_a_result");
    leaked(&run);
    run.has("the test failed, and leakcheck: 1 task");
    run.has("the test's own error");
    leaked(&case("leak and fail", "returns_an_exit_code"));

    let run = case("fail", "returns_a_result");
    failed(&run);
    run.has("the test's own error");
    failed(&case("fail", "returns_an_exit_code"));
}

#[test]
fn a_panic_is_kept_and_the_leak_is_added() {
    let run = case("leak and fail", "panics");
    leaked(&run);
    run.has("the test panicked, and leakcheck: 1 task");
    let panic = run.said.find("the test's own panic").unwrap();
    assert!(
        panic < run.said.find("leakcheck: ").unwrap(),
        "{}",
        run.said
    );

    let run = case("fail", "panics");
    failed(&run);
    run.has("the test's own panic");
}

/// In other runs the guard is dropped, and so the task is aborted: those tests pass.
#[test]
fn a_guard_that_was_forgotten_leaves_its_task() {
    leaked(&case("leak", "has_a_guard"));
}

#[test]
fn a_guard_is_dropped_before_the_check_when_the_body_panics() {
    let run = case("fail", "has_a_guard_and_panics");
    failed(&run);
    run.has("the test's own panic");
    leaked(&case("leak and fail", "has_a_guard_and_panics"));
}

#[test]
fn a_test_that_should_panic_fails_with_a_leak_whether_it_panics_or_not() {
    let run = case("leak and fail", "should_panic");
    leaked(&run);
    run.has("the test's own panic");
    run.has("the test panicked, and leakcheck: 1 task");
    run.has("leakcheck: the test panicked as it should; it fails because of the tasks above");

    let run = case("leak", "should_panic");
    leaked(&run);
    run.has("test did not panic as expected");
}

/// The controls: what leaks above does not, or it is ignored.
#[test]
fn tests_that_leave_nothing_pass_and_say_nothing() {
    let all = run(None, &["cases::", "--nocapture"]);
    assert_eq!(all.code, Some(0), "{}", all.said);
    all.has_not("leakcheck: ");
    for name in ["ignores_its_leak", "has_options_of_its_own"] {
        passed(&case("leak", name), 1);
    }
}

#[test]
fn a_paused_clock_is_where_it_was_when_the_check_has_waited() {
    let run = case("leak", "has_a_paused_clock");
    leaked(&run);
    run.has("waiting for sleep since ");
}

#[test]
fn under_rstest_and_test_case_each_case_answers_for_itself() {
    for (several, of) in [
        ("rstest_makes_several_of", ["case_1_one", "case_2_two"]),
        (
            "test_case_makes_several_of",
            ["test_case_1_one", "test_case_2_two"],
        ),
    ] {
        let run = run(Some("leak"), &[&format!("cases::{several}")]);
        run.has("test result: FAILED. 1 passed; 1 failed;");
        run.has(&format!("test cases::{several}::{} ... ok\n", of[0]));
        run.has(&format!("test cases::{several}::{} ... FAILED\n", of[1]));
        run.has("leakcheck: 1 task is still alive after ");
    }
    leaked(&run(
        Some("leak"),
        &["cases::test_case_looks_at_the_output_of"],
    ));
}
