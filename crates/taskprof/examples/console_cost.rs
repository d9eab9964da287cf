//! Measures the cost of the feature `console`: one measurement in this process, printed as one
//! number. `scripts/console-cost` runs all of them in turn.
//!
//! ```text
//! console_cost spawn|self-wake|idle  bare|taskscope  none|layer|client  N
//! ```
//!
//! `spawn` and `self-wake`: nanoseconds of processor time of the whole process for each of N tasks,
//! or polls. `idle`: bytes of resident memory for each of N tasks.
//! `layer` and `client` need a build with the feature and `--cfg tokio_unstable`; the client is a
//! process of its own, so that its time is not counted.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that is run by hand"
)]

use std::future::{pending, poll_fn};
use std::task::Poll;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

const BATCH: u64 = 1000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["attend", address] => attend(address),
        [what, variant, console, n] => {
            let _console = Console::start(console);
            let n = n.parse().unwrap();
            let runtime = runtime();
            let result = match variant {
                "bare" => runtime.block_on(measure(what, n, tokio::spawn)),
                "taskscope" => runtime.block_on(measure(what, n, taskscope::spawn)),
                other => panic!("no variant {other}"),
            };
            println!("{result:.1}");
        }
        _ => panic!("spawn|self-wake|idle bare|taskscope none|layer|client N"),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

async fn measure<J>(what: &str, n: u64, spawn: impl Fn(Task) -> J + Copy + Send + 'static) -> f64
where
    J: Future + Send + 'static,
{
    match what {
        "spawn" => {
            // From within a task, as services do; the first ones are the warm-up.
            let run = |n| spawn(Box::pin(batches(n, spawn)));
            run(4 * BATCH).await;
            per(n, async move { drop(run(n).await) }).await
        }
        "self-wake" => {
            spawn(Box::pin(wake_self(4 * BATCH))).await;
            per(n, async move { drop(spawn(Box::pin(wake_self(n))).await) }).await
        }
        "idle" => {
            drop(spawn(Box::pin(pending())));
            settle().await;
            let before = resident();
            for _ in 0..n {
                drop(spawn(Box::pin(pending())));
            }
            settle().await;
            (resident() - before) / n as f64
        }
        other => panic!("no workload {other}"),
    }
}

/// Boxed, so that all have the same size.
type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

async fn batches<J: Future + Send>(n: u64, spawn: impl Fn(Task) -> J) {
    for _ in 0..n / BATCH {
        let batch: Vec<J> = (0..BATCH).map(|_| spawn(Box::pin(async {}))).collect();
        for task in batch {
            task.await;
        }
    }
}

async fn wake_self(mut n: u64) {
    poll_fn(|cx| {
        n -= 1;
        if n == 0 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn per(n: u64, work: impl Future<Output = ()>) -> f64 {
    let before = processor_time();
    work.await;
    (processor_time() - before).as_nanos() as f64 / n as f64
}

/// Waits for longer than the console does before it sums up and sends.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(3)).await;
}

fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kilobytes.parse::<f64>().unwrap() * 1024.0
}

/// The console's server and client, which are kept while something is measured.
struct Console {
    #[cfg(feature = "console")]
    _server: Option<taskprof::Server>,
    client: Option<std::process::Child>,
}

impl Console {
    #[cfg(not(feature = "console"))]
    fn start(how: &str) -> Self {
        assert_eq!(how, "none", "this needs the feature `console`");
        Console { client: None }
    }

    #[cfg(feature = "console")]
    fn start(how: &str) -> Self {
        use tracing_subscriber::layer::SubscriberExt as _;

        if how == "none" {
            let (_server, client) = (None, None);
            return Console { _server, client };
        }
        let (layer, console) = taskprof::console::layer().unwrap();
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::set_global_default(subscriber).unwrap();
        let server = taskprof::server().console(console).bind("127.0.0.1:0");
        let server = server.unwrap();
        let client = match how {
            "layer" => None,
            "client" => Some(attached(&server.local_addr().to_string())),
            other => panic!("no console {other}"),
        };
        Console {
            _server: Some(server),
            client,
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        if let Some(client) = &mut self.client {
            // Fails if it has ended, which is just as well.
            let _ = client.kill();
            let _ = client.wait();
        }
    }
}

/// A client that has got its first update.
#[cfg(feature = "console")]
fn attached(address: &str) -> std::process::Child {
    use std::io::BufRead as _;

    let mut client = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["attend", address])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let said = client.stdout.take().unwrap();
    std::io::BufReader::new(said).read_line(&mut line).unwrap();
    assert_eq!(line, "attached\n");
    client
}

/// Takes updates until it is killed, as tokio-console does.
fn attend(address: &str) {
    runtime().block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let uri = format!("http://{address}/rs.tokio.console.instrument.Instrument/WatchUpdates");
        let request = axum::http::Request::post(uri).header("content-type", "application/grpc");
        let mut client = client.ready().await.unwrap();
        let (response, mut body) = client
            .send_request(request.body(()).unwrap(), false)
            .unwrap();
        // A message of no bytes, as gRPC frames it.
        body.send_data(axum::body::Bytes::from_static(&[0; 5]), true)
            .unwrap();
        let mut updates = response.await.unwrap().into_body();
        let mut first = true;
        while let Some(piece) = updates.data().await {
            let piece = piece.unwrap();
            updates
                .flow_control()
                .release_capacity(piece.len())
                .unwrap();
            if std::mem::take(&mut first) {
                println!("attached");
            }
        }
    });
}
