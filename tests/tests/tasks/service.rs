//! A service with a request that has been answered, one that has not, a blocked task, a resource
//! and a cancelled scope.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Barrier, OnceLock, mpsc};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use taskscope::{CancelReason, DumpOptions, Scope, Stacks, Watchdog};

/// The watchdog's threshold here; not the default one.
pub(crate) const THRESHOLD: Duration = Duration::from_millis(30);

/// The service; it lives as long as the process.
pub(crate) struct Service {
    profiles: taskprof::Server,
    _kept: Vec<Box<dyn std::any::Any + Send + Sync>>,
}

impl Service {
    /// The text of a page of the profiles.
    pub(crate) fn get(&self, path: &str) -> String {
        let path = format!("/debug/profile{path}");
        let answer = taskscope_tests::get(self.profiles.local_addr(), &path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text().to_owned()
    }

    /// The page of the task with this name.
    pub(crate) fn page_of(&self, name: &str) -> String {
        let tasks = DumpOptions::new().named(name).stacks(Stacks::None);
        let tasks = tasks.capture_blocking().tasks;
        self.get(&format!("/page/tasks/{}", tasks[0].id))
    }
}

/// Requests that are answered at once, after they have spawned a task that stays.
async fn show_stock() -> &'static str {
    drop(taskscope::spawn_named("audit", pending::<()>()));
    "ten"
}

/// Requests that are not answered, and have spawned a task of a scope below theirs.
async fn pay() {
    let payment = Scope::current()
        .expect("the layer opens one")
        .child("payment");
    drop(payment.spawn(async {
        let retry = taskscope::spawn_named("retry", pending::<()>());
        let _ = retry.await;
    }));
    pending::<()>().await;
}

/// Serves the application, whose requests have scopes.
async fn application() -> SocketAddr {
    let app = Router::new()
        .route("/stock", get(show_stock))
        .route("/pay", get(pay))
        .layer(taskscope::ScopeLayer::new());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(taskscope::background("accept loop", async move {
        drop(axum::serve(listener, app).await);
    }));
    address
}

pub(crate) fn service() -> &'static Service {
    static SERVICE: OnceLock<Service> = OnceLock::new();
    SERVICE.get_or_init(start)
}

fn start() -> Service {
    Watchdog::new().threshold(THRESHOLD).install().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .name("stock")
        .enable_all()
        .build()
        .unwrap();
    let inside = runtime.enter();
    let profiles = taskprof::serve("127.0.0.1:0").unwrap();
    let application = runtime.block_on(application());
    assert_eq!(taskscope_tests::get(application, "/stock").text(), "ten");
    std::thread::spawn(move || taskscope_tests::get(application, "/pay"));

    // A cancellation that began above the task's own scope.
    let connection = Scope::new("connection");
    let order = connection.child("order").label("id", "7");
    runtime.block_on(order.run(async {
        let courier = taskscope::Builder::new()
            .name("courier")
            .label("parcel", "3")
            .spawn(async {
                let van = taskscope::track("van", ());
                pending::<()>().await;
                drop(van);
            });
        drop(courier);
    }));
    connection.cancel(CancelReason::Shutdown);

    let (entered, (never, blocked)) = (Arc::new(Barrier::new(2)), mpsc::channel::<()>());
    let enter = entered.clone();
    drop(taskscope::spawn_named("blocked", async move {
        enter.wait();
        let _ = blocked.recv();
    }));
    entered.wait();
    until_settled();
    drop(inside);
    Service {
        profiles,
        _kept: vec![
            Box::new(runtime),
            Box::new(std::sync::Mutex::new(never)),
            Box::new((connection, order)),
        ],
    }
}

/// Waits until every task is in the state that the tests are about.
fn until_settled() {
    let is_settled = || {
        let dump = DumpOptions::new().stacks(Stacks::None).capture_blocking();
        let of = |name: &str| {
            let mut tasks = dump.tasks.iter();
            tasks
                .find(|task| task.name.as_deref() == Some(name))
                .cloned()
        };
        of("retry").is_some()
            && of("audit").is_some_and(|task| task.scope_ended.is_some())
            && of("courier").is_some_and(|task| task.scope_cancelled.is_some() && task.polls > 0)
            && of("blocked").is_some_and(|task| task.long_poll.is_some())
    };
    while !is_settled() {
        // A dump is a look at one moment: it is taken again and again.
        std::thread::sleep(Duration::from_millis(5));
    }
}
