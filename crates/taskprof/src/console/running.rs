//! The thread of the console: sums events up and makes updates, so that neither ever delays a page.

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

use super::{Console, routes};

/// The thread. Dropping it tells the thread to end, and does not wait.
#[derive(Debug)]
pub(crate) struct Running {
    /// Dropping the sender is the signal.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts the thread, and gives the routes that lead to it.
    pub(crate) fn start(console: Console) -> io::Result<(Self, Router)> {
        let ServerParts {
            instrument_server,
            aggregator,
            ..
        } = console.server.into_parts();
        let (ready_tx, ready) = mpsc::channel();
        let thread = crate::thread::spawn("taskprof-console", move || {
            unseen(|| run(aggregator.run(), &ready_tx));
        })?;
        match ready.recv() {
            Ok(started) => {
                let (runtime, stop) = started?;
                let running = Running {
                    stop: Some(stop),
                    thread: Some(thread),
                };
                Ok((running, routes(instrument_server, runtime)))
            }
            Err(mpsc::RecvError) => Err(io::Error::other(
                "the thread taskprof-console panicked while starting; its message is on standard error",
            )),
        }
    }

    /// Stops the thread and waits for it; what it is making right now is finished.
    pub(crate) fn shutdown(mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed; there is nothing left to stop.
            let _ = thread.join();
        }
    }
}

/// Where requests are answered, and what ends the thread.
///
/// Made on the thread itself: to tokio a channel is a resource, with a span that would keep the layer of the thread that makes it.
type Ready = io::Result<(Handle, oneshot::Sender<()>)>;

/// The whole life of the thread.
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
    // Dropping the runtime drops its tasks: the aggregator with all it knows, and answers that are under way.
}

fn serve(
    runtime: &Runtime,
    aggregate: impl Future<Output = ()> + Send + 'static,
    ready: &mpsc::Sender<Ready>,
) {
    let (stop, stopped) = oneshot::channel();
    // It ends by itself when the layer is dropped. Requests are answered all the same, with a status that says so.
    runtime.spawn(aggregate);
    let _ = ready.send(Ok((runtime.handle().clone(), stop)));
    // Both outcomes mean the same: told to stop, or the `Running` is gone.
    let _ = runtime.block_on(stopped);
}

/// Runs something that no subscriber sees on this thread: a console that shows itself has always something new to show.
///
/// A subscriber that wants nothing, and one that `tracing` knows of, unlike `Dispatch::none()`: whether anybody wants a kind of span is asked when it is made
/// for the first time. If there is only one subscriber in all, then it is the thread's that is asked; that would be nobody here, and tokio's spawns would be
/// unseen everywhere, for ever.
pub(crate) fn unseen<T>(run: impl FnOnce() -> T) -> T {
    static NOBODY: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));
    with_default(&NOBODY, run)
}
