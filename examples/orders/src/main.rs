//! The demo service: a shop that leaks tasks, its profiles on a second port, and a load to make
//! both worth looking at.
#![forbid(unsafe_code)]

mod console;
mod load;
mod tokio_console;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use orders::{Client, Mode};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::load::Plan;

/// How long requests that are under way at the end may take.
const GRACE: Duration = Duration::from_secs(2);

/// A demo shop over HTTP that leaks tasks, with its profiles on a second port.
#[derive(Debug, Parser)]
#[command(name = "orders", args_override_self = true)]
struct Flags {
    /// Where the shop listens; port 0 takes a free one.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:3000")]
    addr: SocketAddr,

    /// Where the profiles are; a loopback address, port 0 takes a free one.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:6060")]
    profile_addr: SocketAddr,

    /// The same routes without the mistakes.
    #[arg(long)]
    fixed: bool,

    /// Answer tokio-console where the profiles are; in a build with the feature `console` and
    /// `--cfg tokio_unstable`.
    #[arg(long)]
    console: bool,

    /// Requests a second that the service sends to itself over loopback, 1 to 10000.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    load: Option<u32>,

    /// How long the load lasts, 1 to 86400; afterwards the service goes on serving.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
}

fn main() -> ExitCode {
    match run(&Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(flags: &Flags) -> io::Result<()> {
    let listener = listen(flags.addr)?;
    let mut server = taskprof::server();
    if flags.console {
        // Before there is a runtime: tasks that are older than the layer are not shown.
        server = tokio_console::mount(server)?;
    }
    let profiles = server
        .bind(flags.profile_addr)
        .map_err(|error| explain(&error, "--profile-addr", flags.profile_addr))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .name("orders")
        .thread_name("orders-worker")
        .build()?;
    let result = runtime.block_on(serve(flags, listener, profiles.local_addr()));
    // Drops every task, also those that would never have ended.
    runtime.shutdown_timeout(GRACE);
    profiles.shutdown();
    result
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(addr).map_err(|error| explain(&error, "--addr", addr))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn explain(error: &io::Error, flag: &str, addr: SocketAddr) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot listen on {addr}, choose another address with {flag}: {error}"),
    )
}

/// Serves until a signal asks the process to end.
async fn serve(flags: &Flags, listener: TcpListener, profiles: SocketAddr) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let addr = listener.local_addr()?;
    let mode = if flags.fixed {
        Mode::Fixed
    } else {
        Mode::Leaky
    };
    // Before the first line on the console: who has read that may send a signal.
    let (interrupt, terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let stop = CancellationToken::new();
    let server = axum::serve(listener, orders::router(mode))
        .with_graceful_shutdown(stop.clone().cancelled_owned());
    let server = taskscope::background("http-server", async move { server.await });
    console::announce(mode, addr, profiles, flags.console);

    if let Some(rate) = flags.load {
        let plan = Plan {
            rate,
            seconds: flags.seconds,
        };
        let load = load::run(Client::new(addr), plan, stop.clone());
        drop(taskscope::background("load", load));
    }

    until_asked_to_end(interrupt, terminate).await;
    console::say(format_args!("stopping"));
    stop.cancel();
    match tokio::time::timeout(GRACE, server).await {
        Ok(Ok(result)) => result,
        Ok(Err(panicked)) => Err(io::Error::other(panicked)),
        // A client without an answer by now is not going to get one.
        Err(_) => Ok(()),
    }
}

async fn until_asked_to_end(mut interrupt: Signal, mut terminate: Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
