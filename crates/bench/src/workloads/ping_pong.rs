//! One operation: a poll in which a task receives a message, answers it, and waits for the next.
//! The waker is cloned, and woken from the other task: an ordinary poll of an ordinary task.

use tokio::sync::mpsc;

use super::Load;
use crate::variants::Variant;

pub(crate) async fn ping_pong<V: Variant>(load: Load) {
    let pairs: Vec<_> = (0..load.drivers)
        .map(|_| V::spawn(V::leaf(pair::<V>(load.of_each() / 2))))
        .collect();
    for pair in pairs {
        pair.await.expect("a pair ends well");
    }
}

/// Each message is one poll of either task.
async fn pair<V: Variant>(messages: u64) {
    let (ping, mut pings) = mpsc::channel(1);
    let (pong, mut pongs) = mpsc::channel(1);
    let answering = V::spawn(V::leaf(async move {
        while let Some(message) = pings.recv().await {
            if pong.send(message).await.is_err() {
                break;
            }
        }
    }));
    for message in 0..messages {
        ping.send(message).await.expect("the other task is alive");
        pongs.recv().await.expect("the other task is alive");
    }
    drop(ping);
    answering.await.expect("the other task ends well");
}
