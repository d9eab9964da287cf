//! A program with one task of each sort, each in a state that is known.

#![allow(
    clippy::async_yields_async,
    reason = "a handle that leaves the runtime unawaited is what is looked at"
)]

use std::future::{Future, pending};
use std::sync::{Arc, Barrier, OnceLock, mpsc};
use std::task::Poll;
use std::time::Duration;

use taskscope::{CancelReason, DumpOptions, Scope, Stacks, Verdict, verdict::BLOCKING_THRESHOLD};
use taskscope_tests::get;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, oneshot};

const LONG: Duration = Duration::from_secs(600);

/// A program with one task of each sort; nothing in it moves while it is looked at.
pub(crate) struct Shop {
    runtime: Runtime,
    pub(crate) server: taskprof::Server,
    /// The system's id of the thread of the task that is in a poll.
    pub(crate) thread: u32,
    _open: Scope,
    _kept: Vec<Box<dyn std::any::Any + Send + Sync>>,
}

impl Shop {
    pub(crate) fn get(&self, path: &str) -> String {
        let answer = get(self.server.local_addr(), &format!("/debug/profile{path}"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text().to_owned()
    }

    pub(crate) fn number(&self) -> String {
        self.runtime.handle().id().to_string()
    }
}

async fn await_the_parcel(parcel: oneshot::Receiver<()>) {
    drop(parcel.await);
}

async fn serve_the_counter(bell: Arc<Notify>) {
    tokio::select! {
        biased;
        () = bell.notified() => {}
        () = tokio::time::sleep(LONG) => {}
    }
}

/// More leaves than a trace keeps, each at a stack of its own.
async fn count_everything(mut leaves: Vec<oneshot::Receiver<()>>) {
    fn descend(leaves: &mut [oneshot::Receiver<()>], cx: &mut std::task::Context<'_>) {
        if let Some((first, rest)) = leaves.split_first_mut() {
            let _ = std::hint::black_box(std::pin::Pin::new(first).poll(cx));
            descend(rest, cx);
            std::hint::black_box(rest);
        }
    }
    std::future::poll_fn(move |cx| {
        descend(&mut leaves, cx);
        Poll::<()>::Pending
    })
    .await;
}

pub(crate) fn shop() -> &'static Shop {
    static SHOP: OnceLock<Shop> = OnceLock::new();
    SHOP.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("shop-worker")
            .name("shop")
            .enable_all()
            .build()
            .unwrap();
        let _inside = runtime.enter();
        let server = taskprof::serve("127.0.0.1:0").unwrap();
        let mut kept: Vec<Box<dyn std::any::Any + Send + Sync>> = Vec::new();

        let order = Scope::new("POST /orders")
            .label("id", "7")
            .label("peer", "x");
        for number in 0..3 {
            let (open, parcel) = oneshot::channel();
            let (scope, keeps) = (&order, number == 2);
            let courier =
                scope.run(async { taskscope::spawn_named("courier", await_the_parcel(parcel)) });
            let courier = runtime.block_on(courier);
            kept.push(Box::new(open));
            if keeps {
                kept.push(Box::new(courier));
            }
            // Apart, so that their ages are a range.
            std::thread::sleep(Duration::from_millis(150));
        }
        order.cancel(CancelReason::Shutdown);
        drop(order);

        for number in 0..10 {
            let (open, parcel) = oneshot::channel();
            kept.push(Box::new(open));
            drop(taskscope::spawn_named(
                format!("line {number:02}"),
                await_the_parcel(parcel),
            ));
        }
        drop(taskscope::background("packer", tokio::time::sleep(LONG)));
        let bell = Arc::new(Notify::new());
        drop(taskscope::spawn_named(
            "clerk",
            serve_the_counter(bell.clone()),
        ));
        drop(taskscope::spawn_named("lost", pending::<()>()));
        let (leaves, parcels): (Vec<_>, Vec<_>) = (0..taskscope::dump::MAX_BRANCHES + 3)
            .map(|_| oneshot::channel())
            .unzip();
        kept.push(Box::new(leaves));
        drop(taskscope::spawn_named("auditor", count_everything(parcels)));
        let open = Scope::new("GET /stock");
        let reading = bell.clone();
        drop(runtime.block_on(open.run(async move {
            taskscope::spawn_named("reader", async move { reading.notified().await })
        })));
        drop(taskscope::spawn_named("manager", async {
            drop(taskscope::spawn_named("child", tokio::time::sleep(LONG)).await);
        }));
        for _ in 0..2 {
            drop(tokio::spawn(pending::<()>()));
        }
        let (entered, (never, blocked)) = (Arc::new(Barrier::new(2)), mpsc::channel::<()>());
        kept.push(Box::new(std::sync::Mutex::new(never)));
        let enter = entered.clone();
        drop(taskscope::spawn_named("blocked", async move {
            enter.wait();
            let _ = blocked.recv();
        }));
        entered.wait();
        let thread = loop {
            let tasks = DumpOptions::new()
                .stacks(Stacks::None)
                .capture_blocking()
                .tasks;
            let settled = tasks.len() == 21
                && tasks.iter().all(|task| match &task.state {
                    // A cancelled task has a moment before anything is said of it.
                    taskscope::dump::State::Idle { .. } => {
                        task.scope_cancelled.is_none() || task.verdict == Verdict::CancelIgnored
                    }
                    state => {
                        task.name.as_deref() == Some("blocked")
                            && state.since() > BLOCKING_THRESHOLD
                    }
                });
            if let (
                true,
                Some(taskscope::dump::State::Running {
                    thread: Some(thread),
                    ..
                }),
            ) = (
                settled,
                tasks
                    .iter()
                    .find(|task| task.name.as_deref() == Some("blocked"))
                    .map(|task| &task.state),
            ) {
                break thread.os_id;
            }
            std::thread::yield_now();
        };
        drop(_inside);
        Shop {
            runtime,
            server,
            thread,
            _open: open,
            _kept: kept,
        }
    })
}
