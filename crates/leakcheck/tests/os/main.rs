//! Threads and file descriptors that a test leaves open.
//!
//! They are the process's, so each test here runs in a process of its own: this binary again, with
//! one test.
#![cfg(target_os = "linux")]

use std::process::Command;
use std::time::Duration;

use leakcheck::{Leaks, Options};
use tokio::runtime::{Builder, Runtime};

/// Makes tests that run in a process of their own.
macro_rules! alone {
    ($($(#[$attribute:meta])* fn $name:ident() $body:block)*) => {$(
        $(#[$attribute])*
        #[test]
        fn $name() {
            crate::alone(concat!(module_path!(), "::", stringify!($name)), || $body)
        }
    )*};
}

mod attribute;
mod calls;
mod descriptors;
mod threads;

/// Long enough that a test which waited for it would never end.
const FOREVER: Duration = Duration::from_secs(3600);

/// `path`: of the test, with the name of this binary.
fn alone(path: &str, body: fn()) {
    const CHILD: &str = "LEAKCHECK_TEST_ALONE";
    if std::env::var_os(CHILD).is_some() {
        return body();
    }
    let (_, test) = path.split_once("::").unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--test-threads=1", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&child.stdout),
        String::from_utf8_lossy(&child.stderr)
    );
    assert!(child.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

#[track_caller]
fn leaks(runtime: &Runtime, options: &Options) -> Leaks {
    let hasty = options.clone().settle(Duration::ZERO);
    leakcheck::check_in(runtime, hasty).expect_err("something is left")
}
