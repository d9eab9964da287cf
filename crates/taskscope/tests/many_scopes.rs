//! Scopes by the million, and deep ones: nothing is left behind.
#![cfg(feature = "enable")]

use std::collections::VecDeque;
use std::time::Duration;

use taskscope::{AtEnd, CancelReason, Scope, scope::MAX_PENDING_REPORTS, stats};

/// Tests of this file look at what the process holds, so they take turns.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Bytes of the process that are in memory.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * 4096
}

/// Resident memory, in bytes, that `f` leaves behind when it is done again and again.
fn left_by(mut f: impl FnMut()) -> usize {
    f();
    let before = resident();
    for _ in 0..4 {
        f();
    }
    resident().saturating_sub(before)
}

const LITTLE: usize = 16 << 20;

fn chain(length: usize) -> Vec<Scope> {
    let mut chain = vec![Scope::new("root")];
    for _ in 1..length {
        let next = chain[chain.len() - 1].child("deeper");
        chain.push(next);
    }
    chain
}

#[test]
fn scopes_with_distant_deadlines_that_end_early_leave_nothing() {
    let _turn = TURN.blocking_lock();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let left = left_by(|| {
        runtime.block_on(async {
            let mut open = VecDeque::new();
            for at in 0..100_000_u64 {
                let scope = Scope::new("request").timeout(Duration::from_secs(3600 + at % 60));
                let part = scope.child("part").timeout(Duration::from_secs(60));
                drop(part.token().child_token());
                open.push_back((scope, part));
                if open.len() > 1000 {
                    open.pop_front();
                }
            }
            assert_eq!(stats().scope_alarms, 2 * open.len());
        });
    });
    assert_eq!(stats().scope_alarms, 0);
    assert!(left < LITTLE, "{left} bytes");
}

#[test]
fn a_chain_of_scopes_may_be_as_deep_as_it_likes() {
    let _turn = TURN.blocking_lock();
    const DEPTH: usize = 100_000;
    // From either end, and by the one guard that is left.
    drop(chain(DEPTH));
    chain(DEPTH).into_iter().rev().for_each(drop);
    let last = chain(DEPTH).pop().unwrap();
    assert!(last.to_ref().ended().is_some());
    drop(last);
}

#[tokio::test]
async fn what_happens_to_the_root_is_known_at_the_end_of_a_deep_chain() {
    let _turn = TURN.lock().await;
    let chain = chain(10_000);
    let (root, last) = (&chain[0], &chain[chain.len() - 1]);
    let token = last.token();
    let task = last.spawn(async move { token.cancelled().await });
    assert_eq!(root.to_ref().tasks(), 1);
    root.cancel(CancelReason::Shutdown);
    task.await.unwrap();
    let seen = last.to_ref().cancellation().unwrap();
    assert_eq!(
        (seen.reason, seen.root),
        (CancelReason::Parent, CancelReason::Shutdown)
    );
    assert_eq!(seen.scope, root.to_ref());
    assert!(!format!("{last:?}").contains("root"));
}

#[tokio::test]
async fn ended_scopes_that_nobody_has_room_for_are_counted() {
    const MANY: usize = MAX_PENDING_REPORTS + 1000;
    let _turn = TURN.lock().await;
    let before = stats();
    // They are not looked at before the grace is over, so the queue fills up however slow this is.
    let ended = || {
        let scope = Scope::new("request").at_end(AtEnd::Abort {
            grace: Duration::from_secs(600),
        });
        (scope.to_ref(), scope.spawn(std::future::pending::<()>()))
    };
    let ended_scopes: Vec<_> = (0..MANY).map(|_| ended()).collect();
    let full = stats();
    assert_eq!(full.scopes_ended, MAX_PENDING_REPORTS);
    let waited = MAX_PENDING_REPORTS - before.scopes_ended;
    let unreported = full.scopes_unreported - before.scopes_unreported;
    assert_eq!(unreported, (MANY - waited) as u64);
    assert_eq!(full.scope_alarms - before.scope_alarms, MANY);
    let mut known = Vec::new();
    for (scope, task) in ended_scopes {
        task.abort();
        let _ = task.await;
        known.push(scope);
    }
    // A full queue is searched for scopes that need no report any more, although somebody still
    // knows them.
    while stats().scopes_ended > 100 {
        ended().1.abort();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn labels_and_names_are_taken_as_they_are_but_for_their_length() {
    let long = "x".repeat(1 << 20);
    let hostile = [
        "",
        "a=b,c",
        "\u{1b}[31m\r\n\0",
        "\u{202e}evil\"}'",
        "🦀",
        &long,
    ];
    let mut scope = Scope::new(hostile[2]);
    for text in hostile {
        scope = scope.label(text, text);
    }
    scope = scope.label(hostile[2], "again");
    let labels = scope.to_ref().labels();
    let keys: Vec<&str> = labels.iter().map(|(key, _)| &**key).collect();
    assert_eq!(keys[..5], hostile[..5]);
    let cut = keys[5].strip_prefix(&"x".repeat(200));
    assert!(cut.is_some_and(|cut| cut.ends_with(" more characters)")));
    assert_eq!(&*labels[2].1, "again");
    let shown = format!("{scope:?} {:?}", scope.token());
    assert!(!shown.contains(['\u{1b}', '\n', '\0']), "{shown}");
}
