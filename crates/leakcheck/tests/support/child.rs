//! Tests in a process of their own: environment variables and the current directory belong to a
//! whole process.

use std::fs::File;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use leakcheck::Options;
use tokio::sync::oneshot;

/// The variable with the checks of the child: `test: leak leak, test:`, one check for each.
const CHECKS: &str = "LEAKCHECK_CHILD_CHECKS";

/// The variable that makes it inspect threads and file descriptors.
pub(crate) const OS: &str = "LEAKCHECK_CHILD_OS";

/// A directory of this test, empty.
pub(crate) fn directory(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    if directory.exists() {
        std::fs::remove_dir_all(&directory).unwrap();
    }
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// The output of a child.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) passed: bool,
    pub(crate) text: String,
}

/// This test binary again, with one of its tests.
pub(crate) fn test(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]);
    for variable in [
        "LEAKCHECK_REPORT",
        "LEAKCHECK_SUPPRESSIONS",
        "LEAKCHECK_UPDATE",
    ] {
        command.env_remove(variable);
    }
    command.env("RUST_BACKTRACE", "0").stdin(Stdio::null());
    command
}

/// The test `child`, which makes these checks.
pub(crate) fn checks(checks: &str) -> Command {
    let mut command = test("child");
    command.env(CHECKS, checks);
    command
}

pub(crate) fn run(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("running 1 test"), "{text}");
    Said {
        passed: output.status.success(),
        text,
    }
}

/// The leaks that a check can have.
async fn mail(answer: oneshot::Receiver<()>) {
    let _ = answer.await;
}

async fn audit(answer: oneshot::Receiver<()>) {
    let _ = answer.await;
}

async fn deep(calls: usize, answer: oneshot::Receiver<()>) {
    match calls {
        0 => mail(answer).await,
        _ => Box::pin(deep(calls - 1, answer)).await,
    }
}

/// Starts a thread, and returns when it has its name.
fn thread(name: &str, answer: oneshot::Receiver<()>) {
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name(name.to_owned());
    let runs = move || {
        tell.send(()).unwrap();
        let _ = answer.blocking_recv();
    };
    thread.spawn(runs).unwrap();
    told.recv().unwrap();
}

/// Makes a blocking call, and returns when it has begun.
async fn call(answer: oneshot::Receiver<()>) {
    let (tell, told) = oneshot::channel();
    tokio::task::spawn_blocking(move || {
        tell.send(()).unwrap();
        let _ = answer.blocking_recv();
    });
    told.await.unwrap();
}

/// For a test `child` in each binary that has some. Without checks it does nothing.
pub(crate) fn make_checks() {
    let Ok(checks) = std::env::var(CHECKS) else {
        return;
    };
    // In seconds.
    let settle =
        std::env::var("LEAKCHECK_CHILD_SETTLE").map_or(0, |settle| settle.parse().unwrap());
    let mut failed = Vec::new();
    for check in checks.split(',') {
        let (test, kinds) = check.rsplit_once(':').unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let test = test.trim().to_owned();
        let result = runtime.block_on(async {
            let options = Options::new()
                .settle(Duration::from_secs(settle))
                .ignore_name("reaper", "of the fixture");
            let options = match std::env::var_os(OS) {
                Some(_) => options.threads().descriptors(),
                None => options,
            };
            let mut never = Vec::new();
            for kind in kinds.split_whitespace() {
                let (open, answer) = oneshot::channel();
                never.push(open);
                match kind {
                    "mail" => drop(taskscope::spawn_named("mailer", mail(answer))),
                    "audit" => drop(taskscope::spawn(audit(answer))),
                    "deep" => drop(taskscope::spawn(deep(60, answer))),
                    "untracked" => drop(tokio::spawn(mail(answer))),
                    "feed" => thread("price feed", answer),
                    "pool" => thread("pool 1", answer),
                    "file" => std::mem::forget(File::open("/proc/self/cmdline").unwrap()),
                    "socket" => std::mem::forget(UdpSocket::bind("127.0.0.1:0").unwrap()),
                    "call" => call(answer).await,
                    _ => panic!("no such leak: {kind}"),
                }
            }
            let options = match test.as_str() {
                "" => options,
                _ => options.test(test.clone()),
            };
            leakcheck::check_with(options).await
        });
        runtime.shutdown_background();
        if let Err(leaks) = result {
            failed.push(leaks.to_string());
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
