//! One operation: a task wakes itself by reference and is polled again. The cheapest poll that
//! there is, so the worst case for whatever is done once for each poll.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Load;
use crate::variants::Variant;

pub(crate) async fn self_wake<V: Variant>(load: Load) {
    let drivers: Vec<_> = (0..load.drivers)
        .map(|_| V::spawn(V::leaf(SelfWake(load.of_each()))))
        .collect();
    for driver in drivers {
        driver.await.expect("a driver ends well");
    }
}

/// Polled as often as the number says.
struct SelfWake(u64);

impl Future for SelfWake {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0 -= 1;
        if self.0 == 0 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
