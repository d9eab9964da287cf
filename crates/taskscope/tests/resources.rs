//! Tracked resources: who acquired them, who uses them, and for how long they are shown.
#![cfg(feature = "enable")]
#![allow(
    clippy::async_yields_async,
    reason = "a handle that leaves the scope unawaited is what is looked at"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskscope::{Dump, DumpOptions, HolderState, ResourceDump, Scope, Stacks, Tracked};
use tokio::sync::{Notify, Semaphore, oneshot};

/// Other tests of this binary have resources of their own: each test has kinds of its own.
fn held(kind: &str) -> Vec<ResourceDump> {
    let mut resources = dump().resources;
    resources.retain(|resource| resource.kind == kind);
    resources
}

fn dump() -> Dump {
    DumpOptions::new().stacks(Stacks::None).capture_blocking()
}

/// The only one of its kind.
fn only(kind: &str) -> ResourceDump {
    let [resource] = <[_; 1]>::try_from(held(kind)).unwrap();
    resource
}

/// A pool of connections, made by hand.
#[derive(Clone, Default)]
struct Pool(Arc<(Mutex<Vec<u32>>, Notify)>);

struct Connection {
    number: u32,
    pool: Pool,
}

impl Pool {
    fn of(connections: impl IntoIterator<Item = u32>) -> Pool {
        let pool = Pool::default();
        pool.0.0.lock().unwrap().extend(connections);
        pool
    }

    async fn get(&self) -> Tracked<Connection> {
        loop {
            let returned = self.0.1.notified();
            if let Some(number) = self.0.0.lock().unwrap().pop() {
                let pool = self.clone();
                return Tracked::new("pg connection", Connection { number, pool });
            }
            returned.await;
        }
    }

    fn free(&self) -> usize {
        self.0.0.lock().unwrap().len()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.pool.0.0.lock().unwrap().push(self.number);
        self.pool.0.1.notify_one();
    }
}

#[tokio::test]
async fn the_dump_says_which_leaked_task_holds_the_only_connection() {
    let pool = Pool::of([7]);
    let request = Scope::new("POST /orders").label("request_id", "r-1");
    let (started, starts) = oneshot::channel();
    let leaked = request
        .run(async {
            let pool = pool.clone();
            taskscope::spawn_named("audit", async move {
                let connection = pool.get().await;
                started.send(connection.number).unwrap();
                std::future::pending::<()>().await;
            })
        })
        .await;
    assert_eq!(starts.await.unwrap(), 7);
    let (waiting, waits) = oneshot::channel();
    let next = taskscope::spawn_named("next request", {
        let pool = pool.clone();
        async move {
            waiting.send(()).unwrap();
            pool.get().await.number
        }
    });
    waits.await.unwrap();
    // A control: the request is under way, and so is what it holds.
    assert!(!only("pg connection").is_leak_suspect());
    drop(request);

    let dump = taskscope::dump().await;
    let audit = dump
        .tasks
        .iter()
        .find(|task| task.name.as_deref() == Some("audit"));
    let audit = audit.unwrap();
    let held = &dump.holdings()[&audit.id];
    let [connection] = held[..] else {
        panic!("{held:?}")
    };
    assert_eq!(connection.kind, "pg connection");
    assert!(connection.is_leak_suspect());
    assert!(connection.age > Duration::ZERO && connection.age <= audit.age);
    assert_eq!(connection.site.file(), file!());
    assert_eq!(connection.scope, audit.scope);
    assert!(connection.scope_ended.is_some());
    let holder = connection.last_used_by.as_ref().unwrap();
    assert_eq!(connection.acquired_by.as_ref(), Some(holder));
    assert_eq!(holder.task, audit.id);
    assert_eq!(holder.name.as_deref(), Some("audit"));
    assert_eq!(holder.spawned, Some(audit.site));
    assert_eq!(holder.state, HolderState::Alive);
    let line = connection.to_string();
    let expected = format!(
        "acquired at {} by task {} \"audit\" for \"POST /orders\", which ended ",
        connection.site, audit.id
    );
    assert!(
        line.starts_with("pg connection held for ") && line.contains(&expected),
        "{line}"
    );
    // Nobody else holds any.
    let next_id = dump
        .tasks
        .iter()
        .find(|task| task.name.as_deref() == Some("next request"));
    assert!(!dump.holdings().contains_key(&next_id.unwrap().id));

    leaked.abort();
    assert_eq!(next.await.unwrap(), 7);
    assert_eq!(pool.free(), 1);
    assert!(crate::held("pg connection").is_empty());
}

