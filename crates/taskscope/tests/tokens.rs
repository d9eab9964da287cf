//! Tokens: they mean what tokio-util's mean, and every look at one is known.
#![cfg(feature = "enable")]

use std::future::pending;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::time::Duration;

use taskscope::{
    CancelReason, DumpOptions, Scope, ScopeRef, Stacks, TaskDump, Token, Verdict,
    verdict::CANCEL_GRACE,
};
use tokio::sync::oneshot;

type Looks = Pin<Box<dyn Future<Output = ()> + Send>>;
type Way = fn(Token) -> Looks;
/// A token of the task's own scope, or of one below.
type OfOwn = fn(&Scope) -> Option<Token>;

fn tasks(scope: &ScopeRef) -> Vec<TaskDump> {
    let options = DumpOptions::new().scope(scope).stacks(Stacks::None);
    options.capture_blocking().tasks
}

/// The one task of a scope, as soon as its verdict is no longer `verdict`.
async fn after(scope: &ScopeRef, verdict: Verdict) -> TaskDump {
    loop {
        let task = tasks(scope).remove(0);
        if task.verdict != verdict {
            return task;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Spawns a task that looks at a token, tells that it has, and then waits for ever, keeping a
/// waker.
async fn looks_once(owner: &Scope, look: Looks) {
    let (told, looked) = oneshot::channel();
    let (open, never) = oneshot::channel::<()>();
    drop(owner.spawn(async move {
        let _open = open;
        look.await;
        let _ = told.send(());
        let _ = never.await;
    }));
    looked.await.unwrap();
}

fn asks(token: Token) -> Looks {
    Box::pin(async move {
        let _ = token.is_cancelled();
    })
}

/// Every way to look at a token.
fn ways() -> Vec<(&'static str, Way)> {
    vec![
        ("is_cancelled", asks),
        ("cancelled", |token| {
            Box::pin(async move {
                let _ = futures::poll!(Box::pin(token.cancelled()));
            })
        }),
        ("cancelled_owned", |token| {
            Box::pin(async move {
                let _ = futures::poll!(Box::pin(token.cancelled_owned()));
            })
        }),
        ("child_token", |token| {
            asks(token.child_token().child_token())
        }),
        ("run_until_cancelled", |token| {
            Box::pin(async move {
                token.run_until_cancelled(async {}).await;
            })
        }),
        ("run_until_cancelled_owned", |token| {
            Box::pin(async move {
                token.run_until_cancelled_owned(async {}).await;
            })
        }),
        ("drop_guard", |token| {
            Box::pin(async move {
                let guard = token.drop_guard();
                let _ = guard.token().is_cancelled();
                drop(guard.disarm());
            })
        }),
        ("drop_guard_ref", |token| {
            Box::pin(async move {
                let guard = token.drop_guard_ref();
                let _ = guard.token().is_cancelled();
                guard.disarm();
            })
        }),
    ]
}

#[tokio::test]
async fn every_way_to_look_at_a_token_is_seen() {
    for (name, way) in ways() {
        let scope = Scope::new("request");
        looks_once(&scope, way(scope.token())).await;
        let task = tasks(&scope.to_ref()).remove(0);
        let (first, last) = task.token_polled.expect(name);
        assert!(last <= first && first <= task.age, "{name}");
    }
    let scope = Scope::new("control");
    let token = scope.token();
    let look = async move {
        drop((format!("{token:?}"), token.as_inner().is_cancelled()));
        token.into_inner().run_until_cancelled(async {}).await;
    };
    looks_once(&scope, Box::pin(look)).await;
    assert_eq!(tasks(&scope.to_ref())[0].token_polled, None);
}

#[tokio::test]
async fn the_first_and_the_last_look_are_kept() {
    const BETWEEN: Duration = Duration::from_millis(20);
    let scope = Scope::new("request");
    let token = scope.token();
    let look = async move {
        let _ = token.is_cancelled();
        tokio::time::sleep(BETWEEN).await;
        let _ = token.is_cancelled();
    };
    looks_once(&scope, Box::pin(look)).await;
    let (first, last) = tasks(&scope.to_ref())[0].token_polled.unwrap();
    assert!(first - last >= BETWEEN / 2, "{first:?} {last:?}");
}

#[tokio::test]
async fn tokens_of_the_same_line_of_scopes_count_and_no_others() {
    let parent = Scope::new("parent");
    let sibling = parent.child("sibling");
    let elsewhere = Scope::new("elsewhere");
    let tokens: [(OfOwn, Token, bool); 6] = [
        (|own| Some(own.token()), Token::new(), true),
        (|own| Some(own.child("below").token()), Token::new(), true),
        (|_| None, parent.token(), true),
        (|_| None, sibling.token(), false),
        (|_| None, elsewhere.token(), false),
        (|_| None, Token::new(), false),
    ];
    for (relative, other, counts) in tokens {
        let own = parent.child("own");
        let token = relative(&own).unwrap_or(other);
        let name = format!("{token:?}");
        looks_once(&own, asks(token)).await;
        let polled = tasks(&own.to_ref())[0].token_polled;
        assert_eq!(polled.is_some(), counts, "{name}");
    }
}

#[tokio::test]
async fn a_look_from_outside_of_any_task_is_nobody_s() {
    let scope = Scope::new("request");
    let token = scope.token();
    looks_once(&scope, Box::pin(async {})).await;
    assert!(!token.is_cancelled());
    assert!(!scope.run(async { token.is_cancelled() }).await);
    assert_eq!(tasks(&scope.to_ref())[0].token_polled, None);
}

#[tokio::test]
async fn who_never_looked_ignores_its_cancellation_and_who_saw_it_is_slow() {
    let ignores = Scope::new("ignores");
    looks_once(&ignores, Box::pin(async {})).await;
    let slow = Scope::new("slow");
    let token = slow.token();
    let look = async move { token.cancelled().await };
    let slow_token = slow.token();
    tokio::join!(looks_once(&slow, Box::pin(look)), async {
        tokio::task::yield_now().await;
        slow_token.cancel();
    });
    let obeys = Scope::new("obeys");
    let token = obeys.token();
    drop(obeys.spawn(async move { token.cancelled().await }));
    ignores.cancel(CancelReason::Explicit);
    obeys.cancel(CancelReason::Explicit);
    assert_eq!(
        tasks(&ignores.to_ref())[0].verdict,
        Verdict::Idle,
        "it has not had its time"
    );
    for (scope, verdict) in [
        (&ignores, Verdict::CancelIgnored),
        (&slow, Verdict::CancelSlow),
    ] {
        let task = after(&scope.to_ref(), Verdict::Idle).await;
        assert_eq!(task.verdict, verdict);
        assert!(task.is_leak_suspect());
        let cancellation = task.scope_cancelled.unwrap();
        assert!(cancellation.ago.unwrap() >= CANCEL_GRACE);
    }
    assert_eq!(obeys.to_ref().tasks(), 0);
}

#[tokio::test]
async fn a_look_before_the_cancellation_is_not_enough() {
    let scope = Scope::new("request");
    for (_, way) in ways() {
        looks_once(&scope, way(scope.token())).await;
    }
    // Cancelled, but not with the scope: it says nothing about that.
    let child = scope.token().child_token();
    child.cancel();
    looks_once(&scope, asks(child)).await;
    scope.cancel(CancelReason::Explicit);
    let waits = after(&scope.to_ref(), Verdict::Idle).await;
    assert_eq!(waits.verdict, Verdict::CancelIgnored);
    for task in tasks(&scope.to_ref()) {
        assert_eq!(task.verdict, Verdict::CancelIgnored, "{:?}", task.site);
        assert!(task.token_polled.is_some());
    }
}

#[tokio::test]
async fn a_token_of_a_scope_above_that_goes_on_tells_nothing_of_the_cancellation() {
    let connection = Scope::new("connection");
    let request = connection.child("request");
    request.cancel(CancelReason::Explicit);
    let token = connection.token();
    looks_once(&request, asks(token)).await;
    let token = connection.token();
    looks_once(&connection, asks(token)).await;
    assert_eq!(tasks(&request.to_ref())[0].token_polled, None);
    assert_eq!(
        after(&request.to_ref(), Verdict::Idle).await.verdict,
        Verdict::CancelIgnored
    );
}

#[tokio::test]
async fn a_cancelled_task_of_a_scope_that_ended_is_judged_by_its_cancellation() {
    let scope = Scope::new("request");
    looks_once(&scope, Box::pin(async {})).await;
    scope.cancel(CancelReason::Explicit);
    let seen = scope.to_ref();
    drop(scope);
    assert_eq!(tasks(&seen)[0].verdict, Verdict::Outlived);
    assert_eq!(
        after(&seen, Verdict::Outlived).await.verdict,
        Verdict::CancelIgnored
    );
}

#[tokio::test]
async fn a_raw_token_that_somebody_cancels_is_judged_from_the_moment_that_it_is_noticed() {
    let scope = Scope::new("request");
    looks_once(&scope, Box::pin(async {})).await;
    scope.token().into_inner().cancel();
    let task = after(&scope.to_ref(), Verdict::Idle).await;
    assert_eq!(task.verdict, Verdict::CancelIgnored);
    let cancellation = task.scope_cancelled.unwrap();
    assert_eq!(
        (cancellation.reason, cancellation.ago),
        (CancelReason::Explicit, None)
    );
}

#[tokio::test]
async fn cancelling_by_a_token_or_its_guard_leaves_reason_and_time_on_the_scope() {
    let cancels: [fn(Token); 3] = [
        |token| token.cancel(),
        |token| drop(token.drop_guard()),
        |token| drop(token.drop_guard_ref()),
    ];
    for cancel in cancels {
        let scope = Scope::new("request");
        let child = scope.child("part");
        cancel(scope.token());
        let seen = child.to_ref().cancellation().unwrap();
        assert_eq!(
            (seen.reason, seen.root),
            (CancelReason::Parent, CancelReason::Explicit)
        );
        assert!(seen.ago.is_some());
    }
}

#[tokio::test]
async fn a_child_token_is_cancelled_with_its_scope_and_cancels_nothing_but_itself() {
    let scope = Scope::new("request");
    let (one, other) = (scope.token().child_token(), scope.token().child_token());
    one.cancel();
    assert!(one.is_cancelled() && !other.is_cancelled() && !scope.token().is_cancelled());
    drop(other.child_token().drop_guard());
    assert!(!other.is_cancelled());
    assert_eq!(scope.to_ref().cancellation().map(|it| it.reason), None);
    scope.cancel(CancelReason::Explicit);
    assert!(other.is_cancelled());
    assert_eq!(other.scope(), Some(scope.to_ref()));
}

#[tokio::test]
async fn a_guard_that_is_disarmed_cancels_nothing() {
    let token = Token::new();
    assert_eq!(token.clone().drop_guard().disarm(), token);
    assert_eq!(*token.drop_guard_ref().disarm(), token);
    assert!(!token.is_cancelled());
    drop(token.clone().drop_guard());
    assert!(token.is_cancelled());
}

#[tokio::test]
async fn tokens_are_equal_if_they_are_clones() {
    let random = std::hash::RandomState::new();
    let scope = Scope::new("request");
    let token = scope.token();
    assert_eq!(token, scope.token());
    assert_ne!(token, token.child_token());
    assert_ne!(Token::new(), Token::default());
    let hash = |token: &Token| std::hash::BuildHasher::hash_one(&random, token);
    assert_eq!(hash(&token), hash(&scope.token()));
    assert_ne!(hash(&token), hash(&token.child_token()));
}

/// Counts how often it was polled and dropped.
struct Probe<'a> {
    polled: &'a mut u32,
    dropped: &'a mut u32,
    ready_at: u32,
}

impl Future for Probe<'_> {
    type Output = &'static str;

    fn poll(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<&'static str> {
        *self.polled += 1;
        if *self.polled == self.ready_at {
            std::task::Poll::Ready("ready")
        } else {
            std::task::Poll::Pending
        }
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        *self.dropped += 1;
    }
}

/// Polls `run_until_cancelled` twice, cancelled before the given poll, and gives its answer; none:
/// pending after both.
macro_rules! run_twice {
    ($token:expr, $run:ident, $cancel_before:expr, $ready_at:expr) => {{
        let (mut polled, mut dropped) = (0, 0);
        let token = $token;
        let probe = Probe {
            polled: &mut polled,
            dropped: &mut dropped,
            ready_at: $ready_at,
        };
        let runs = token.clone();
        let mut run = Box::pin(runs.$run(probe));
        let mut answer = None;
        for at in 1..=2 {
            if $cancel_before == at {
                token.cancel();
            }
            if let std::task::Poll::Ready(ready) = futures::poll!(run.as_mut()) {
                answer = Some(ready);
                break;
            }
        }
        drop(run);
        (answer, polled, dropped)
    }};
}

#[tokio::test]
async fn run_until_cancelled_does_what_tokio_utils_does() {
    use tokio_util::sync::CancellationToken as Theirs;
    for cancel_before in 1..=3 {
        for ready_at in 1..=3 {
            let ours = run_twice!(Token::new(), run_until_cancelled, cancel_before, ready_at);
            let owned = run_twice!(
                Token::new(),
                run_until_cancelled_owned,
                cancel_before,
                ready_at
            );
            let theirs = run_twice!(Theirs::new(), run_until_cancelled, cancel_before, ready_at);
            let case = (cancel_before, ready_at);
            assert_eq!(ours, theirs, "{case:?}");
            assert_eq!(owned, theirs, "{case:?}");
        }
    }
}

#[tokio::test]
async fn a_future_that_is_not_needed_any_more_is_dropped_before_the_answer_is_looked_at() {
    let scope = Scope::new("request");
    let (guard, gone) = oneshot::channel::<()>();
    let token = scope.token();
    let mut run = Box::pin(token.run_until_cancelled(async move {
        let _guard = guard;
        pending::<()>().await;
    }));
    assert!(futures::poll!(run.as_mut()).is_pending());
    scope.cancel(CancelReason::Explicit);
    assert_eq!(run.as_mut().await, None);
    assert!(gone.await.is_err(), "although `run` is still there");
    drop(run);
}

#[tokio::test]
async fn waiting_for_a_token_again_after_giving_up_loses_nothing() {
    let scope = Scope::new("request");
    let token = scope.token();
    for _ in 0..3 {
        assert!(futures::poll!(Box::pin(token.cancelled())).is_pending());
    }
    let waits = tokio::spawn(scope.token().cancelled_owned());
    tokio::task::yield_now().await;
    scope.cancel(CancelReason::Explicit);
    waits.await.unwrap();
    token.cancelled().await;
}

#[test]
fn tokens_and_their_futures_can_go_where_tokio_utils_can() {
    fn anywhere<T: Send + Sync + UnwindSafe + RefUnwindSafe>(_: &T) {}
    fn sendable<T: Send>(_: &T) {}
    let token = Token::new();
    anywhere(&token);
    sendable(&token.cancelled());
    sendable(&token.clone().cancelled_owned());
    sendable(&token.run_until_cancelled(async {}));
    sendable(&token.clone().run_until_cancelled_owned(async {}));
    anywhere(&Scope::new("request"));
    anywhere(&Scope::new("request").to_ref());
}
