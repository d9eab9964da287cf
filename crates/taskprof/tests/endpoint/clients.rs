//! The real `go tool pprof` on live addresses.

use crate::busy::Busy;
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
