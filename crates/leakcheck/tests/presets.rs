//! Known pools, each with the real crate: without its preset the check fails, with it it passes,
//! and a leak beside it is still found.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use leakcheck::Options;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::runtime::Builder;

/// Runs it on a runtime of each kind: one whose tasks can only be counted, and, where tokio has the
/// hooks, one that is observed.
fn on_each_runtime<F: Future>(test: impl Fn() -> F) {
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    builder.build().unwrap().block_on(test());
    #[cfg(tokio_unstable)]
    {
        taskscope::observe(&mut builder);
        builder.build().unwrap().block_on(test());
    }
}

fn hasty() -> Options {
    Options::new().settle(Duration::from_millis(50))
}

/// How many tasks are left in spite of these options.
async fn left(options: Options) -> usize {
    let Err(leaks) = leakcheck::check_with(options).await else {
        return 0;
    };
    assert_ne!(leaks.count(), 0, "{leaks}");
    leaks.count()
}

/// Checks that without the preset this many tasks are left, with it none, and of a leak beside them
/// the leak.
async fn assert_covers(tasks: usize, preset: impl Fn(Options) -> Options) {
    assert_eq!(left(hasty()).await, tasks);
    assert_eq!(left(preset(Options::new()).deny_unused()).await, 0);
    let leak = taskscope::spawn(std::future::pending::<()>());
    assert_eq!(left(preset(hasty())).await, 1);
    leak.abort();
    let leak = tokio::spawn(std::future::pending::<()>());
    assert_eq!(left(preset(hasty())).await, 1);
    leak.abort();
    assert_eq!(left(preset(Options::new())).await, 0);
}

/// A server that needs no task: it answers every request, and keeps every connection open.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            std::thread::spawn(move || {
                let mut request = Vec::new();
                let mut buffer = [0; 1024];
                while let Ok(read @ 1..) = client.read(&mut buffer) {
                    request.extend_from_slice(&buffer[..read]);
                    if request.ends_with(b"\r\n\r\n") {
                        request.clear();
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                        client.write_all(answer).unwrap();
                    }
                }
            });
        }
    });
    address
}

#[test]
fn connections_of_hyper_utils_client() {
    on_each_runtime(async || {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<&[u8]>>();
        for _ in 0..2 {
            let url = format!("http://{}/", server()).parse().unwrap();
            let answer = client.get(url).await.unwrap();
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "ok");
        }
        assert_covers(2, |options| options.keep_hyper_connections(2)).await;
        assert_eq!(left(hasty().keep_hyper_connections(1)).await, 1);
        // The control: without the client there is nothing that would have to be kept.
        drop(client);
        assert_eq!(left(Options::new()).await, 0);
    });
}

#[test]
fn connections_of_reqwests_client() {
    on_each_runtime(async || {
        let client = reqwest::Client::new();
        for _ in 0..2 {
            let answer = client
                .get(format!("http://{}/", server()))
                .send()
                .await
                .unwrap();
            assert_eq!(answer.text().await.unwrap(), "ok");
        }
        assert_covers(3, |options| options.keep_reqwest_connections(2)).await;
        assert_eq!(left(hasty().keep_reqwest_connections(1)).await, 1);
        drop(client);
        assert_eq!(left(Options::new()).await, 0);
    });
}

struct Manager;

impl bb8::ManageConnection for Manager {
    type Connection = u32;
    type Error = Infallible;

    async fn connect(&self) -> Result<u32, Infallible> {
        Ok(7)
    }

    async fn is_valid(&self, _: &mut u32) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut u32) -> bool {
        false
    }
}

#[test]
fn reapers_of_bb8() {
    on_each_runtime(async || {
        let pool = bb8::Pool::builder().build(Manager).await.unwrap();
        assert_eq!(*pool.get().await.unwrap(), 7);
        assert_covers(1, |options| options.keep_bb8_reapers(1)).await;
        // It stays for a while, which is why dropping the pool does not help.
        drop(pool);
        assert_covers(1, |options| options.keep_bb8_reapers(1)).await;
        // The control: a pool that never closes what is old has no reaper.
        let pools = bb8::Pool::builder().max_lifetime(None).idle_timeout(None);
        let pool = pools.build(Manager).await.unwrap();
        assert_eq!(*pool.get().await.unwrap(), 7);
        assert_eq!(left(hasty().keep_bb8_reapers(1)).await, 0);
    });
}

impl deadpool::managed::Manager for Manager {
    type Type = u32;
    type Error = Infallible;

    async fn create(&self) -> Result<u32, Infallible> {
        Ok(7)
    }

    async fn recycle(
        &self,
        _: &mut u32,
        _: &deadpool::managed::Metrics,
    ) -> deadpool::managed::RecycleResult<Infallible> {
        Ok(())
    }
}

async fn reap(pool: deadpool::managed::Pool<Manager>) {
    loop {
        tokio::time::sleep(Duration::from_secs(30)).await;
        let _ = pool.retain(|_, metrics| metrics.last_used() < Duration::from_secs(60));
    }
}

/// A pool without a server: nobody asks it for a connection, so it makes none, and has its reaper
/// all the same.
fn lazy(options: PgPoolOptions) -> PgPool {
    options.connect_lazy_with(PgConnectOptions::new().host("127.0.0.1"))
}

#[test]
fn reapers_of_sqlx() {
    on_each_runtime(async || {
        let pool = lazy(PgPoolOptions::new());
        assert_covers(1, |options| options.keep_sqlx_reapers(1)).await;
        let second = lazy(PgPoolOptions::new().max_lifetime(None));
        assert_covers(2, |options| options.keep_sqlx_reapers(2)).await;
        assert_eq!(left(hasty().keep_sqlx_reapers(1)).await, 1);
        // The controls: a reaper ends with the last handle, and when the pool is closed, although
        // there are handles then.
        let handle = second.clone();
        drop(second);
        assert_eq!(left(hasty()).await, 2);
        drop(handle);
        assert_eq!(left(hasty()).await, 1);
        let handle = pool.clone();
        pool.close().await;
        assert_eq!(left(Options::new()).await, 0);
        assert!(handle.is_closed());
        // A pool that never closes what is old has none.
        let _pool = lazy(PgPoolOptions::new().max_lifetime(None).idle_timeout(None));
        assert_eq!(left(Options::new()).await, 0);
    });
}

/// There is no preset for it, because there is nothing to leave out.
#[test]
fn deadpool_has_no_task_of_its_own() {
    on_each_runtime(async || {
        let pool = deadpool::managed::Pool::<Manager>::builder(Manager)
            .build()
            .unwrap();
        drop((pool.get().await.unwrap(), pool.get().await.unwrap()));
        assert_eq!(left(Options::new()).await, 0);
        // The loop that its documentation shows is the program's own, and is found unless it is
        // declared.
        let found = taskscope::spawn(reap(pool.clone()));
        assert_eq!(left(hasty()).await, 1);
        found.abort();
        let declared = taskscope::background("pool reaper", reap(pool.clone()));
        assert_eq!(left(Options::new()).await, 0);
        declared.abort();
    });
}

#[test]
fn presets_for_nothing_are_refused() {
    let presets: [fn(usize) -> Options; 4] = [
        |n| Options::new().keep_hyper_connections(n),
        |n| Options::new().keep_reqwest_connections(n),
        |n| Options::new().keep_bb8_reapers(n),
        |n| Options::new().keep_sqlx_reapers(n),
    ];
    for preset in presets {
        assert!(std::panic::catch_unwind(|| preset(0)).is_err());
        assert!(std::panic::catch_unwind(|| preset(1)).is_ok());
    }
}
