//! Memory that tasks hold, in a program whose allocator samples.
#![cfg(all(
    feature = "enable",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

use std::alloc::System;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callstack::heap;
use taskscope::{Scope, heap::held_by_task};
use tokio::sync::oneshot;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

#[global_allocator]
static ALLOC: heap::Sampler<System> = heap::Sampler::new(System);

type Fields = BTreeMap<&'static str, String>;

/// The reports that came to this test.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Fields>>>);

struct Reader<'a>(&'a mut Fields);

impl Visit for Reader<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let text = format!("{value:?}").trim_matches('"').to_owned();
        self.0.insert(field.name(), text);
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

/// A task that holds a megabyte until the sender is dropped.
async fn holds(scope: &Scope) -> oneshot::Sender<()> {
    heap::set_rate(1 << 10);
    let (stop, stopped) = oneshot::channel::<()>();
    let holder = async move {
        let blocks: Vec<Vec<u8>> = (0..1000).map(|_| vec![1; 1000]).collect();
        let _ = stopped.await;
        drop(blocks);
    };
    scope.spawn(holder);
    tokio::task::yield_now().await;
    stop
}

#[tokio::test]
async fn survivors_of_a_scope_are_reported_with_what_they_hold() {
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let scope = Scope::new("POST /orders");
    let _alive = [holds(&scope).await, holds(&scope).await];
    drop(scope);
    let sum = loop {
        let told = log.0.lock().unwrap().clone();
        if let Some(sum) = told
            .into_iter()
            .find(|fields| fields.contains_key("survivors"))
        {
            break sum;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(sum["scope"], "POST /orders");
    assert_eq!(sum["survivors"], "2");
    let bytes: f64 = sum["held_bytes"].parse().unwrap();
    assert!((1.8e6..2.2e6).contains(&bytes), "{sum:?}");
    assert!(sum["held"].ends_with(" MB"), "{sum:?}");
}

// A thousand samples of a megabyte are within 10 % of it, three times in a thousand excepted; a
// task that has ended holds nothing.
#[tokio::test]
async fn a_task_holds_what_it_has_allocated_until_it_ends() {
    let scope = Scope::new("GET /held");
    let stop = holds(&scope).await;
    let dump = taskscope::DumpOptions::new()
        .scope(&scope.to_ref())
        .stacks(taskscope::Stacks::None)
        .capture_blocking();
    let id = dump.tasks[0].id;
    let held = held_by_task().unwrap()[&id];
    assert!((850_000..1_150_000).contains(&held.bytes()), "{held:?}");
    assert!((700..1300).contains(&held.objects()), "{held:?}");
    drop(stop);
    while scope.to_ref().tasks() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(held_by_task().unwrap().get(&id), None);
}