#[tokio::test]
async fn a_permit_that_a_leaked_task_keeps_is_shown_with_its_holder() {
    let permits = Arc::new(Semaphore::new(1));
    let task = taskscope::spawn({
        let permits = permits.clone();
        async move {
            let permit = permits.acquire_owned().await.unwrap();
            let _permit = taskscope::track("upload permit", permit);
            std::future::pending::<()>().await;
        }
    });
    let id = task.id().to_string();
    while permits.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let permit = only("upload permit");
    assert_eq!(permit.last_used_by.unwrap().task.to_string(), id);
    assert_eq!((permit.scope, permit.scope_ended), (None, None));
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert!(held("upload permit").is_empty());
    assert_eq!(permits.available_permits(), 1);
}

#[tokio::test]
async fn the_task_that_used_it_last_is_known_when_it_moves_on() {
    let (give, given) = oneshot::channel::<Tracked<Vec<u8>>>();
    let (used, uses) = oneshot::channel();
    let proceed = Arc::new(Notify::new());
    let second = taskscope::spawn_named("second", {
        let proceed = proceed.clone();
        async move {
            let mut file = given.await.unwrap();
            proceed.notified().await;
            file.push(1);
            used.send(()).unwrap();
            std::future::pending::<()>().await;
        }
    });
    let first = taskscope::spawn_named("first", async move {
        give.send(taskscope::track("moved file", Vec::new()))
            .unwrap();
    });
    // Its handle is kept, and with it its record: it has ended all the same.
    while !first.is_finished() {
        tokio::task::yield_now().await;
    }
    // The second one has not touched it yet.
    let untouched = only("moved file");
    let holder = untouched.last_used_by.clone().unwrap();
    assert_eq!(
        (holder.name.as_deref(), holder.state),
        (Some("first"), HolderState::Gone)
    );
    assert_eq!(untouched.last_used_by, untouched.acquired_by);
    assert!(
        untouched.to_string().ends_with("\"first\" (gone)"),
        "{untouched}"
    );

    proceed.notify_one();
    uses.await.unwrap();
    let file = only("moved file");
    assert_eq!(file.acquired_by.as_ref(), Some(&holder));
    let user = file.last_used_by.clone().unwrap();
    assert_eq!(
        (user.name.as_deref(), user.state),
        (Some("second"), HolderState::Alive)
    );
    assert!(file.unused_for <= file.age);
    let line = file.to_string();
    assert!(
        line.ends_with(&format!(", last used by task {} \"second\"", user.task)),
        "{line}"
    );
    first.await.unwrap();
    second.abort();
}

#[tokio::test]
async fn a_resource_that_outlives_the_task_that_acquired_it_says_so() {
    let task = taskscope::spawn_named("opener", async { taskscope::track("returned file", 3_u8) });
    let id = task.id().to_string();
    let file = task.await.unwrap();
    let shown = only("returned file");
    let opener = shown.acquired_by.unwrap();
    assert_eq!(opener.task.to_string(), id);
    assert_eq!(opener.name.as_deref(), Some("opener"));
    assert_eq!(opener.spawned.unwrap().file(), file!());
    assert_eq!(opener.state, HolderState::Gone);
    // Used outside of any task: no one holds it, as far as anybody knows.
    assert_eq!(*file, 3);
    assert_eq!(only("returned file").last_used_by, None);
}

#[tokio::test]
async fn a_task_without_a_record_is_known_by_its_id_alone() {
    let (done, end) = oneshot::channel::<()>();
    let (started, starts) = oneshot::channel();
    let task = tokio::spawn(async move {
        let _file = taskscope::track("plain file", ());
        started.send(()).unwrap();
        let _ = end.await;
    });
    starts.await.unwrap();
    let holder = only("plain file").acquired_by.unwrap();
    assert_eq!(holder.task.to_string(), task.id().to_string());
    assert_eq!((holder.name, holder.state), (None, HolderState::Untracked));
    drop(done);
    task.await.unwrap();
    assert!(held("plain file").is_empty());
}

