//! A task that is blocked until it is told to end, as goleak's own tests have one, and checks that
//! do not wait.

use std::time::Duration;

use leakcheck::{Leaks, Options};
use taskscope::JoinHandle;
use tokio::sync::oneshot;

/// Long enough that a test which waited for it would never end.
pub(crate) const FOREVER: Duration = Duration::from_secs(3600);

pub(crate) fn hasty() -> Options {
    Options::new().settle(Duration::ZERO)
}

/// The leaks that these options do not ignore.
#[track_caller]
pub(crate) fn found(options: Options) -> impl Future<Output = Leaks> {
    let check = leakcheck::check_with(options);
    async { check.await.expect_err("something is left") }
}

/// Whether nothing is left that these options do not cover.
pub(crate) async fn is_clean(options: Options) -> bool {
    leakcheck::check_with(options).await.is_ok()
}

/// The function that a blocked task is in.
pub(crate) async fn blocked_until_told(told: oneshot::Receiver<()>) {
    let _ = told.await;
}

#[must_use]
pub(crate) struct Blocked {
    tell: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Blocked {
    #[track_caller]
    pub(crate) fn start() -> Blocked {
        let (tell, told) = oneshot::channel();
        let task = taskscope::spawn(blocked_until_told(told));
        Blocked { tell, task }
    }

    #[track_caller]
    pub(crate) fn named(name: &'static str) -> Blocked {
        let (tell, told) = oneshot::channel();
        let task = taskscope::spawn_named(name, blocked_until_told(told));
        Blocked { tell, task }
    }

    pub(crate) async fn end(self) {
        drop(self.tell);
        self.task.await.expect("it ends without a panic");
    }
}

/// A blocked task without a record.
#[must_use]
pub(crate) struct Untracked(oneshot::Sender<()>, tokio::task::JoinHandle<()>);

impl Untracked {
    pub(crate) fn start() -> Untracked {
        let (tell, told) = oneshot::channel();
        Untracked(tell, tokio::spawn(blocked_until_told(told)))
    }

    pub(crate) async fn end(self) {
        drop(self.0);
        self.1.await.expect("it ends without a panic");
    }
}
