//! An application that shuts down while its clients wait for captures. A process of its own, because all captures of the process end.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use testkit::until_yielding;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// As the system calls it.
const SAMPLES: &str = "taskprof-cpu";

fn is_sampling() -> bool {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok())
        .any(|name| name.trim_end() == SAMPLES)
}

#[tokio::test]
async fn a_graceful_shutdown_waits_for_captures_unless_they_are_ended() {
    let app = axum::Router::new().nest("/debug/profile", taskprof::router());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (terminate, terminated) = oneshot::channel::<()>();
    let served = axum::serve(listener, app).with_graceful_shutdown(async {
        let _ = terminated.await;
    });
    let mut served = pin!(tokio::spawn(served.into_future()));

    let mut clients = Vec::new();
    for (path, accept) in [
        ("cpu?seconds=300", "*/*"),
        ("profile?seconds=300", "*/*"),
        ("goroutine?seconds=300", "*/*"),
        ("tasks?seconds=300", "*/*"),
        ("cpu?seconds=300", "text/html"),
    ] {
        let mut client = TcpStream::connect(addr).await.unwrap();
        let request = format!(
            "GET /debug/profile/{path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
        );
        client.write_all(request.as_bytes()).await.unwrap();
        clients.push((path, accept, client));
    }
    until_yielding(is_sampling).await;
    // The page for a browser has begun when its head is there: so the others have been asked for, too.
    let mut begun = [0; 12];
    let (_, _, page) = clients.last_mut().unwrap();
    page.read_exact(&mut begun).await.unwrap();
    assert_eq!(begun, *b"HTTP/1.1 200");

    terminate.send(()).unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    poll_fn(|cx| {
        assert!(
            served.as_mut().poll(cx).is_pending(),
            "the server waits for them"
        );
        Poll::Ready(())
    })
    .await;

    taskprof::end_captures();
    served.await.unwrap().unwrap();
    for (path, accept, mut client) in clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.contains("the captures of this process were ended"),
            "{path}: {answer}"
        );
        if accept == "*/*" {
            assert!(answer.starts_with("HTTP/1.1 503 "), "{path}: {answer}");
            assert!(
                answer.to_ascii_lowercase().contains("\r\nretry-after: "),
                "{answer}"
            );
        }
    }
    until_yielding(|| !is_sampling()).await;
}