#[test]
fn without_tokio_there_is_no_holder() {
    let file = taskscope::track("lone file", ());
    let shown = only("lone file");
    assert_eq!((shown.acquired_by, shown.scope), (None, None));
    drop(file);
}

#[test]
fn a_value_that_is_taken_out_is_shown_no_longer() {
    let file = Tracked::new("inner file", String::from("text"));
    assert_eq!(held("inner file").len(), 1);
    assert_eq!(
        format!("{file:?}"),
        r#"Tracked { kind: "inner file", value: "text" }"#
    );
    let text = file.into_inner();
    assert!(held("inner file").is_empty());
    assert_eq!(text, "text");
}

/// A destructor can take long, and it is the one that gives the connection back.
#[test]
fn a_resource_is_shown_until_its_destructor_is_through() {
    struct Looks(Arc<Mutex<Option<usize>>>);
    impl Drop for Looks {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = Some(held("slow file").len());
        }
    }
    let seen = Arc::new(Mutex::new(None));
    drop(Tracked::new("slow file", Looks(seen.clone())));
    assert_eq!(*seen.lock().unwrap(), Some(1));
    assert!(held("slow file").is_empty());
}

#[tokio::test]
async fn a_dump_of_one_scope_or_runtime_shows_the_resources_of_that_one() {
    let scope = Scope::new("one");
    let _inside = scope.run(async { taskscope::track("filtered", 1) }).await;
    let below = scope.child("below");
    let _below = below.run(async { taskscope::track("filtered", 2) }).await;
    let _beside = taskscope::track("filtered", 3);
    let elsewhere = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let file = runtime.block_on(async { taskscope::track("filtered", 4) });
        (runtime, file)
    });
    let (other, _file) = elsewhere.join().unwrap();
    let count = |options: DumpOptions| {
        let dump = options.stacks(Stacks::None).capture_blocking();
        let resources = dump.resources.iter();
        resources
            .filter(|resource| resource.kind == "filtered")
            .count()
    };
    assert_eq!(count(DumpOptions::new()), 4);
    assert_eq!(count(DumpOptions::new().scope(&scope.to_ref())), 2);
    let here = tokio::runtime::Handle::current().id();
    assert_eq!(count(DumpOptions::new().runtime(here)), 3);
    assert_eq!(count(DumpOptions::new().runtime(other.handle().id())), 1);
    other.shutdown_background();
}

/// Acquired on one thread and dropped on another, while somebody looks: every one is accounted for
/// at the end.
#[test]
fn resources_of_many_threads_are_all_accounted_for() {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                let mut kept: Vec<_> = (0..500).map(|n| taskscope::track("busy", n)).collect();
                // Every other one goes at once, and frees a slot in the middle.
                let mut at = 0;
                kept.retain(|_| {
                    at += 1;
                    at % 2 == 0
                });
                kept.extend((0..50).map(|n| taskscope::track("busy", n)));
                kept
            })
        })
        .collect();
    assert!(held("busy").len() <= 4 * 500);
    let kept: Vec<_> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    assert_eq!(kept.len(), 4 * 300);
    assert_eq!(held("busy").len(), 4 * 300);
    assert!(taskscope::stats().resources >= 4 * 300);
    drop(kept);
    assert!(held("busy").is_empty());
}

/// Tracking a value changes nothing about where it may go.
#[test]
fn a_tracked_value_is_as_mobile_as_the_value() {
    fn is_send<T: Send>(_: &T) {}
    fn is_sync<T: Sync>(_: &T) {}
    fn is_unpin<T: Unpin>(_: &T) {}
    let (cell, text) = (
        taskscope::track("cell", std::cell::Cell::new(1)),
        taskscope::track("text", "x"),
    );
    is_send(&cell);
    is_send(&text);
    is_sync(&text);
    is_unpin(&text);
}
