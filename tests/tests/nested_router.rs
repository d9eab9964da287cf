//! The router inside an application, on the application's own runtime.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use taskscope_tests::{Answer, get as fetch, request};
use tokio::runtime::Runtime;

async fn wait_for_the_courier() {
    tokio::time::sleep(Duration::from_secs(600)).await;
}

/// A service with its profiles nested, and one task that waits.
fn serve(runtime: &Runtime) -> SocketAddr {
    runtime.block_on(async {
        let app = Router::new()
            .route("/healthz", get(|| async { "well" }))
            .nest("/internal/profile", taskprof::router());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(taskscope::background("accept loop", async move {
            drop(axum::serve(listener, app).await);
        }));
        drop(taskscope::spawn_named("courier", wait_for_the_courier()));
        address
    })
}

/// Asks from a plain thread, while the runtime is driven here.
fn ask(runtime: &Runtime, address: SocketAddr, method: &'static str, path: &'static str) -> Answer {
    runtime.block_on(async {
        tokio::task::spawn_blocking(move || request(address, method, path))
            .await
            .unwrap()
    })
}

#[test]
fn both_runtime_flavours_show_their_tasks_from_inside() {
    let runtimes = [
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap(),
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap(),
    ];
    for runtime in runtimes {
        let address = serve(&runtime);
        let index = ask(&runtime, address, "GET", "/internal/profile");
        assert_eq!(index.status, 200);
        assert!(
            index.text().contains("href=\"./profile/page/tasks\""),
            "{}",
            index.text()
        );
        let tasks = ask(&runtime, address, "GET", "/internal/profile/tasks?debug=1");
        let text = tasks.text();
        // The other test of this process may have such a task, too.
        assert!(text.contains(": idle, waiting for sleep, for "), "{text}");
        assert!(
            text.contains("nested_router::wait_for_the_courier::{{closure}}"),
            "{text}"
        );
        assert!(text.contains("tests/nested_router.rs:"), "{text}");
        assert_eq!(ask(&runtime, address, "GET", "/healthz").text(), "well");
    }
}

#[test]
fn bad_input_is_answered_with_a_sentence_and_harms_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let address = serve(&runtime);
    for (method, path, status, sentence) in [
        ("GET", "/internal/profile/nothing", 404, "no such page"),
        ("GET", "/internal/profile/tasks/1", 404, "no such page"),
        ("POST", "/internal/profile/tasks", 405, "only GET and HEAD"),
        ("DELETE", "/internal/profile/cpu", 405, "only GET and HEAD"),
        (
            "GET",
            "/internal/profile/cpu?seconds=0",
            400,
            "parameter seconds must be a whole number from 1 to 300",
        ),
        (
            "GET",
            "/internal/profile/cpu?seconds=301",
            400,
            "from 1 to 300",
        ),
        (
            "GET",
            "/internal/profile/cpu?seconds=ten",
            400,
            "from 1 to 300",
        ),
        (
            "GET",
            "/internal/profile/cpu?format=png",
            400,
            "parameter format must be one of pprof, svg,",
        ),
        (
            "GET",
            "/internal/profile/tasks?debug=3",
            400,
            "parameter debug must be a whole number from 0 to 2",
        ),
        ("GET", "/internal/profile/tasks?debug=", 400, "from 0 to 2"),
        (
            "GET",
            "/internal/profile/tasks?format=xml",
            400,
            "parameter format must be one of pprof, svg,",
        ),
        (
            "GET",
            "/internal/profile/tasks?debug=1&format=json",
            400,
            "exclude each other",
        ),
        (
            "GET",
            "/internal/profile/tasks?verbose=1",
            400,
            "unknown parameter \"verbose\"",
        ),
        (
            "GET",
            "/internal/profile/tasks?stacks=all",
            400,
            "parameter stacks must be one of fresh, cached, none",
        ),
        ("GET", "/internal/profile?x=1", 400, "unknown parameter"),
    ] {
        let answer = request(address, method, path);
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(
            answer.text().contains(sentence),
            "{method} {path}: {}",
            answer.text()
        );
        assert_eq!(
            answer.text().lines().count(),
            1,
            "{method} {path}: {}",
            answer.text()
        );
    }
    assert_eq!(
        fetch(
            address,
            "/internal/profile/tasks?format=svg&x=1&y=2&s=courier"
        )
        .status,
        200
    );
    assert_eq!(fetch(address, "/healthz").text(), "well");
}

/// Nothing on this runtime has a record; while it answers, it is known all the same.
#[test]
fn a_router_shows_its_own_runtime_even_if_nothing_there_has_a_record() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .name("bare")
        .enable_all()
        .build()
        .unwrap();
    let address = runtime.block_on(async {
        let app = Router::new().nest("/internal/profile", taskprof::router());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        address
    });
    let index = fetch(address, "/internal/profile");
    assert!(index.text().contains(" bare</h3>"), "{}", index.text());
    let tasks = fetch(address, "/internal/profile/tasks?format=json");
    assert!(
        tasks.text().contains("\"name\": \"bare\""),
        "{}",
        tasks.text()
    );
}
