//! The patterns of production code: Go's six, and those that tokio adds, with real sockets,
//! channels, timers and scopes.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use taskscope::{CancelReason, JoinSet, Scope};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Notify, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::time::{interval, sleep, timeout};

use crate::{FOREVER, Form};

/// Values that stay alive until the check is over.
type Kept = Box<dyn Any>;

/// Go: range over a channel that is not closed, with workers.
pub(crate) async fn unclosed_channel_with_workers(form: Form) -> Kept {
    let (jobs, receiver) = mpsc::channel::<u32>(8);
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..3 {
        let receiver = receiver.clone();
        drop(taskscope::spawn(async move {
            while receiver.lock().await.recv().await.is_some() {}
        }));
    }
    for job in 0..8 {
        jobs.send(job).await.expect("there are workers");
    }
    // Somebody has a sender: a metrics hook, a global, a cache.
    let forgotten = jobs.clone();
    drop(jobs);
    if form.is_fixed() {
        drop(forgotten);
        return Box::new(());
    }
    Box::new(forgotten)
}

/// Go: the same with the number of workers set to zero: it is the producer that is left.
pub(crate) async fn unclosed_channel_without_workers(form: Form) -> Kept {
    let (jobs, mut receiver) = mpsc::channel::<u32>(1);
    drop(taskscope::spawn(async move {
        for job in 0..8 {
            if jobs.send(job).await.is_err() {
                return;
            }
        }
    }));
    let workers = usize::from(form.is_fixed());
    for _ in 0..workers {
        while receiver.recv().await.is_some() {}
    }
    Box::new(receiver)
}

/// Stages that end one after the other, if the first one does.
pub(crate) async fn pipeline_with_a_forgotten_sender(form: Form) -> Kept {
    let (lines, mut read) = mpsc::channel::<String>(1);
    let (parsed, mut prices) = mpsc::channel::<u32>(1);
    let (sum, summed) = oneshot::channel();
    drop(taskscope::spawn(async move {
        while let Some(line) = read.recv().await {
            let _ = parsed.send(line.parse().unwrap_or(0)).await;
        }
    }));
    drop(taskscope::spawn(async move {
        let mut total = 0;
        while let Some(price) = prices.recv().await {
            total += price;
        }
        let _ = sum.send(total);
    }));
    for line in ["1", "2", "3"] {
        lines
            .send(line.to_owned())
            .await
            .expect("there is a parser");
    }
    if form.is_fixed() {
        drop(lines);
        assert_eq!(summed.await, Ok(6));
        return Box::new(());
    }
    Box::new((lines, summed))
}

