//! The real `go tool pprof` on live addresses.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{self, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::busy::Busy;
use crate::client::get;
use crate::go::{go_tool_pprof_ok, tmp_dir};
use crate::{my_turn, server};

#[test]
fn go_reads_every_name_of_its_own_over_the_network() {
    let _turn = my_turn();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = server();
    let url = |path: &str| format!("http://{}/debug/pprof/{path}", server.local_addr());
    let dir = tmp_dir("endpoint-clients");
    let waiting = runtime.block_on(async {
        let (open, closed) = tokio::sync::oneshot::channel::<()>();
        drop(taskscope::spawn_named("courier", async move {
            closed.await.unwrap_err();
        }));
        open
    });

    let run = |arguments: &[&str]| go_tool_pprof_ok(arguments, &dir);
    let tasks = url("goroutine");
    let top = run(&["-top", &tasks]);
    assert!(top.contains("Type: goroutine"), "{top}");
    assert!(top.contains("clients::"), "{top}");
    let traces = run(&["-traces", &tasks]);
    assert!(traces.contains("spawned at "), "{traces}");
    let tags = run(&["-tags", &tasks]);
    assert!(
        tags.contains("courier") && tags.contains("verdict:"),
        "{tags}"
    );
    let focused = run(&["-traces", "-tagfocus=name=^courier$", &tasks]);
    assert!(focused.contains("clients::"), "{focused}");
    let none = run(&["-top", "-tagfocus=name=^nobody$", &tasks]);
    assert!(!none.contains("clients::"), "{none}");
    for (name, kind) in [
        ("threadcreate", "threadcreate"),
        ("goroutineleak", "goroutineleak"),
    ] {
        let raw = run(&["-raw", &url(name)]);
        assert!(raw.contains(&format!("{kind}/count")), "{raw}");
        assert!(raw.contains(&format!("PeriodType: {kind} count")), "{raw}");
        assert!(raw.contains("Period: 1"), "{raw}");
    }

    // A file of before, and a task less.
    let before = dir.join("before.pb.gz");
    let before = before.to_str().unwrap();
    run(&["-proto", &format!("-output={before}"), &tasks]);
    drop(waiting);
    while !runtime
        .block_on(taskscope::dump())
        .tasks
        .iter()
        .all(|task| task.name.as_deref() != Some("courier"))
    {
        std::thread::yield_now();
    }
    let less = run(&["-top", &format!("-diff_base={before}"), &tasks]);
    assert!(less.contains("-1"), "{less}");

    let _busy = Busy::start("grinder");
    let cpu = url("profile");
    let raw = run(&["-raw", "-seconds=1", &cpu]);
    assert!(raw.contains("samples/count cpu/nanoseconds"), "{raw}");
    assert!(raw.contains("PeriodType: cpu nanoseconds"), "{raw}");
    // An address without a path is what people type.
    let bare = format!("http://{}", server.local_addr());
    let top = run(&["-top", "-seconds=1", &bare]);
    assert!(top.contains("busy::Grinder<[u64; 4]> as "), "{top}");
    // With seconds, a named profile is what has changed.
    let delta = run(&["-raw", "-seconds=1", &tasks]);
    assert!(delta.contains("goroutine/count"), "{delta}");
    assert!(delta.contains("Duration: 1"), "{delta}");
}

/// A port that was free a moment ago.
fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// A group of processes that ends with the test: `go` starts the tool as a child of its own.
struct Group(process::Child);

impl Drop for Group {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.0.wait();
    }
}

#[test]
fn go_reads_block_and_mutex_and_its_own_pages_show_them() {
    let _turn = my_turn();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = server();
    let url = |path: &str| format!("http://{}/debug/pprof/{path}", server.local_addr());
    let dir = tmp_dir("endpoint-clients-waits");
    let lock = Arc::new(tokio::sync::Mutex::new(()));
    let held = runtime.block_on(lock.clone().lock_owned());
    let _in_runtime = runtime.enter();
    async fn waits_for_the_till(till: Arc<tokio::sync::Mutex<()>>) {
        drop(till.lock().await);
    }
    let waiter = taskscope::Scope::new("POST /pay").spawn(waits_for_the_till(lock));

    for name in ["block", "mutex"] {
        let url = url(name);
        let until = Instant::now() + Duration::from_secs(30);
        let top = loop {
            let top = go_tool_pprof_ok(&["-top", "-cum", &url], &dir);
            if top.contains("waits_for_the_till") || Instant::now() > until {
                break top;
            }
        };
        assert!(top.contains("Type: delay"), "{top}");
        assert!(top.contains("waits_for_the_till"), "{top}");
        let raw = go_tool_pprof_ok(&["-raw", &url], &dir);
        assert!(raw.contains("contentions/count delay/nanoseconds"), "{raw}");
        assert!(raw.contains("PeriodType: contentions count"), "{raw}");
        let tags = go_tool_pprof_ok(&["-tags", &url], &dir);
        assert!(
            tags.contains("POST /pay") && tags.contains("mutex lock"),
            "{tags}"
        );
    }

    let pages = free_port();
    let go = Command::new("go")
        .args([
            "tool",
            "pprof",
            "-no_browser",
            &format!("-http={pages}"),
            &url("mutex"),
        ])
        .env("PPROF_TMPDIR", &dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("this test needs the real `go tool pprof` (Debian: apt-get install golang-go)");
    let _go = Group(go);
    let until = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(pages).is_err() {
        assert!(Instant::now() < until, "go's own server has not started");
        thread::sleep(Duration::from_millis(20));
    }
    for page in ["top", "flamegraph", "peek"] {
        let answer = get(pages, &format!("/ui/{page}"));
        assert_eq!(answer.status, 200, "{page}");
        assert!(
            answer.text().contains("waits_for_the_till"),
            "{page}: {}",
            answer.text()
        );
    }
    drop(held);
    runtime.block_on(waiter).unwrap();
}
