//! Every leaf future of tokio that people wait on is named, with the user's own async function in the trace.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use taskscope::{DumpOptions, TaskDump};
use tokio::sync::{Barrier, Mutex, Notify, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};

/// Spawns a task, and returns what a dump says of it once it has been polled.
async fn dump_of<F>(future: F) -> TaskDump
where
    F: Future<Output = ()> + Send + 'static,
{
    let task = taskscope::spawn_named("subject", future);
    let id = task.id().to_string();
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
    let runtime = tokio::runtime::Handle::current().id();
    let dump = DumpOptions::new().runtime(runtime).capture().await;
    task.abort();
    let _ = task.await;
    dump.tasks
        .into_iter()
        .find(|task| task.id.to_string() == id)
        .unwrap()
}

async fn my_own_function<F: Future>(leaf: F) {
    leaf.await;
}

macro_rules! waits {
    ($($name:ident: $reason:literal = $setup:expr;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                // The macro's caller keeps alive what the future waits on.
                let (_keep, leaf) = $setup;
                let task = dump_of(my_own_function(leaf)).await;
                let trace = task.trace.unwrap_or_else(|why| panic!("{why}"));
                assert_eq!(trace.wait_reason().to_string(), $reason, "{trace}");
                let text = trace.to_string();
                assert!(text.contains("waits::my_own_function"), "{text}");
                assert!(text.contains("tests/waits.rs:"), "{text}");
                assert!(!text.contains("taskscope::capture"), "{text}");
                assert_eq!(task.verdict.name(), "idle");
                assert!(task.wakers > 0);
            }
        )*
    };
}

