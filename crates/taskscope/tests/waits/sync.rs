//! `tokio::sync`.

use std::sync::Arc;

use tokio::sync::{
    Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, SetOnce, broadcast, mpsc, oneshot, watch,
};

use crate::row::{LONG, rows};

fn full() -> (mpsc::Sender<u8>, mpsc::Receiver<u8>) {
    let (tx, rx) = mpsc::channel(1);
    tx.try_send(1).unwrap();
    (tx, rx)
}

rows! {
    receiving_from_an_empty_mpsc_channel: "mpsc recv" = {
        let (tx, mut rx) = mpsc::channel::<u8>(1);
        (tx, async move { rx.recv().await; })
    };
    receiving_from_an_unbounded_mpsc_channel: "mpsc recv" = {
        let (tx, mut rx) = mpsc::unbounded_channel::<u8>();
        (tx, async move { rx.recv().await; })
    };
    receiving_many_from_an_mpsc_channel: "mpsc recv" = {
        let (tx, mut rx) = mpsc::channel::<u8>(1);
        (tx, async move { rx.recv_many(&mut Vec::new(), 9).await; })
    };
    receiving_many_from_an_unbounded_mpsc_channel: "mpsc recv" = {
        let (tx, mut rx) = mpsc::unbounded_channel::<u8>();
        (tx, async move { rx.recv_many(&mut Vec::new(), 9).await; })
    };
    polling_an_mpsc_receiver: "mpsc recv" = {
        let (tx, mut rx) = mpsc::channel::<u8>(1);
        (tx, async move { std::future::poll_fn(|cx| rx.poll_recv(cx)).await; })
    };
    sending_to_a_full_mpsc_channel: "mpsc send" = {
        let (tx, rx) = full();
        (rx, async move { let _ = tx.send(2).await; })
    };
    reserving_a_place_in_a_full_mpsc_channel: "mpsc send" = {
        let (tx, rx) = full();
        (rx, async move { let _ = tx.reserve().await; })
    };
    reserving_many_places_in_a_full_mpsc_channel: "mpsc send" = {
        let (tx, rx) = full();
        (rx, async move { let _ = tx.reserve_many(1).await; })
    };
    reserving_an_owned_place_in_a_full_mpsc_channel: "mpsc send" = {
        let (tx, rx) = full();
        (rx, async move { let _ = tx.reserve_owned().await; })
    };
    sending_to_a_full_mpsc_channel_for_some_time: "mpsc send | timeout" = {
        let (tx, rx) = full();
        (rx, async move { let _ = tx.send_timeout(2, LONG).await; })
    };
    waiting_until_an_mpsc_channel_is_closed: "mpsc closed" = {
        let (tx, rx) = mpsc::channel::<u8>(1);
        (rx, async move { tx.closed().await; })
    };
    waiting_until_an_unbounded_mpsc_channel_is_closed: "mpsc closed" = {
        let (tx, rx) = mpsc::unbounded_channel::<u8>();
        (rx, async move { tx.closed().await; })
    };
    receiving_from_a_oneshot_channel: "oneshot recv" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move { let _ = rx.await; })
    };
    waiting_until_a_oneshot_channel_is_closed: "oneshot closed" = {
        let (mut tx, rx) = oneshot::channel::<u8>();
        (rx, async move { tx.closed().await; })
    };
    receiving_from_a_broadcast_channel: "broadcast recv" = {
        let (tx, mut rx) = broadcast::channel::<u8>(1);
        (tx, async move { let _ = rx.recv().await; })
    };
    waiting_until_a_broadcast_channel_is_closed: "broadcast closed" = {
        let (tx, rx) = broadcast::channel::<u8>(1);
        (rx, async move { tx.closed().await; })
    };
    waiting_for_a_watch_to_change: "watch changed" = {
        let (tx, mut rx) = watch::channel(0);
        (tx, async move { let _ = rx.changed().await; })
    };
    waiting_for_a_watched_value: "watch changed" = {
        let (tx, mut rx) = watch::channel(0);
        (tx, async move { let _ = rx.wait_for(|value| *value == 1).await; })
    };
    waiting_until_a_watch_is_closed: "watch closed" = {
        let (tx, rx) = watch::channel(0);
        (rx, async move { tx.closed().await; })
    };
    waiting_for_a_notification: "notify" = {
        let notify = Arc::new(Notify::new());
        (notify.clone(), async move { notify.notified().await; })
    };
    waiting_for_a_notification_with_an_owned_future: "notify" = {
        let notify = Arc::new(Notify::new());
        (notify.clone(), async move { notify.notified_owned().await; })
    };
    locking_a_locked_mutex: "mutex lock" = {
        let mutex = Arc::new(Mutex::new(()));
        let guard = mutex.clone().try_lock_owned().unwrap();
        (guard, async move { drop(mutex.lock().await); })
    };
    locking_a_locked_mutex_with_an_owned_guard: "mutex lock" = {
        let mutex = Arc::new(Mutex::new(()));
        let guard = mutex.clone().try_lock_owned().unwrap();
        (guard, async move { drop(mutex.lock_owned().await); })
    };
    reading_from_a_write_locked_rwlock: "rwlock read" = {
        let lock = Arc::new(RwLock::new(()));
        let guard = lock.clone().try_write_owned().unwrap();
        (guard, async move { drop(lock.read().await); })
    };
    reading_from_a_write_locked_rwlock_with_an_owned_guard: "rwlock read" = {
        let lock = Arc::new(RwLock::new(()));
        let guard = lock.clone().try_write_owned().unwrap();
        (guard, async move { drop(lock.read_owned().await); })
    };
    writing_to_a_read_locked_rwlock: "rwlock write" = {
        let lock = Arc::new(RwLock::new(()));
        let guard = lock.clone().try_read_owned().unwrap();
        (guard, async move { drop(lock.write().await); })
    };
    writing_to_a_read_locked_rwlock_with_an_owned_guard: "rwlock write" = {
        let lock = Arc::new(RwLock::new(()));
        let guard = lock.clone().try_read_owned().unwrap();
        (guard, async move { drop(lock.write_owned().await); })
    };
    acquiring_from_an_empty_semaphore: "semaphore acquire" = {
        let semaphore = Arc::new(Semaphore::new(0));
        (semaphore.clone(), async move { let _ = semaphore.acquire().await; })
    };
    acquiring_many_permits: "semaphore acquire" = {
        let semaphore = Arc::new(Semaphore::new(1));
        (semaphore.clone(), async move { let _ = semaphore.acquire_many(2).await; })
    };
    acquiring_an_owned_permit: "semaphore acquire" = {
        let semaphore = Arc::new(Semaphore::new(0));
        (semaphore.clone(), async move { let _ = semaphore.acquire_owned().await; })
    };
    acquiring_many_owned_permits: "semaphore acquire" = {
        let semaphore = Arc::new(Semaphore::new(1));
        (semaphore.clone(), async move { let _ = semaphore.acquire_many_owned(2).await; })
    };
    waiting_at_a_barrier: "barrier" = {
        let barrier = Arc::new(Barrier::new(2));
        (barrier.clone(), async move { barrier.wait().await; })
    };
    waiting_for_a_once_cell_that_another_task_fills: "once cell" = {
        let cell = Arc::new(OnceCell::<u8>::new());
        let filling = cell.clone();
        let filler = tokio::spawn(async move { filling.get_or_init(std::future::pending).await; });
        tokio::task::yield_now().await;
        (filler, async move { cell.get_or_init(|| async { 1 }).await; })
    };
    // The wait is that of the function that makes the value.
    filling_a_once_cell: "oneshot recv" = {
        let (tx, rx) = oneshot::channel::<u8>();
        let cell = Arc::new(OnceCell::<Result<u8, _>>::new());
        (tx, async move { let _ = cell.get_or_init(|| rx).await; })
    };
    trying_to_fill_a_once_cell: "oneshot recv" = {
        let (tx, rx) = oneshot::channel::<u8>();
        let cell = Arc::new(OnceCell::<u8>::new());
        (tx, async move { let _ = cell.get_or_try_init(|| rx).await; })
    };
    waiting_for_a_value_that_is_set_once: "set once" = {
        let cell = Arc::new(SetOnce::<u8>::new());
        (cell.clone(), async move { cell.wait().await; })
    };
}
