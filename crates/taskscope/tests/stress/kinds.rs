//! The kinds of tasks: each is hard for a diagnostic in a way of its own.

use std::future::{Future, pending, poll_fn};
use std::panic::panic_any;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use taskscope::{DumpOptions, Scope, ScopeRef, Stacks};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::task::yield_now;

use crate::dice::Dice;
use crate::ledger::{Booked, Deliberate, Entry, Ledger, Output};

/// As many wakers as may lie around at a time.
pub(crate) const MOST_WAKERS: usize = 2000;

type Loan = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The state that the tasks of all runtimes share.
#[derive(Default)]
pub(crate) struct Town {
    pub(crate) ledger: Arc<Ledger>,
    /// Wakers that other threads use, clone and drop.
    pub(crate) wakers: Mutex<Vec<Waker>>,
    /// Futures that wait, between two tasks.
    loans: Mutex<Vec<Loan>>,
    scopes: Mutex<Vec<ScopeRef>>,
    pub(crate) notify: Notify,
}

pub(crate) type Handle = taskscope::JoinHandle<Output>;

impl Town {
    /// Spawns a task of a random kind; in a `LocalSet`, if `local`.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        dice: &mut Dice,
        local: bool,
        depth: u32,
    ) -> (Handle, Entry) {
        let future = self.clone().live(dice.another(), local, depth);
        let (booked, entry) = Booked::new(&self.ledger, dice.one_in(20), future);
        let handle = match dice.roll(4) {
            _ if local => taskscope::spawn_local(booked),
            0 => taskscope::spawn_named("named", booked),
            1 => taskscope::background("background", booked),
            _ => taskscope::spawn(booked),
        };
        (handle, entry)
    }

    async fn live(self: Arc<Self>, mut dice: Dice, local: bool, depth: u32) {
        match dice.roll(14) {
            0 => {
                for _ in 0..dice.roll(20) {
                    yield_now().await;
                }
            }
            1 => tokio::time::sleep(Duration::from_micros(dice.roll(3000))).await,
            2 => self.notify.notified().await,
            3 => pending().await,
            4 => self.gives_wakers_away(dice).await,
            5 => self.borrows(dice).await,
            6 => {
                for _ in 0..dice.roll(5) {
                    yield_now().await;
                }
                panic_any(Deliberate);
            }
            7 if depth < 3 => self.has_children(dice, local, depth).await,
            8 if depth < 3 => self.has_a_scope(dice, depth).await,
            9 => has_a_set(dice).await,
            10 if !local => takes_a_dump(dice).await,
            11 => ping_pong(dice).await,
            12 => {
                // A poll that takes some time.
                let until = std::time::Instant::now() + Duration::from_micros(dice.roll(500));
                while std::time::Instant::now() < until {
                    std::hint::spin_loop();
                }
                yield_now().await;
            }
            _ => {
                let permits = Semaphore::new(1);
                let _first = permits.acquire().await;
                tokio::select! {
                    _ = permits.acquire() => {}
                    () = self.notify.notified() => {}
                    () = tokio::time::sleep(Duration::from_micros(dice.roll(5000))) => {}
                }
            }
        }
    }

    /// Lives as long as nobody uses its waker, and some polls more.
    async fn gives_wakers_away(&self, mut dice: Dice) {
        let mut polls = dice.roll(6);
        poll_fn(|cx| {
            if polls == 0 {
                return Poll::Ready(());
            }
            polls -= 1;
            let mut wakers = self.wakers.lock().unwrap();
            if wakers.len() < MOST_WAKERS {
                wakers.push(cx.waker().clone());
            } else {
                drop(wakers);
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        })
        .await;
    }

    /// Polls a future that another task has polled before, and passes it on.
    async fn borrows(&self, mut dice: Dice) {
        for _ in 0..dice.roll(6) {
            let loan = self.loans.lock().unwrap().pop();
            let mut loan: Loan = loan.unwrap_or_else(|| {
                let (sender, receiver) = oneshot::channel::<()>();
                let (notify, other) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
                Box::pin(async move {
                    let _sender = sender;
                    tokio::select! {
                        _ = receiver => {}
                        () = notify.notified() => {}
                        () = other.notified() => {}
                    }
                })
            });
            poll_fn(|cx| {
                assert!(loan.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            yield_now().await;
            let mut loans = self.loans.lock().unwrap();
            if loans.len() < 200 {
                loans.push(loan);
            }
        }
    }

    async fn has_children(self: &Arc<Self>, mut dice: Dice, local: bool, depth: u32) {
        for _ in 0..dice.roll(4) {
            let (child, entry) = self.spawn(&mut dice, local, depth + 1);
            match dice.roll(3) {
                0 => drop((child, entry)),
                1 => {
                    child.abort();
                    entry.joined(child.await);
                }
                _ => {
                    let abort = child.abort_handle();
                    let joined =
                        tokio::time::timeout(Duration::from_micros(dice.roll(2000)), child);
                    match joined.await {
                        Ok(result) => entry.joined(result),
                        Err(_) => abort.abort(),
                    }
                }
            }
        }
    }

    async fn has_a_scope(self: &Arc<Self>, mut dice: Dice, depth: u32) {
        let scope = Scope::new("stress").child("below");
        let reference = scope.to_ref();
        let children = scope.run(async {
            let mut spawn = || self.spawn(&mut dice, false, depth + 1).0;
            [spawn(), spawn()]
        });
        let children = children.await;
        self.keep(reference);
        yield_now().await;
        drop(scope);
        children.iter().for_each(|child| child.abort());
        for child in children {
            drop(child.await);
        }
    }

    fn keep(&self, scope: ScopeRef) {
        let mut scopes = self.scopes.lock().unwrap();
        if scopes.len() < 500 {
            scopes.push(scope);
        }
    }

    /// Tasks that the scopes count. None, when all tasks are gone.
    pub(crate) fn in_scopes(&self) -> usize {
        let scopes = self.scopes.lock().unwrap();
        scopes.iter().map(ScopeRef::tasks).sum()
    }

    /// Wakers and futures that are left go.
    pub(crate) fn clear(&self) {
        self.wakers.lock().unwrap().clear();
        self.loans.lock().unwrap().clear();
    }
}

async fn has_a_set(mut dice: Dice) {
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..dice.roll(10)).map(|_| oneshot::channel::<()>()).unzip();
    let mut set: FuturesUnordered<_> = receivers.into_iter().collect();
    for sender in senders {
        yield_now().await;
        sender.send(()).unwrap();
        set.next().await;
    }
}

async fn ping_pong(mut dice: Dice) {
    let (sender, mut receiver) = mpsc::channel(1);
    let rounds = dice.roll(20);
    tokio::join!(
        async move {
            for round in 0..rounds {
                sender.send(round).await.unwrap();
            }
        },
        async move { while receiver.recv().await.is_some() {} }
    );
}

/// From inside of a task, and often of one that is aborted in the middle.
async fn takes_a_dump(mut dice: Dice) {
    if dice.one_in(8) {
        let stacks = if dice.one_in(2) {
            Stacks::Fresh
        } else {
            Stacks::Cached
        };
        let options = DumpOptions::new().stacks(stacks);
        let dump = options
            .runtime(tokio::runtime::Handle::current().id())
            .deadline(Duration::from_millis(5))
            .capture();
        drop(dump.await);
    }
}
