//! The profiles answer while every worker of the service is in a `std::sync::Mutex`.

use std::future::pending;
use std::sync::{Arc, Barrier, Mutex};

use taskscope_tests::get;

/// The lock that everybody waits for, with a name that can be found in a stack.
fn wait_for_the_ledger(ledger: &Mutex<()>, entered: &Barrier) {
    entered.wait();
    drop(ledger.lock().unwrap());
}

#[test]
fn index_tasks_and_cpu_answer_while_every_worker_is_blocked() {
    let service = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("service-worker")
        .enable_all()
        .build()
        .unwrap();
    let server = {
        let _inside = service.enter();
        taskprof::serve("127.0.0.1:0").unwrap()
    };
    let address = server.local_addr();

    let ledger = Arc::new(Mutex::new(()));
    let entered = Arc::new(Barrier::new(3));
    let held = ledger.lock().unwrap();
    for _ in 0..2 {
        let (ledger, entered) = (ledger.clone(), entered.clone());
        let _inside = service.enter();
        drop(taskscope::spawn_named("posting", async move {
            wait_for_the_ledger(&ledger, &entered);
        }));
    }
    entered.wait();
    // Neither of these can be polled any more.
    {
        let _inside = service.enter();
        drop(taskscope::spawn_named("queued", pending::<()>()));
        drop(tokio::spawn(pending::<()>()));
    }

    let index = get(address, "/debug/profile");
    assert_eq!(index.status, 200);
    assert!(index.text().contains("multi_thread"), "{}", index.text());

    let tasks = get(address, "/debug/profile/tasks?debug=2");
    assert_eq!(tasks.status, 200);
    let text = tasks.text();
    assert!(text.starts_with("tasks: 3 tracked, 1 untracked;"), "{text}");
    assert_eq!(
        text.matches("\"posting\" [running on thread service-worker (")
            .count(),
        2,
        "{text}"
    );
    assert!(text.contains("\"queued\" [scheduled]"), "{text}");
    assert!(
        text.contains("2 of 3 tasks without a stack: being polled"),
        "{text}"
    );

    // Nothing uses CPU time, and the answer says so; a second is what was asked for.
    let cpu = get(address, "/debug/profile/cpu?seconds=1&format=folded");
    assert_eq!(cpu.status, 200);

    // The control: let go, and the service works and is captured again.
    drop(held);
    service.block_on(async {
        while taskscope::DumpOptions::new()
            .stacks(taskscope::Stacks::None)
            .capture_blocking()
            .tasks
            .len()
            > 1
        {
            tokio::task::yield_now().await;
        }
    });
    let after = get(address, "/debug/profile/tasks?debug=2");
    assert!(
        after
            .text()
            .contains("\"queued\" [idle]: stuck, waiting for nothing"),
        "{}",
        after.text()
    );
}
