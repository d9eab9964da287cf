//! What a server may serve beside the pages: the console, if that feature is on.

use std::io;

use axum::Router;

#[cfg(feature = "console")]
use crate::console::{self, Console};
#[cfg(feature = "console")]
use crate::thread;

/// Before the server starts.
#[derive(Debug, Default)]
pub(super) struct Beside {
    #[cfg(feature = "console")]
    pub(super) console: Option<Console>,
}

/// While it runs. Dropping it ends what was started, without waiting.
#[derive(Debug, Default)]
pub(super) struct Started {
    #[cfg(feature = "console")]
    console: Option<console::Running>,
}

/// How everything that is the server's runs: apart from what is observed, if something observes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Apart {
    #[cfg(feature = "console")]
    unseen: bool,
}

#[cfg(not(feature = "console"))]
impl Beside {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        Ok(())
    }

    pub(super) fn start(self) -> io::Result<(Started, Router)> {
        Ok((Started::default(), Router::new()))
    }
}

#[cfg(not(feature = "console"))]
impl Started {
    pub(super) fn apart(&self) -> Apart {
        Apart {}
    }

    pub(super) fn shutdown(self) {}
}

#[cfg(feature = "console")]
impl Beside {
    /// Whether it can be; otherwise why not.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        self.console.as_ref().map_or(Ok(()), Console::check)
    }

    pub(super) fn start(self) -> io::Result<(Started, Router)> {
        let Some(console) = self.console else {
            return Ok((Started::default(), Router::new()));
        };
        let (running, routes) =
            console::Running::start(console, |name, work| thread::spawn(name, work)).map_err(
                |e| super::explain(&e, "taskprof cannot start the thread of its console"),
            )?;
        let started = Started {
            console: Some(running),
        };
        Ok((started, routes))
    }
}

#[cfg(feature = "console")]
impl Started {
    /// gRPC is spoken over HTTP/2 only.
    pub(super) fn needs_http2(&self) -> bool {
        self.console.is_some()
    }

    pub(super) fn apart(&self) -> Apart {
        Apart {
            unseen: self.console.is_some(),
        }
    }

    /// Ends it and waits.
    pub(super) fn shutdown(self) {
        if let Some(console) = self.console {
            console.shutdown();
        }
    }
}

impl Apart {
    /// To tokio every channel and every task is a span: made here, it would be shown among the application's, and would keep its subscriber.
    pub(super) fn run<T>(self, run: impl FnOnce() -> T) -> T {
        #[cfg(feature = "console")]
        if self.unseen {
            return console::unseen(run);
        }
        run()
    }
}
