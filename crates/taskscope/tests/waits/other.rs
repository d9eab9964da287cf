//! Leaves that are in no table, and code that only looks like a library's.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures::task::AtomicWaker;
use tokio::sync::Notify;

use crate::row::{LONG, rows};

type Slot = Arc<Mutex<Option<Waker>>>;

/// Takes the waker, in the caller.
macro_rules! keep {
    ($slot:expr, $cx:expr) => {{
        *$slot.lock().unwrap() = Some($cx.waker().clone());
        Poll::<()>::Pending
    }};
}

/// A leaf that nobody knows.
struct Leaf<T> {
    slot: Slot,
    _value: Option<T>,
}

impl<T: Unpin> Future for Leaf<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        keep!(self.slot, cx)
    }
}

fn leaf<T>() -> (Slot, Leaf<T>) {
    let slot = Slot::default();
    let leaf = Leaf {
        slot: Arc::clone(&slot),
        _value: None,
    };
    (slot, leaf)
}

async fn polls_by_hand(slot: Slot) {
    poll_fn(|cx| keep!(slot, cx)).await;
}

async fn keeps_one_waker(slot: Arc<AtomicWaker>) {
    poll_fn(|cx| {
        slot.register(cx.waker());
        Poll::<()>::Pending
    })
    .await;
}

mod flume {
    pub(crate) mod r#async {
        pub(crate) struct RecvFut(pub(crate) crate::other::Slot);

        impl std::future::Future for RecvFut {
            type Output = ();

            fn poll(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<()> {
                *self.0.lock().unwrap() = Some(cx.waker().clone());
                std::task::Poll::<()>::Pending
            }
        }
    }
}

/// A user's own trait for a type of tokio.
trait Watchful {
    fn watch(&self, slot: &Slot, cx: &Context<'_>) -> Poll<()>;
}

impl Watchful for Notify {
    fn watch(&self, slot: &Slot, cx: &Context<'_>) -> Poll<()> {
        keep!(slot, cx)
    }
}

/// Called like tokio's function that polls the timer of a timeout.
fn poll_delay(sleep: Pin<&mut tokio::time::Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    sleep.poll(cx)
}

rows! {
    a_leaf_that_nobody_knows: "other: waits::other::Leaf::poll" = leaf::<u8>();
    a_leaf_that_only_mentions_a_library: "other: waits::other::Leaf::poll" =
        leaf::<tokio::sync::mpsc::Receiver<u8>>();
    a_function_that_polls_by_hand: "other: waits::other::polls_by_hand" = {
        let slot = Slot::default();
        (slot.clone(), polls_by_hand(slot))
    };
    // It was not the box for the waker that waits.
    a_waker_in_a_box_of_a_library: "other: waits::other::keeps_one_waker" = {
        let slot = Arc::new(AtomicWaker::new());
        (slot.clone(), keeps_one_waker(slot))
    };
    a_type_that_is_called_like_a_librarys: "other: waits::other::flume::async::RecvFut::poll" = {
        let slot = Slot::default();
        (slot.clone(), flume::r#async::RecvFut(slot))
    };
    a_users_trait_for_a_librarys_type: "other: waits::other::Watchful::watch" = {
        let slot = Slot::default();
        (slot.clone(), async move { poll_fn(|cx| Notify::new().watch(&slot, cx)).await })
    };
    a_function_that_is_called_like_a_librarys: "sleep" = ((), async {
        let mut sleep = pin!(tokio::time::sleep(LONG));
        poll_fn(|cx| poll_delay(sleep.as_mut(), cx)).await;
    });
    two_leaves_that_nobody_knows:
        "other: waits::other::Leaf::poll | other: waits::other::polls_by_hand" = {
        let (slot, leaf) = leaf::<u8>();
        let other = Slot::default();
        ((slot, other.clone()), async move { tokio::join!(leaf, polls_by_hand(other)); })
    };
}
