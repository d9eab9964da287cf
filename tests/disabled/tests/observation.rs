//! Nothing observes: sizes, threads, dumps, dependencies.

use std::future::{pending, ready};
use std::process::Command;
use std::time::Duration;

use taskscope::{Builder, Instrumented, JoinHandle, RuntimeGuard, Scope, Tracked};

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_interface_works() {
    disabled::api::everything().await;
}

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
    // A pointer: the scope, if one was asked for.
    assert_eq!(size_of::<Builder>(), size_of::<usize>());
}

#[tokio::test]
async fn nothing_is_seen() {
    let scope = Scope::new("scope");
    let owned = scope.spawn(pending::<()>());
    let plain = taskscope::spawn_named("named", pending::<()>());
    let held = taskscope::track("kind", 1);
    let _known = taskscope::register_runtime(&tokio::runtime::Handle::current());
    tokio::task::yield_now().await;
    let dump = taskscope::dump().await;
    assert!(dump.tasks.is_empty() && dump.resources.is_empty() && dump.runtimes.is_empty());
    taskscope::sample_growth();
    assert!(taskscope::growth().is_empty());
    assert!(!taskscope::sampling::start() && !taskscope::sampling::is_on());
    assert!(taskscope::sampling::report().rows.is_empty());
    assert!(!taskscope::census::start() && !taskscope::census::is_on());
    assert_eq!(taskscope::census::take().tasks(), 0);
    assert!(taskscope::census::history().is_empty());
    let stats = taskscope::stats();
    assert_eq!(
        (stats.records, stats.record_bytes, stats.resources),
        (0, 0, 0)
    );
    drop((owned, plain, held));
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
    const CHILD: &str = "DISABLED_CHILD";
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
        taskscope::dump().await;
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

#[test]
fn no_crate_that_observes_is_a_dependency() {
    let tree = |features: &[&str]| {
        let output = Command::new(env!("CARGO"))
            .args([
                "tree",
                "--offline",
                "--locked",
                "-e",
                "normal",
                "--prefix",
                "none",
            ])
            .args([
                "--manifest-path",
                concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
            ])
            .args(features)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let (without, with) = (tree(&[]), tree(&["--features", "taskscope/enable"]));
    for name in ["callstack ", "quanta ", "framehop ", "addr2line "] {
        assert!(!without.contains(name), "{name}in\n{without}");
        assert!(with.contains(name), "no {name}in\n{with}");
    }
    let scope = without
        .lines()
        .filter(|line| line.starts_with("taskscope "));
    assert!(scope.count() > 0);
}
