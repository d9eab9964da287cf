//! `select!`, `join!` and the like: one branch each.

use std::sync::Arc;

use taskscope::Scope;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::row::{LONG, rows};

rows! {
    a_select_shows_each_branch: "mpsc recv | sleep" = {
        let (tx, mut rx) = mpsc::channel::<u8>(1);
        (tx, async move {
            tokio::select! {
                _ = rx.recv() => {}
                () = tokio::time::sleep(LONG) => {}
            }
        })
    };
    a_join_shows_each_branch: "oneshot recv | sleep" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move { let _ = tokio::join!(rx, tokio::time::sleep(LONG)); })
    };
    a_join_does_not_show_what_is_done: "oneshot recv" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move { let _ = tokio::join!(rx, async {}); })
    };
    a_try_join_shows_each_branch: "mpsc recv | oneshot recv" = {
        let (tx, rx) = oneshot::channel::<u8>();
        let (other, mut others) = mpsc::channel::<u8>(1);
        ((tx, other), async move {
            let _ = tokio::try_join!(rx, async { others.recv().await; Ok(()) });
        })
    };
    two_leaves_of_one_kind_are_two_branches: "notify | notify" = {
        let (one, other) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let keep = (one.clone(), other.clone());
        (keep, async move {
            tokio::select! {
                () = one.notified() => {}
                () = other.notified() => {}
            }
        })
    };
    a_timeout_in_a_select_in_a_join: "mpsc recv | oneshot recv | interval tick | timeout" = {
        let (tx, rx) = oneshot::channel::<u8>();
        let (other, mut others) = mpsc::channel::<u8>(1);
        ((tx, other), async move {
            let mut interval = tokio::time::interval(LONG);
            interval.tick().await;
            let select = async {
                tokio::select! {
                    _ = tokio::time::timeout(LONG, rx) => {}
                    _ = interval.tick() => {}
                }
            };
            tokio::join!(select, others.recv());
        })
    };
    a_select_of_the_futures_crate: "mpsc recv | oneshot recv" = {
        use futures::FutureExt;
        let (tx, rx) = oneshot::channel::<u8>();
        let (other, mut others) = mpsc::channel::<u8>(1);
        ((tx, other), async move {
            futures::select! {
                _ = rx.fuse() => {}
                _ = Box::pin(others.recv()).fuse() => {}
            }
        })
    };
    a_join_of_the_futures_crate: "oneshot recv | sleep" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move { let _ = futures::join!(rx, tokio::time::sleep(LONG)); })
    };
    select_and_join_as_functions: "oneshot recv | notify | sleep" = {
        let (tx, rx) = oneshot::channel::<u8>();
        let notify = Arc::new(Notify::new());
        ((tx, notify.clone()), async move {
            let join = futures::future::join(rx, tokio::time::sleep(LONG));
            let _ = futures::future::select(Box::pin(join), Box::pin(notify.notified())).await;
        })
    };
    // Few enough to be polled with the task's own waker. Branches that are alike to the last frame
    // are one.
    joining_a_few_futures: "oneshot recv" = {
        let (txs, rxs): (Vec<_>, Vec<_>) = (0..2).map(|_| oneshot::channel::<u8>()).unzip();
        (txs, async move { futures::future::join_all(rxs).await; })
    };
    selecting_one_of_some_futures: "oneshot recv" = {
        let (txs, rxs): (Vec<_>, Vec<_>) = (0..2).map(|_| oneshot::channel::<u8>()).unzip();
        (txs, async move { let _ = futures::future::select_all(rxs).await; })
    };
    // A wrapper that gives the future its surroundings does not name the wait.
    a_future_in_a_scope_with_a_local_and_without_a_budget: "oneshot recv" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move {
            let unconstrained = tokio::task::coop::unconstrained(rx);
            let _ = Scope::new("scope").run(LOCAL.scope(1, unconstrained)).await;
        })
    };
    finishing_a_scope: "notify | timeout" = {
        let (tx, rx) = oneshot::channel::<u8>();
        let scope = Scope::new("scope");
        drop(scope.spawn(async move { let _ = rx.await; }));
        (tx, async move { let _ = scope.finish(LONG).await; })
    };
}

tokio::task_local! {
    static LOCAL: u8;
}
