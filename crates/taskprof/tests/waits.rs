//! The profiles that add up: block, lock, sched and busy, of tasks that wait and run.
#![allow(missing_docs, reason = "tests")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use taskprof::Profile;
use taskprof::profile::{Frame, LabelValue, Sample};
use taskscope::{Scope, sampling};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, oneshot};

/// A runtime whose only worker already knows whether sampling is on.
///
/// The very first poll of a thread is never chosen.
fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for _ in 0..3 {
            taskscope::spawn(tokio::time::sleep(Duration::from_millis(3)))
                .await
                .unwrap();
        }
    });
    runtime
}

fn ask(ask: taskprof::source::CaptureRequest) -> Profile {
    // Nothing here needs a particular runtime.
    runtime().block_on(ask.capture()).unwrap()
}

fn name(frame: &Frame) -> &str {
    match frame {
        Frame::Named { name, .. } => name,
        Frame::Address(_) => "",
    }
}

fn of_line(profile: &Profile, line: u32) -> Vec<&Sample> {
    let root = format!("spawned at {}:{line}", file!());
    let samples = profile.samples.iter();
    samples
        .filter(|sample| sample.stack.last().map(name) == Some(root.as_str()))
        .collect()
}

fn label<'a>(sample: &'a Sample, key: &str) -> Option<&'a str> {
    let label = sample.labels.iter().find(|label| label.key == key)?;
    match &label.value {
        LabelValue::Str(text) => Some(text),
        LabelValue::Num { .. } => None,
    }
}

/// Asks again and again until a sample of that line is as wanted.
fn await_sample(
    source: fn() -> taskprof::source::CaptureRequest,
    line: u32,
    wanted: impl Fn(&Sample) -> bool,
) -> Sample {
    let begun = Instant::now();
    loop {
        let profile = ask(source());
        if let Some(sample) = of_line(&profile, line).into_iter().find(|s| wanted(s)) {
            return sample.clone();
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{profile:#?}");
    }
}

async fn waits_for_permission(lock: Arc<Mutex<()>>) {
    drop(lock.lock().await);
}

#[test]
fn a_wait_for_a_lock_is_in_block_and_in_lock_with_the_stack_of_who_waits() {
    sampling::start();
    let runtime = runtime();
    let lock = Arc::new(Mutex::new(()));
    let held = runtime.block_on(lock.clone().lock_owned());
    let scope = Scope::new("GET /lock");
    let _in_runtime = runtime.enter();
    let waiter = scope.spawn(waits_for_permission(lock));
    let line = line!() - 1;
    let (end, ended) = oneshot::channel::<()>();
    let other = taskscope::spawn(async move { drop(ended.await) });
    let other_line = line!() - 1;

    for source in [taskprof::block, taskprof::lock] {
        let sample = await_sample(source, line, |sample| {
            label(sample, "wait") == Some("mutex lock") && sample.values[1] > 0
        });
        assert_eq!(label(&sample, "scope"), Some("GET /lock"));
        assert!(sample.values[0] >= 1);
        let names: Vec<&str> = sample.stack.iter().map(name).collect();
        assert!(
            names
                .iter()
                .any(|name| name.contains("waits_for_permission")),
            "{names:?}"
        );
    }
    // The control: somebody else's wait is no wait for a lock.
    await_sample(taskprof::block, other_line, |sample| {
        label(sample, "wait") == Some("oneshot recv")
    });
    assert!(of_line(&ask(taskprof::lock()), other_line).is_empty());

    drop(held);
    end.send(()).unwrap();
    runtime.block_on(async { (waiter.await.unwrap(), other.await.unwrap()) });
}

#[test]
fn busy_and_sched_tell_spawn_site_and_future_and_seconds_only_what_was_added() {
    sampling::start();
    let runtime = runtime();
    let (stop, mut stopped) = oneshot::channel::<()>();
    let _in_runtime = runtime.enter();
    let task = taskscope::spawn(async move {
        while stopped.try_recv().is_err() {
            let since = Instant::now();
            while since.elapsed() < Duration::from_millis(2) {}
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let line = line!() - 7;
    let running = await_sample(taskprof::busy, line, |sample| sample.values[1] > 0);
    assert!(name(&running.stack[0]).contains("closure"), "{running:?}");
    await_sample(taskprof::sched, line, |sample| sample.values[0] > 0);

    let added = ask(taskprof::busy().duration(Duration::from_millis(300)));
    let added = of_line(&added, line)
        .first()
        .map_or(0, |sample| sample.values[1]);
    let all = of_line(&ask(taskprof::busy()), line)[0].values[1];
    assert!(0 < added && added < all, "{added} of {all}");
    stop.send(()).unwrap();
    runtime.block_on(task).unwrap();

    let since_then = ask(taskprof::busy().duration(Duration::from_millis(1)));
    assert!(of_line(&since_then, line).is_empty(), "{since_then:?}");
}

#[test]
fn a_comment_says_how_the_numbers_came_to_be() {
    sampling::start();
    let runtime = runtime();
    let _watched = taskscope::register_runtime(runtime.handle());
    let others = "not in it: untracked tasks (plain tokio::spawn), 1 of which";
    let tells = |profile: &Profile| profile.comments.iter().any(|text| text.starts_with(others));
    assert!(!tells(&ask(taskprof::block())));
    let untracked = runtime.spawn(std::future::pending::<()>());
    let profile = ask(taskprof::block());
    assert!(tells(&profile), "{:?}", profile.comments);
    untracked.abort();
    runtime.block_on(untracked).unwrap_err();
    let text = &profile.comments[0];
    assert!(
        text.contains("summed up over") && text.contains("1 poll in"),
        "{text}"
    );
    let types: Vec<_> = profile
        .sample_types
        .iter()
        .map(|t| (&*t.kind, &*t.unit))
        .collect();
    assert_eq!(types, [("contentions", "count"), ("delay", "nanoseconds")]);
}
