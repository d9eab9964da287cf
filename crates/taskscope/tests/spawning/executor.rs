//! Tasks that hyper spawns: the requests of an HTTP/2 server, and the connections of a client.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use taskscope::{Builder, Scope, TaskExecutor};
use tokio::net::TcpListener;
use tokio::runtime;

use crate::support::{dumped, named};

fn with_io() -> runtime::Runtime {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

async fn never(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    pending().await
}

/// A server of one connection that answers nothing, and a client whose request waits. The
/// expressions are the executors.
macro_rules! exchange {
    ($server:expr, $client:expr) => {{
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at: SocketAddr = listener.local_addr().unwrap();
        let server = auto::Builder::new($server);
        let connection = Builder::new().name("server connection").spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let io = TokioIo::new(stream);
            let served = server.serve_connection(io, service_fn(never)).await;
            drop(served);
        });
        let client: Client<_, Full<Bytes>> = Client::builder($client).http2_only(true).build_http();
        let uri = format!("http://{at}/").parse().unwrap();
        let request = tokio::spawn(client.get(uri));
        (connection, request, client)
    }};
}

#[test]
fn requests_and_connections_of_hyper_have_records_with_name_and_site() {
    let runtime = with_io();
    runtime.block_on(async {
        let line = line!() + 1;
        let requests = TaskExecutor::new("request");
        let connections = Builder::new().name("client connection").background();
        let connections = connections.label("to", "upstream").executor();
        let scope = Scope::new("caller");
        let (connection, waiting, client) =
            scope.run(async { exchange!(requests, connections) }).await;
        while named("request").is_none_or(|task| task.polls == 0) {
            tokio::task::yield_now().await;
        }

        let request = named("request").unwrap();
        assert_eq!((request.site.file(), request.site.line()), (file!(), line));
        assert_eq!(
            request.parent.map(|id| id.to_string()),
            Some(connection.id().to_string())
        );
        assert_eq!(request.scope, Some(scope.to_ref().into()));
        let driver = named("client connection").unwrap();
        assert_eq!(
            (driver.site.file(), driver.site.line()),
            (file!(), line + 2)
        );
        assert!(request.future.starts_with("hyper"), "{}", request.future);
        assert!(driver.background && driver.scope.is_none());
        assert_eq!(
            (&*driver.labels[0].0, &*driver.labels[0].1),
            ("to", "upstream")
        );
        let clone = TaskExecutor::new("clone");
        assert!(format!("{:?}", clone.clone()).contains("clone"));

        waiting.abort();
        drop(client);
        connection.abort();
        let _ = connection.await;
        while named("request").is_some() || named("client connection").is_some() {
            tokio::task::yield_now().await;
        }
    });
}

/// The control: with hyper's own executor there is nothing to see but a count.
#[test]
fn with_the_executor_of_hyper_itself_they_have_none() {
    let runtime = with_io();
    runtime.block_on(async {
        let (_connection, _waiting, _client) =
            exchange!(TokioExecutor::new(), TokioExecutor::new());
        let here = runtime::Handle::current().id();
        let untracked = || {
            let dump = dumped();
            let mut runtimes = dump.runtimes.into_iter();
            runtimes.find(|known| known.id == here).unwrap().untracked
        };
        // The caller's task, the client's connection and the server's request.
        while untracked() < 3 {
            tokio::task::yield_now().await;
        }
        let hypers = dumped().tasks.into_iter().filter(|task| {
            task.future.starts_with("hyper") && task.runtime.to_string() == here.to_string()
        });
        assert_eq!(hypers.count(), 0);
    });
}
