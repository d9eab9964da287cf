//! `VerifyTestMain`: exit codes and messages of a real test binary.
//!
//! The binary is this one: each test here runs itself once more as a child process, in which it
//! does what the test is about.

use std::process::{Command, Output};

use crate::support::{Blocked, hasty};

const CHILD: &str = "LEAKCHECK_TEST_CHILD";

/// How the test ended.
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Run {
    fn said(&self, text: &str) -> bool {
        self.out.contains(text) || self.err.contains(text)
    }

    #[track_caller]
    fn assert(&self, code: i32, said: &[&str], not_said: &[&str]) {
        let all = format!("exit code {:?}\n{}\n{}", self.code, self.out, self.err);
        assert_eq!(self.code, Some(code), "{all}");
        for text in said {
            assert!(self.said(text), "{text:?} is missing in:\n{all}");
        }
        for text in not_said {
            assert!(!self.said(text), "{text:?} should not be in:\n{all}");
        }
    }
}

/// Runs this test of this binary in a process of its own. `None`: this is that process.
fn run_again(test: &str) -> Option<Run> {
    if std::env::var_os(CHILD).is_some() {
        return None;
    }
    let binary = std::env::current_exe().expect("a test has a file");
    let mut child = Command::new(binary);
    child.args(["--exact", test, "--nocapture", "--color", "never"]);
    let Output {
        status,
        stdout,
        stderr,
    } = child.env(CHILD, "1").output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some(Run {
        code: status.code(),
        out: text(&stdout),
        err: text(&stderr),
    })
}

const FAILED: &str = "test result: FAILED. 0 passed; 1 failed";
const PASSED: &str = "test result: ok. 1 passed; 0 failed";
const LEAK: &str = "leakcheck: 1 task is still alive after";

/// Code 0 and a leak: 101, and the report at the line of the assertion.
#[tokio::test]
async fn a_leak_fails_the_assertion_and_the_process() {
    let Some(run) = run_again("exits::a_leak_fails_the_assertion_and_the_process") else {
        let _blocked = Blocked::start();
        leakcheck::assert_none!(hasty());
        return;
    };
    run.assert(
        101,
        &[
            FAILED,
            LEAK,
            "blocked_until_told",
            "goleak/exits.rs:",
            "oneshot recv",
        ],
        &[],
    );
}

/// Code 0 and no leak: 0, and not a word.
#[tokio::test]
async fn a_clean_run_of_the_assertion_says_nothing() {
    let Some(run) = run_again("exits::a_clean_run_of_the_assertion_says_nothing") else {
        Blocked::start().end().await;
        leakcheck::assert_none!();
        return;
    };
    run.assert(0, &[PASSED], &["leakcheck", "blocked_until_told"]);
    assert_eq!(run.err, "");
}

#[leakcheck::test(settle(std::time::Duration::ZERO))]
async fn a_leak_fails_the_attribute_and_the_process() {
    let Some(run) = run_again("exits::a_leak_fails_the_attribute_and_the_process") else {
        drop(taskscope::spawn(std::future::pending::<()>()));
        return;
    };
    run.assert(101, &[FAILED, LEAK, "goleak/exits.rs:", "stuck"], &[]);
}

#[leakcheck::test]
async fn a_clean_run_of_the_attribute_says_nothing() {
    let Some(run) = run_again("exits::a_clean_run_of_the_attribute_says_nothing") else {
        Blocked::start().end().await;
        return;
    };
    run.assert(0, &[PASSED], &["leakcheck", "blocked_until_told"]);
    assert_eq!(run.err, "");
}

#[test]
fn a_leak_fails_the_assertion_outside_of_async_code_and_the_process() {
    let name = "exits::a_leak_fails_the_assertion_outside_of_async_code_and_the_process";
    let Some(run) = run_again(name) else {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let _blocked = runtime.block_on(async { Blocked::start() });
        leakcheck::assert_none_in!(&runtime, hasty());
        return;
    };
    run.assert(101, &[FAILED, LEAK, "blocked_until_told"], &[]);
}

/// A code other than 0 stays what it is, and without a leak nothing is added.
#[leakcheck::test]
async fn a_failing_run_without_a_leak_says_nothing_of_leaks() {
    let Some(run) = run_again("exits::a_failing_run_without_a_leak_says_nothing_of_leaks") else {
        Blocked::start().end().await;
        panic!("the price is wrong");
    };
    run.assert(
        101,
        &[FAILED, "the price is wrong"],
        &["still alive", "and leakcheck"],
    );
}

/// `RunOnFailure`, which goleak has promised and does not do: the failure and the leak are both
/// told.
#[leakcheck::test(settle(std::time::Duration::ZERO))]
async fn a_failing_run_with_a_leak_tells_both() {
    let Some(run) = run_again("exits::a_failing_run_with_a_leak_tells_both") else {
        drop(taskscope::spawn(std::future::pending::<()>()));
        panic!("the price is wrong");
    };
    run.assert(101, &[FAILED, "the price is wrong", LEAK, "stuck"], &[]);
}

/// A clean run with a rule that matched nothing passes, and names the rule.
#[leakcheck::test(ignore_name("nobody", "left in 2019"))]
async fn a_rule_that_matched_nothing_is_named_on_standard_error() {
    let Some(run) = run_again("exits::a_rule_that_matched_nothing_is_named_on_standard_error")
    else {
        return;
    };
    run.assert(0, &[PASSED], &[]);
    assert_eq!(
        run.err,
        "leakcheck: goleak::exits::a_rule_that_matched_nothing_is_named_on_standard_error: \
         this rule matched nothing: name \"nobody\" (left in 2019)\n"
    );
}

/// Its control, and `if_any`.
#[leakcheck::test(
    ignore_name("somebody", "there"),
    ignore_name("nobody", "left"),
    if_any()
)]
async fn a_rule_that_matched_is_not_named() {
    let Some(run) = run_again("exits::a_rule_that_matched_is_not_named") else {
        drop(taskscope::spawn_named(
            "somebody",
            std::future::pending::<()>(),
        ));
        return;
    };
    run.assert(0, &[PASSED], &["leakcheck"]);
}

/// An `allow` with nothing to allow is named as well.
#[leakcheck::test(allow(2, "the flushers"))]
async fn to_allow_what_is_not_left_is_named_on_standard_error() {
    let Some(run) = run_again("exits::to_allow_what_is_not_left_is_named_on_standard_error") else {
        return;
    };
    run.assert(0, &[PASSED], &[]);
    assert_eq!(
        run.err,
        "leakcheck: goleak::exits::to_allow_what_is_not_left_is_named_on_standard_error: \
         this rule matched nothing: up to 2 tasks (the flushers)\n"
    );
}

/// Its control: what is allowed is told, and passes.
#[leakcheck::test(allow(2, "the flushers"))]
async fn what_is_allowed_is_named_on_standard_error() {
    let Some(run) = run_again("exits::what_is_allowed_is_named_on_standard_error") else {
        drop(taskscope::spawn(std::future::pending::<()>()));
        return;
    };
    run.assert(0, &[PASSED], &[]);
    assert_eq!(
        run.err,
        "leakcheck: goleak::exits::what_is_allowed_is_named_on_standard_error: \
         1 left and allowed: up to 2 tasks (the flushers)\n"
    );
}