/// Answers each line with itself.
async fn echo(mut client: TcpStream) {
    let mut buffer = [0; 64];
    while let Ok(read @ 1..) = client.read(&mut buffer).await {
        if client.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// Asks once, and closes the connection.
async fn ask(address: std::net::SocketAddr) -> TcpStream {
    let mut client = TcpStream::connect(address).await.expect("it listens");
    client.write_all(b"ping").await.expect("it reads");
    let mut answer = [0; 4];
    client.read_exact(&mut answer).await.expect("it answers");
    assert_eq!(&answer, b"ping");
    client
}

async fn listener() -> (TcpListener, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("there is a port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

/// Go: a type whose contract is that whoever calls `start` calls `stop`.
pub(crate) async fn start_without_stop(form: Form) {
    let (listener, address) = listener().await;
    let stop = Arc::new(Notify::new());
    let stopped = stop.clone();
    let server = taskscope::spawn(async move {
        let mut handlers = JoinSet::new();
        loop {
            tokio::select! {
                Ok((client, _)) = listener.accept() => {
                    handlers.spawn(echo(client));
                }
                () = stopped.notified() => break,
            }
        }
        handlers.join_all().await;
    });
    drop(ask(address).await);
    if form.is_fixed() {
        stop.notify_one();
        server.await.expect("it ends without a panic");
    }
}

/// A connection that the client keeps open and does not use.
pub(crate) async fn handler_of_a_silent_client(form: Form) -> Kept {
    let (listener, address) = listener().await;
    let client = tokio::spawn(ask(address));
    let (accepted, _) = listener.accept().await.expect("there is a client");
    drop(taskscope::spawn(async move { echo(accepted).await }));
    let client = client.await.expect("it is answered");
    if form.is_fixed() {
        drop(client);
        return Box::new(());
    }
    Box::new(client)
}

/// Go: an error is sent, a `return` is missing, and the result is sent as well, to somebody who
/// takes one.
pub(crate) async fn double_send(form: Form) -> Kept {
    let (answer, mut answers) = mpsc::channel::<Result<u32, &str>>(1);
    drop(taskscope::spawn(async move {
        let price: Result<u32, _> = "three".parse();
        if price.is_err() {
            let _ = answer.send(Err("no price")).await;
            if form.is_fixed() {
                return;
            }
        }
        // The smallest channel of tokio has room for one, which Go's has not, so it takes one more.
        let _ = answer.send(Ok(0)).await;
        let _ = answer.send(Ok(price.unwrap_or(0))).await;
    }));
    assert!(answers.recv().await.expect("there is an answer").is_err());
    Box::new(answers)
}

/// Go: a function returns early, past the line that would have ended what it started.
pub(crate) async fn early_return(form: Form) {
    async fn order(form: Form) -> Result<u32, std::num::ParseIntError> {
        let heartbeat = early_return_heartbeat();
        let price = "three".parse::<u32>();
        if form.is_fixed() {
            heartbeat.abort();
            return price;
        }
        let price = price?;
        heartbeat.abort();
        Ok(price)
    }
    assert!(order(form).await.is_err());
}

fn early_return_heartbeat() -> taskscope::JoinHandle<()> {
    taskscope::spawn(async {
        let mut ticks = interval(Duration::from_secs(10));
        loop {
            ticks.tick().await;
        }
    })
}

/// Go: several are asked, and the first answer wins. Nobody ends the others.
pub(crate) async fn n_cast(form: Form) -> Kept {
    async fn first_byte(address: std::net::SocketAddr) -> u8 {
        let mut replica = TcpStream::connect(address).await.expect("it listens");
        replica.read_u8().await.unwrap_or(0)
    }
    let (listener, address) = listener().await;
    let (answer, mut answers) = mpsc::channel(3);
    let mut asked = JoinSet::new();
    for _ in 0..3 {
        let answer = answer.clone();
        let ask = async move {
            let _ = answer.send(first_byte(address).await).await;
        };
        if form.is_fixed() {
            asked.spawn(ask);
        } else {
            drop(taskscope::spawn(ask));
        }
    }
    let mut replicas = Vec::new();
    for _ in 0..3 {
        replicas.push(listener.accept().await.expect("there is a client").0);
    }
    replicas[0].write_u8(7).await.expect("it reads");
    assert_eq!(answers.recv().await, Some(7));
    asked.shutdown().await;
    Box::new(replicas)
}

/// Each subscriber can publish, so the channel stays open for the others.
pub(crate) async fn broadcast_fan_out(form: Form) {
    let (publish, mut first) = broadcast::channel::<u32>(8);
    for _ in 0..3 {
        let mut updates = publish.subscribe();
        let publish = (!form.is_fixed()).then(|| publish.clone());
        drop(taskscope::spawn(async move {
            while let Ok(update) = updates.recv().await {
                if update == 0 {
                    let _ = publish.as_ref().map(|publish| publish.send(1));
                }
            }
        }));
    }
    publish.send(0).expect("there are subscribers");
    assert_eq!(first.recv().await, Ok(0));
}

/// Go: the caller has gone after a timeout, and what it waited for has not: a handle that is
/// dropped ends nothing.
pub(crate) async fn timeout_around_a_spawned_task(form: Form) -> Kept {
    let (reply, replied) = oneshot::channel::<u32>();
    let mut call = taskscope::spawn(async move { replied.await.unwrap_or(0) });
    assert!(timeout(Duration::from_millis(1), &mut call).await.is_err());
    if form.is_fixed() {
        call.abort();
    }
    Box::new(reply)
}

/// A pool of connections, one of which was lost with an error.
pub(crate) async fn permit_that_is_not_given_back(form: Form) {
    let pool = Arc::new(Semaphore::new(1));
    let lost = pool
        .clone()
        .acquire_owned()
        .await
        .expect("the pool is open");
    if form.is_fixed() {
        drop(lost);
    } else {
        lost.forget();
    }
    drop(taskscope::spawn(async move {
        let connection = pool.acquire().await;
        drop(connection);
    }));
}

/// A task that waits for another one that never ends does not end either.
pub(crate) async fn join_of_a_task_that_never_ends(form: Form) -> Kept {
    let (configure, mut configured) = watch::channel(0);
    let watcher = taskscope::spawn(async move { while configured.changed().await.is_ok() {} });
    drop(taskscope::spawn(async move {
        let _ = watcher.await;
    }));
    if form.is_fixed() {
        drop(configure);
        return Box::new(());
    }
    Box::new(configure)
}

/// Go: a context is cancelled, and the task does not look at it.
pub(crate) async fn context_that_nobody_looks_at(form: Form) -> Kept {
    let (reply, replied) = oneshot::channel::<u32>();
    let request = Scope::new("GET /prices");
    let token = request.token();
    drop(request.spawn(async move {
        if form.is_fixed() {
            let _ = token.run_until_cancelled(replied).await;
        } else {
            let _ = replied.await;
        }
    }));
    tokio::task::yield_now().await;
    request.cancel(CancelReason::Explicit);
    Box::new((reply, request))
}

/// It sees the cancellation, and then waits for somebody to confirm it.
pub(crate) async fn cleanup_that_does_not_end(form: Form) -> Kept {
    let (confirm, confirmed) = oneshot::channel::<()>();
    let request = Scope::new("GET /prices");
    let token = request.token();
    drop(request.spawn(async move {
        token.cancelled().await;
        if !form.is_fixed() {
            let _ = confirmed.await;
        }
    }));
    tokio::task::yield_now().await;
    request.cancel(CancelReason::Explicit);
    Box::new((confirm, request))
}

/// The request has been answered; what it started goes on.
pub(crate) async fn request_that_outlives_its_scope(form: Form) {
    let request = Scope::new("POST /orders");
    let retry = request.spawn(async { sleep(FOREVER).await });
    if form.is_fixed() {
        retry.abort();
    }
    drop(request);
}
