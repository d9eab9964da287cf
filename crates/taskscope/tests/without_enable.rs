//! Without the feature `enable` nothing is added to a task, and no thread is started until a
//! deadline is set.
#![cfg(not(feature = "enable"))]

use std::future::{pending, ready};
use std::process::Command;
use std::time::Duration;

use taskscope::{Builder, Instrumented, JoinHandle, RuntimeGuard, Scope, Tracked};

fn grown_by<F>(future: F, wrap: impl FnOnce(F) -> Instrumented<F>) -> usize {
    let size = size_of_val(&future);
    size_of_val(&wrap(future)) - size
}

#[test]
fn wrappers_have_no_size_of_their_own() {
    let big = async {
        let buffer = [0_u8; 1000];
        tokio::task::yield_now().await;
        assert_eq!(buffer.len(), 1000);
    };
    assert_eq!(grown_by(big, taskscope::instrument), 0);
    assert_eq!(size_of::<Instrumented<()>>(), 0);
    assert_eq!(
        size_of::<JoinHandle<u64>>(),
        size_of::<tokio::task::JoinHandle<u64>>()
    );
    assert_eq!(size_of::<Tracked<()>>(), 0);
    assert_eq!(size_of::<Tracked<[u8; 5]>>(), 5);
    assert_eq!(size_of::<RuntimeGuard>(), 0);
    // The scope, if one was asked for.
    assert_eq!(size_of::<Builder>(), 2 * size_of::<usize>());
}

#[cfg(target_os = "linux")]
#[test]
fn no_thread_is_started_until_a_deadline_is_set() {
    let ours = || {
        let threads = std::fs::read_dir("/proc/self/task").unwrap();
        let names = threads
            .filter_map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).ok());
        names.filter(|name| name.starts_with("taskscope")).count()
    };
    // In a process of its own: the other tests set deadlines.
    const CHILD: &str = "TASKSCOPE_TEST_CHILD";
    if std::env::var_os(CHILD).is_none() {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "no_thread_is_started_until_a_deadline_is_set"])
            .env(CHILD, "1")
            .status();
        assert!(child.unwrap().success());
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let scope = Scope::new("scope");
        let left = scope.spawn(pending::<()>());
        taskscope::spawn(ready(())).await.unwrap();
        drop(scope);
        assert_eq!(ours(), 0);
        let _control = Scope::new("deadline").timeout(Duration::from_secs(60));
        // It names itself after it has started.
        while ours() == 0 {
            std::thread::yield_now();
        }
        left.abort();
    });
}
