//! async-channel, async-lock, event-listener and flume.

use std::sync::Arc;

use event_listener::Event;
use futures::{SinkExt, StreamExt};

use crate::row::rows;

rows! {
    receiving_from_an_async_channel: "async-channel recv" = {
        let (tx, rx) = async_channel::bounded::<u8>(1);
        (tx, async move { let _ = rx.recv().await; })
    };
    streaming_from_an_async_channel: "async-channel recv" = {
        let (tx, rx) = async_channel::bounded::<u8>(1);
        (tx, async move { Box::pin(rx).next().await; })
    };
    sending_to_a_full_async_channel: "async-channel send" = {
        let (tx, rx) = async_channel::bounded::<u8>(1);
        (rx, async move { let _ = tx.send(1).await; let _ = tx.send(2).await; })
    };
    waiting_until_an_async_channel_is_closed: "async-channel closed" = {
        let (tx, rx) = async_channel::bounded::<u8>(1);
        (rx, async move { tx.closed().await; })
    };
    locking_a_locked_async_mutex: "async-lock mutex lock" = {
        let mutex = Arc::new(async_lock::Mutex::new(()));
        let guard = mutex.try_lock_arc().unwrap();
        (guard, async move { drop(mutex.lock().await); })
    };
    locking_a_locked_async_mutex_with_an_owned_guard: "async-lock mutex lock" = {
        let mutex = Arc::new(async_lock::Mutex::new(()));
        let guard = mutex.try_lock_arc().unwrap();
        (guard, async move { drop(mutex.lock_arc().await); })
    };
    reading_from_a_write_locked_async_rwlock: "async-lock rwlock read" = {
        let lock = Arc::new(async_lock::RwLock::new(()));
        let guard = lock.try_write_arc().unwrap();
        (guard, async move { drop(lock.read().await); })
    };
    reading_from_a_write_locked_async_rwlock_with_an_owned_guard: "async-lock rwlock read" = {
        let lock = Arc::new(async_lock::RwLock::new(()));
        let guard = lock.try_write_arc().unwrap();
        (guard, async move { drop(lock.read_arc().await); })
    };
    writing_to_a_read_locked_async_rwlock: "async-lock rwlock write" = {
        let lock = Arc::new(async_lock::RwLock::new(()));
        let guard = lock.try_read_arc().unwrap();
        (guard, async move { drop(lock.write().await); })
    };
    writing_to_a_write_locked_async_rwlock: "async-lock rwlock write" = {
        let lock = Arc::new(async_lock::RwLock::new(()));
        let guard = lock.try_write_arc().unwrap();
        (guard, async move { drop(lock.write().await); })
    };
    reading_upgradably_from_a_write_locked_async_rwlock: "async-lock rwlock read" = {
        let lock = Arc::new(async_lock::RwLock::new(()));
        let guard = lock.try_write_arc().unwrap();
        (guard, async move { drop(lock.upgradable_read().await); })
    };
    upgrading_a_guard_of_a_read_locked_async_rwlock: "async-lock rwlock write" = {
        let lock = Arc::new(async_lock::RwLock::new(()));
        let guard = lock.try_read_arc().unwrap();
        (guard, async move {
            let guard = lock.upgradable_read().await;
            drop(async_lock::RwLockUpgradableReadGuard::upgrade(guard).await);
        })
    };
    acquiring_from_an_empty_async_semaphore: "async-lock semaphore acquire" = {
        let semaphore = Arc::new(async_lock::Semaphore::new(0));
        (semaphore.clone(), async move { drop(semaphore.acquire().await); })
    };
    acquiring_an_owned_permit_from_an_async_semaphore: "async-lock semaphore acquire" = {
        let semaphore = Arc::new(async_lock::Semaphore::new(0));
        (semaphore.clone(), async move { drop(semaphore.acquire_arc().await); })
    };
    waiting_at_an_async_barrier: "async-lock barrier" = {
        let barrier = Arc::new(async_lock::Barrier::new(2));
        (barrier.clone(), async move { barrier.wait().await; })
    };
    waiting_for_an_async_once_cell: "async-lock once cell" = {
        let cell = Arc::new(async_lock::OnceCell::<u8>::new());
        (cell.clone(), async move { cell.wait().await; })
    };
    waiting_for_an_async_once_cell_that_another_task_fills: "async-lock once cell" = {
        let cell = Arc::new(async_lock::OnceCell::<u8>::new());
        let filling = cell.clone();
        let filler = tokio::spawn(async move { filling.get_or_init(std::future::pending).await; });
        tokio::task::yield_now().await;
        (filler, async move { cell.get_or_init(|| async { 1 }).await; })
    };
    // The wait is that of the function that makes the value.
    filling_an_async_once_cell: "async-channel recv" = {
        let (tx, rx) = async_channel::bounded::<u8>(1);
        let cell = Arc::new(async_lock::OnceCell::<u8>::new());
        (tx, async move { let _ = cell.get_or_try_init(|| rx.recv()).await; })
    };
    listening_to_an_event: "event listener" = {
        let event = Arc::new(Event::new());
        let listener = event.listen();
        (event, listener)
    };
    receiving_from_a_flume_channel: "flume recv" = {
        let (tx, rx) = flume::bounded::<u8>(1);
        (tx, async move { let _ = rx.recv_async().await; })
    };
    streaming_from_a_flume_channel: "flume recv" = {
        let (tx, rx) = flume::bounded::<u8>(1);
        (tx, async move { rx.into_stream().next().await; })
    };
    sending_to_a_full_flume_channel: "flume send" = {
        let (tx, rx) = flume::bounded::<u8>(1);
        (rx, async move { let _ = tx.send_async(1).await; let _ = tx.send_async(2).await; })
    };
    feeding_a_full_flume_channel: "flume send" = {
        let (tx, rx) = flume::bounded::<u8>(1);
        (rx, async move {
            let mut sink = tx.into_sink();
            let _ = sink.send(1).await;
            let _ = sink.send(2).await;
        })
    };
}
