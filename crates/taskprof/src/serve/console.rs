//! The console beside the pages, if the feature `console` is on; without it, stand-ins of size
//! zero.
//!
//! Not here: the console itself (`crate::console`).

use std::io;

use axum::Router;

#[cfg(feature = "console")]
use crate::console::{self, Console};

/// The console before the server starts.
#[derive(Debug, Default)]
pub(super) struct ConsoleService {
    #[cfg(feature = "console")]
    pub(super) console: Option<Console>,
}

/// The console while the server runs. Dropping it ends what was started, without waiting.
#[derive(Debug, Default)]
pub(super) struct RunningConsole {
    #[cfg(feature = "console")]
    console: Option<console::Running>,
}

/// Runs the server's own work apart from what the console observes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unobserved {
    #[cfg(feature = "console")]
    has_console: bool,
}

#[cfg(not(feature = "console"))]
impl ConsoleService {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        Ok(())
    }

    pub(super) fn start(self) -> io::Result<(RunningConsole, Router)> {
        Ok((RunningConsole::default(), Router::new()))
    }
}

#[cfg(not(feature = "console"))]
impl RunningConsole {
    pub(super) fn unobserved(&self) -> Unobserved {
        Unobserved {}
    }

    pub(super) fn shutdown(self) {}
}

#[cfg(feature = "console")]
impl ConsoleService {
    /// Checks whether tasks would be shown; the error says why not.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        self.console.as_ref().map_or(Ok(()), Console::check)
    }

    pub(super) fn start(self) -> io::Result<(RunningConsole, Router)> {
        let Some(console) = self.console else {
            return Ok((RunningConsole::default(), Router::new()));
        };
        let (running, routes) = console::Running::start(console, crate::thread::spawn)
            .map_err(|e| super::explain(&e, "taskprof cannot start the thread of its console"))?;
        let started = RunningConsole {
            console: Some(running),
        };
        Ok((started, routes))
    }
}

#[cfg(feature = "console")]
impl RunningConsole {
    /// gRPC is spoken over HTTP/2 only.
    pub(super) fn needs_http2(&self) -> bool {
        self.console.is_some()
    }

    pub(super) fn unobserved(&self) -> Unobserved {
        Unobserved {
            has_console: self.console.is_some(),
        }
    }

    /// Ends it and waits.
    pub(super) fn shutdown(self) {
        if let Some(console) = self.console {
            console.shutdown();
        }
    }
}

impl Unobserved {
    /// To tokio every channel and every task is a span: made here, it would be shown among the
    /// application's, and would keep its subscriber.
    pub(super) fn run<T>(self, run: impl FnOnce() -> T) -> T {
        #[cfg(feature = "console")]
        if self.has_console {
            return console::unseen(run);
        }
        run()
    }
}
