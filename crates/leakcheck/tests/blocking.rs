//! Calls on the blocking pool that `taskscope::spawn_blocking` has made: they count like tasks.

use std::sync::mpsc;
use std::time::Duration;

use leakcheck::Options;
use taskscope::TaskKind;

/// Long enough that a test which waited for it would never end.
const FOREVER: Duration = Duration::from_secs(3600);

/// A call that waits until the sender is dropped, and says when it has begun.
fn wait() -> (
    mpsc::Sender<()>,
    mpsc::Receiver<()>,
    impl FnOnce() + Send + 'static,
) {
    let (open, closed) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let wait = move || {
        tell.send(()).unwrap();
        let _ = closed.recv();
    };
    (open, told, wait)
}

#[tokio::test]
async fn a_call_that_still_runs_is_a_leak_with_its_spawn_site() {
    let (open, told, wait) = wait();
    let call = taskscope::spawn_blocking(wait);
    let line = line!() - 1;
    told.recv().unwrap();
    let leaks = leakcheck::check_with(Options::new().settle(Duration::ZERO));
    let leaks = leaks.await.expect_err("it waits");
    let [task] = &leaks.dump().tasks[..] else {
        panic!("{leaks}")
    };
    assert_eq!((task.kind, task.site.line()), (TaskKind::Blocking, line));
    assert_eq!(
        (leaks.count(), leaks.untracked(), leaks.untracked_calls()),
        (1, 0, 0),
        "{leaks}"
    );
    let text = leaks.to_string();
    assert!(
        text.contains(&format!("tests/blocking.rs:{line}:")),
        "{text}"
    );
    drop(open);
    call.await.unwrap();
    leakcheck::assert_none!(Options::new().settle(FOREVER));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_is_on_a_multi_thread_runtime() {
    let (open, told, wait) = wait();
    let call = taskscope::spawn_blocking(wait);
    told.recv().unwrap();
    let leaks = leakcheck::check_with(Options::new().settle(Duration::ZERO));
    assert_eq!(leaks.await.expect_err("it waits").count(), 1);
    drop(open);
    call.await.unwrap();
    leakcheck::assert_none!(Options::new().settle(FOREVER));
}

#[tokio::test]
async fn a_call_that_ends_within_the_settle_time_is_no_leak() {
    let call = taskscope::spawn_blocking(|| std::thread::sleep(Duration::from_millis(30)));
    leakcheck::assert_none!(Options::new().settle(FOREVER));
    assert!(call.is_finished());
}

#[tokio::test]
async fn a_call_of_the_background_is_no_leak() {
    let (open, told, wait) = wait();
    let call = taskscope::Builder::new().background().spawn_blocking(wait);
    told.recv().unwrap();
    leakcheck::assert_none!(Options::new().settle(Duration::ZERO));
    drop(open);
    call.await.unwrap();
}

/// It waits for a thread of the pool.
#[test]
fn a_call_that_has_not_begun_is_a_leak() {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder
        .worker_threads(1)
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (open, told, wait) = wait();
    let _entered = runtime.enter();
    let first = taskscope::Builder::new().background().spawn_blocking(wait);
    told.recv().unwrap();
    let second = taskscope::spawn_blocking(|| ());
    drop(_entered);
    let leaks = leakcheck::check_in(&runtime, Options::new().settle(Duration::ZERO));
    assert_eq!(leaks.expect_err("it is queued").count(), 1);
    drop(open);
    runtime.block_on(async { (first.await.unwrap(), second.await.unwrap()) });
    leakcheck::assert_none_in!(&runtime, Options::new().settle(FOREVER));
}
