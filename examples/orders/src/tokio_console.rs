//! `--console`: tokio-console on the port of the profiles, in a build that can.

use std::io;

use taskprof::ServerBuilder;

/// Installs the layer, and mounts its service.
#[cfg(feature = "console")]
pub(crate) fn mount(server: ServerBuilder) -> io::Result<ServerBuilder> {
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;

    let (layer, console) = taskprof::console::layer().map_err(|error| cannot(&error))?;
    tracing_subscriber::registry()
        .with(layer)
        .try_init()
        .map_err(|error| cannot(&error))?;
    Ok(server.console(console))
}

#[cfg(not(feature = "console"))]
pub(crate) fn mount(_: ServerBuilder) -> io::Result<ServerBuilder> {
    Err(cannot(
        &"this program was built without its feature `console`; build it with RUSTFLAGS=\"--cfg tokio_unstable\" and --features console",
    ))
}

fn cannot(why: &dyn std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("no --console: {why}"))
}
