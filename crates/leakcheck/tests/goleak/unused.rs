//! A rule that matches nothing any more is reported: complaint 117 of goleak's users, and what
//! keeps a list of exceptions short.

use leakcheck::Options;

use crate::support::{Blocked, Untracked, found, hasty, is_clean};

fn rotten() -> Options {
    hasty().ignore_name("nobody", "left in 2019")
}

/// On standard error it is seen by a person only: `exits.rs` reads it there.
#[tokio::test]
async fn a_rule_that_matched_nothing_does_not_fail_by_itself() {
    assert!(is_clean(rotten()).await);
    let blocked = Blocked::start();
    assert!(!is_clean(rotten()).await);
    blocked.end().await;
}

#[tokio::test]
async fn with_deny_unused_it_fails_without_a_leak() {
    let leaks = found(rotten().deny_unused()).await;
    assert_eq!(leaks.count(), 0);
    assert_eq!(leaks.unused_rules(), ["name \"nobody\" (left in 2019)"]);
    let text = leaks.to_string();
    let line = "this rule matched nothing: name \"nobody\" (left in 2019)";
    assert!(text.contains(line), "{text}");
    assert!(
        !text.contains("task"),
        "nothing is alive, and nothing is said to be: {text}"
    );
}

/// The control of the test above.
#[tokio::test]
async fn a_rule_that_matched_passes_with_deny_unused() {
    let blocked = Blocked::named("nobody");
    assert!(!is_clean(hasty()).await);
    assert!(is_clean(rotten().deny_unused()).await);
    blocked.end().await;
}

#[tokio::test]
async fn a_rule_for_what_is_there_only_sometimes_is_not_reported() {
    assert!(is_clean(rotten().if_any().deny_unused()).await);
    // It is about the last rule alone.
    let two = rotten()
        .ignore_scope("nowhere", "left, too")
        .if_any()
        .deny_unused();
    assert_eq!(
        found(two).await.unused_rules(),
        ["name \"nobody\" (left in 2019)"]
    );
    let blocked = Blocked::start();
    let leaks = found(rotten().if_any()).await;
    assert!(
        leaks.count() == 1 && leaks.unused_rules().is_empty(),
        "{leaks}"
    );
    blocked.end().await;
}

#[tokio::test]
async fn a_report_of_leaks_names_the_rules_that_matched_nothing() {
    let blocked = Blocked::start();
    let leaks = found(rotten().ignore_function("nothing::of::ours", "never was")).await;
    assert_eq!(leaks.unused_rules().len(), 2);
    let text = leaks.to_string();
    assert!(
        text.contains("this rule matched nothing: function \"nothing::of::ours\" (never was)"),
        "{text}"
    );
    blocked.end().await;
    assert!(is_clean(hasty()).await);
}

/// Two rules that match the same task are both of use, also if the second needs its stack.
#[tokio::test]
async fn of_two_rules_for_one_task_neither_is_unused() {
    let blocked = Blocked::named("reaper");
    let options = || hasty().ignore_name("reaper", "known").deny_unused();
    assert!(is_clean(options().ignore_spawned_at("goleak", "known, too")).await);
    assert!(is_clean(options().ignore_function("blocked_until_told", "known, too")).await);
    // The control.
    assert!(!is_clean(options().ignore_function("blocked_until", "known, too")).await);
    blocked.end().await;
}

/// A baseline may match nothing: nobody expects that its tasks are still there.
#[tokio::test]
async fn an_empty_baseline_is_not_reported() {
    assert!(is_clean(hasty().ignore_current("nothing yet").deny_unused()).await);
    let blocked = Blocked::start();
    let leaks = found(hasty()).await;
    assert!(leaks.unused_rules().is_empty(), "{leaks}");
    blocked.end().await;
}

/// `allow` is a rule as well: with nothing left, it is unused.
#[tokio::test]
async fn to_allow_what_is_not_left_is_reported() {
    let allowing = || hasty().allow(2, "the flushers, #7").deny_unused();
    let leaks = found(allowing()).await;
    assert_eq!(leaks.count(), 0);
    assert_eq!(leaks.unused_rules(), ["up to 2 tasks (the flushers, #7)"]);
    let text = leaks.to_string();
    let line = "this rule matched nothing: up to 2 tasks (the flushers, #7)";
    assert!(text.contains(line), "{text}");
    // By itself it fails nothing.
    assert!(is_clean(hasty().allow(2, "the flushers, #7")).await);
    // The controls: one task is enough, tracked or not; three are too many, which is no rule
    // without a use.
    let untracked = Untracked::start();
    assert!(is_clean(allowing()).await);
    let blocked = [Blocked::start(), Blocked::start()];
    let leaks = found(allowing()).await;
    assert_eq!(leaks.count(), 3, "{leaks}");
    assert!(leaks.unused_rules().is_empty(), "{leaks}");
    untracked.end().await;
    for blocked in blocked {
        blocked.end().await;
    }
}

/// Tasks that another rule ignores do not count for `allow`.
#[tokio::test]
async fn to_allow_what_is_ignored_is_reported() {
    let blocked = Blocked::named("reaper");
    let ignoring = || hasty().ignore_name("reaper", "known").deny_unused();
    let twice = found(ignoring().allow(1, "known, too")).await;
    assert_eq!(twice.unused_rules(), ["up to 1 task (known, too)"]);
    // The control.
    assert!(is_clean(ignoring()).await);
    assert!(is_clean(hasty().allow(1, "known").deny_unused()).await);
    blocked.end().await;
}

#[tokio::test]
async fn to_allow_what_is_left_only_sometimes_is_not_reported() {
    let allowing = || hasty().allow(1, "comes and goes").if_any();
    assert!(is_clean(allowing().deny_unused()).await);
    // It is about the last rule alone, whichever kind that is.
    let leaks = found(rotten().allow(1, "comes and goes").if_any().deny_unused()).await;
    assert_eq!(leaks.unused_rules(), ["name \"nobody\" (left in 2019)"]);
    let last = hasty().allow(1, "stays").ignore_name("x", "y").if_any();
    let leaks = found(last.deny_unused()).await;
    assert_eq!(leaks.unused_rules(), ["up to 1 task (stays)"]);
    // When it is left, it is allowed; without the rule it is not.
    let blocked = Blocked::start();
    assert!(is_clean(allowing().deny_unused()).await);
    assert!(!is_clean(hasty()).await);
    blocked.end().await;
}

/// Presets and untracked tasks are rules like the others.
#[tokio::test]
async fn to_keep_what_is_not_there_is_reported() {
    for keeping in [
        hasty().allow_untracked(1, "a library's"),
        hasty().keep_hyper_connections(1),
        hasty().keep_reqwest_connections(1),
        hasty().keep_bb8_reapers(1),
        hasty().keep_sqlx_reapers(1),
    ] {
        let unused = found(keeping.clone().deny_unused()).await;
        assert_eq!(unused.unused_rules().len(), 1, "{unused}");
        assert!(is_clean(keeping.clone().if_any().deny_unused()).await);
        // The control.
        let untracked = Untracked::start();
        assert!(!is_clean(hasty()).await);
        assert!(is_clean(keeping.deny_unused()).await);
        untracked.end().await;
    }
}