waits! {
    receiving_from_an_empty_mpsc_channel: "mpsc recv" = {
        let (tx, mut rx) = mpsc::channel::<u8>(1);
        (tx, async move { rx.recv().await; })
    };
    receiving_from_an_unbounded_mpsc_channel: "mpsc recv" = {
        let (tx, mut rx) = mpsc::unbounded_channel::<u8>();
        (tx, async move { rx.recv().await; })
    };
    sending_to_a_full_mpsc_channel: "mpsc send" = {
        let (tx, rx) = mpsc::channel::<u8>(1);
        (rx, async move { let _ = tx.send(1).await; let _ = tx.send(2).await; })
    };
    receiving_from_a_oneshot_channel: "oneshot recv" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move { let _ = rx.await; })
    };
    receiving_from_a_broadcast_channel: "broadcast recv" = {
        let (tx, mut rx) = broadcast::channel::<u8>(1);
        (tx, async move { let _ = rx.recv().await; })
    };
    waiting_for_a_watch_to_change: "watch changed" = {
        let (tx, mut rx) = watch::channel(0);
        (tx, async move { let _ = rx.changed().await; })
    };
    waiting_for_a_notification: "notify" = {
        let notify = Arc::new(Notify::new());
        (notify.clone(), async move { notify.notified().await; })
    };
    locking_a_locked_mutex: "mutex lock" = {
        let mutex = Arc::new(Mutex::new(()));
        let guard = mutex.clone().try_lock_owned().unwrap();
        (guard, async move { drop(mutex.lock().await); })
    };
    writing_to_a_read_locked_rwlock: "rwlock" = {
        let lock = Arc::new(RwLock::new(()));
        let guard = lock.clone().try_read_owned().unwrap();
        (guard, async move { drop(lock.write().await); })
    };
    acquiring_from_an_empty_semaphore: "semaphore acquire" = {
        let semaphore = Arc::new(Semaphore::new(0));
        (semaphore.clone(), async move { let _ = semaphore.acquire().await; })
    };
    waiting_at_a_barrier: "barrier" = {
        let barrier = Arc::new(Barrier::new(2));
        (barrier.clone(), async move { barrier.wait().await; })
    };
    sleeping: "sleep" = ((), async { tokio::time::sleep(Duration::from_secs(600)).await });
    ticking: "sleep" = ((), async {
        let mut interval = tokio::time::interval(Duration::from_secs(600));
        interval.tick().await;
        interval.tick().await;
    });
    joining_a_task: "join" = {
        let task = tokio::spawn(std::future::pending::<()>());
        (task.abort_handle(), async move { let _ = task.await; })
    };
    joining_a_task_with_a_record: "join" = {
        let (tx, rx) = oneshot::channel::<u8>();
        let task = taskscope::spawn(async move { let _ = rx.await; });
        (tx, async move { let _ = task.await; })
    };
    waiting_for_a_token: "token cancelled" = {
        let token = tokio_util::sync::CancellationToken::new();
        (token.clone(), async move { token.cancelled().await; })
    };
    accepting_a_connection: "accept" = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        ((), async move { let _ = listener.accept().await; })
    };
    reading_from_a_socket: "io" = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (listener, async move {
            let mut buffer = [0];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut buffer).await;
        })
    };
    waiting_for_a_call_on_the_blocking_pool: "join" = {
        let (tx, rx) = std::sync::mpsc::channel::<u8>();
        (tx, async move { let _ = tokio::task::spawn_blocking(move || rx.recv()).await; })
    };
    polling_a_set_of_futures: "futures unordered" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move {
            let mut set = futures::stream::FuturesUnordered::from_iter([rx]);
            futures::StreamExt::next(&mut set).await;
        })
    };
    receiving_from_a_channel_of_the_futures_crate: "futures channel or lock" = {
        let (tx, rx) = futures::channel::oneshot::channel::<u8>();
        (tx, async move { let _ = rx.await; })
    };
    waiting_for_a_once_cell: "once cell" = {
        let cell = Arc::new(tokio::sync::OnceCell::<u8>::new());
        let filling = cell.clone();
        let filler = tokio::spawn(async move { filling.get_or_init(std::future::pending).await; });
        tokio::task::yield_now().await;
        (filler, async move { cell.get_or_init(|| async { 1 }).await; })
    };
    joining_a_set_of_tasks: "join" = {
        let mut set = tokio::task::JoinSet::new();
        set.spawn(std::future::pending::<()>());
        ((), async move { set.join_next().await; })
    };
    waiting_for_a_signal: "signal" = ((), async {
        let mut signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::user_defined2()).unwrap();
        signal.recv().await;
    });
    waiting_for_a_child_process: "child process" = ((), async {
        let mut child = tokio::process::Command::new("sleep").arg("600").kill_on_drop(true).spawn().unwrap();
        let _ = child.wait().await;
    });
    opening_a_file_that_nobody_writes_to: "blocking pool" = {
        let path = std::env::temp_dir().join(format!("taskscope-fifo-{}", std::process::id()));
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        (OpenedAtEnd(path.clone()), async move { let _ = tokio::fs::File::open(path).await; })
    };
    accepting_a_connection_on_a_unix_socket: "accept" = {
        let path = std::env::temp_dir().join(format!("taskscope-socket-{}", std::process::id()));
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        ((), async move { let _ = listener.accept().await; })
    };
    waiting_until_a_socket_is_readable: "io" = {
        let (one, other) = tokio::net::UnixStream::pair().unwrap();
        (other, async move { let _ = one.readable().await; })
    };
    locking_a_mutex_of_the_futures_crate: "futures channel or lock" = {
        let mutex = Arc::new(futures::lock::Mutex::new(()));
        let guard = mutex.clone().try_lock_owned().unwrap();
        (guard, async move { drop(mutex.lock().await); })
    };
    two_leaves_of_one_kind_are_named_once: "notify" = {
        let (one, other) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let keep = (one.clone(), other.clone());
        (keep, async move {
            tokio::select! {
                biased;
                () = one.notified() => {}
                () = other.notified() => {}
            }
        })
    };
    a_timeout_shows_both_branches: "oneshot recv | sleep" = {
        let (tx, rx) = oneshot::channel::<u8>();
        (tx, async move { let _ = tokio::time::timeout(Duration::from_secs(600), rx).await; })
    };
    a_select_shows_each_branch: "mpsc recv | sleep" = {
        let (tx, mut rx) = mpsc::channel::<u8>(1);
        (tx, async move {
            tokio::select! {
                biased;
                _ = rx.recv() => {}
                () = tokio::time::sleep(Duration::from_secs(600)) => {}
            }
        })
    };
}

/// Lets a thread that is opening a FIFO for reading go.
struct OpenedAtEnd(std::path::PathBuf);

impl Drop for OpenedAtEnd {
    fn drop(&mut self) {
        let writer = std::fs::File::options()
            .read(true)
            .write(true)
            .open(&self.0);
        std::fs::remove_file(&self.0).unwrap();
        drop(writer.unwrap());
    }
}

struct KeepsItsWaker(Arc<std::sync::Mutex<Option<std::task::Waker>>>);

impl Future for KeepsItsWaker {
    type Output = ();
    fn poll(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        *self.0.lock().unwrap() = Some(cx.waker().clone());
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn a_leaf_that_nobody_knows_is_named_by_its_function() {
    let slot = Arc::new(std::sync::Mutex::new(None));
    let task = dump_of(my_own_function(KeepsItsWaker(slot.clone()))).await;
    let reason = task.wait_reason().to_string();
    assert!(
        reason.starts_with("other: ") && reason.contains("KeepsItsWaker"),
        "{reason}"
    );
    slot.lock().unwrap().take();
}
