//! The reports of survivors that come to one test, as its subscriber gets them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskscope::{Scope, spawn_named};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

pub(crate) type Fields = BTreeMap<&'static str, String>;

/// The reports that came to one test.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Fields>>>);

struct Reader<'a>(&'a mut Fields);

impl Visit for Reader<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "taskscope::leak"
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut Reader(&mut fields));
        self.0.lock().unwrap().push(fields);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Log {
    pub(crate) fn listen(&self) -> DefaultGuard {
        tracing::subscriber::set_default(self.clone())
    }

    /// All of them, in the order in which they came.
    pub(crate) fn told(&self) -> Vec<Fields> {
        self.0.lock().unwrap().clone()
    }

    /// The names of the tasks that were reported.
    pub(crate) fn names(&self) -> Vec<String> {
        let told = self.told();
        let names = told.iter().map(|fields| fields["task.name"].clone());
        names.collect()
    }

    pub(crate) async fn until(&self, name: &str) {
        while !self.names().iter().any(|reported| reported == name) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until everything that ended before has been reported: a scope that ends now is, too.
    pub(crate) async fn until_all(&self) {
        let fences = |log: &Log| log.names().iter().filter(|name| *name == "fence").count();
        let before = fences(self);
        let scope = Scope::new("fence");
        lives(&scope, "fence").await;
        drop(scope);
        while fences(self) == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Spawns a task that stays alive, keeping its waker.
pub(crate) async fn lives(scope: &Scope, name: &'static str) {
    let sleeps = tokio::time::sleep(Duration::from_secs(600));
    scope.run(async { drop(spawn_named(name, sleeps)) }).await;
    tokio::task::yield_now().await;
}

/// One that listens from now on to what this thread reports.
pub(crate) fn listening() -> (Log, DefaultGuard) {
    let log = Log::default();
    let listening = log.listen();
    (log, listening)
}
