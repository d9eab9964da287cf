//! The console's thread: sums events up and makes updates, so that neither delays a page.
//!
//! Not here: how a thread is started and its priority (the caller's function), how requests reach
//! this one (`forward.rs`).

use std::io;
use std::sync::{LazyLock, mpsc};
use std::thread::JoinHandle;

use axum::Router;
use console_subscriber::ServerParts;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use tracing::Dispatch;
use tracing::dispatcher::with_default;
use tracing::subscriber::NoSubscriber;

use crate::Console;
use crate::forward::routes;

/// The name of the thread; Linux keeps 15 bytes.
const THREAD: &str = "taskprof-grpc";

/// A console that answers. Dropping it tells its thread to end, and does not wait.
#[derive(Debug)]
pub struct Running {
    /// Dropping the sender is the signal.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts the thread with `start_thread`, and makes the routes that lead to it.
    ///
    /// # Errors
    ///
    /// Fails as `start_thread` does, and if there can be no runtime.
    pub fn start(
        console: Console,
        start_thread: impl FnOnce(&str, Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>>,
    ) -> io::Result<(Self, Router)> {
        let ServerParts {
            instrument_server,
            aggregator,
            ..
        } = console.server.into_parts();
        let (ready_tx, ready) = mpsc::channel();
        let run = move || unseen(|| run(aggregator.run(), &ready_tx));
        let thread = start_thread(THREAD, Box::new(run))?;
        match ready.recv() {
            Ok(started) => {
                let (runtime, stop) = started?;
                let running = Running {
                    stop: Some(stop),
                    thread: Some(thread),
                };
                Ok((running, routes(instrument_server, runtime)))
            }
            Err(mpsc::RecvError) => Err(io::Error::other(format!(
                "the thread {THREAD} panicked while starting; its message is on standard error"
            ))),
        }
    }

    /// Stops the thread and waits for it; the update that it is making is finished first.
    pub fn shutdown(mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed; there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

/// The runtime that answers requests, and the sender that ends the thread when it is dropped.
///
/// Made on the thread itself: to tokio a channel is a resource, with a span that would keep the
/// layer of the thread that makes it.
type Ready = io::Result<(Handle, oneshot::Sender<()>)>;

/// Runs until [`Running`] is dropped.
fn run(aggregate: impl Future<Output = ()> + Send + 'static, ready: &mpsc::Sender<Ready>) {
    let runtime = match Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            // Received by `start`, which waits for it.
            let _ = ready.send(Err(e));
            return;
        }
    };
    serve(&runtime, aggregate, ready);
    // Dropping the runtime drops its tasks: the aggregator with its state, and answers that are
    // under way.
}

fn serve(
    runtime: &Runtime,
    aggregate: impl Future<Output = ()> + Send + 'static,
    ready: &mpsc::Sender<Ready>,
) {
    let (stop, stopped) = oneshot::channel();
    // It ends by itself when the layer is dropped. Requests are answered all the same, with a
    // status that says so.
    runtime.spawn(aggregate);
    let _ = ready.send(Ok((runtime.handle().clone(), stop)));
    // Both outcomes mean the same: told to stop, or the `Running` is gone.
    let _ = runtime.block_on(stopped);
}

/// Runs a closure whose spans and events no subscriber sees: a console that shows its own tasks
/// never comes to rest.
///
/// It uses a subscriber that wants nothing but that `tracing` knows of, unlike `Dispatch::none()`:
/// `tracing` asks whether a kind of span is wanted when it is made for the first time. If there is
/// only one subscriber in all, it asks that of the thread; with none there, tokio's spawns would be
/// unseen everywhere, for ever.
pub fn unseen<T>(run: impl FnOnce() -> T) -> T {
    static NOBODY: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));
    with_default(&NOBODY, run)
}
