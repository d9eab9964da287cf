//! One table, two spawns. A row is a small program that says what it sees; its words must be the
//! expected ones with [`tokio::spawn`], which shows that tokio does what it documents, and the same
//! with [`taskscope::spawn`].
//!
//! Every row runs on each kind of runtime that it names, and once more while another thread takes
//! dumps, unless it counts polls or depends on the order in which tasks run: a capture is a poll.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{AbortHandle, Id, JoinError, LocalSet};

#[path = "../support/dumping.rs"]
mod dumping;

use self::dumping::Dumping;

/// Where a row runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    /// In `block_on` of a current-thread runtime.
    CurrentThread,
    /// In a task on the only worker of a multi-thread runtime.
    OneWorker,
    /// In `block_on` of a multi-thread runtime with two workers.
    TwoWorkers,
    /// In a `LocalSet`, with `spawn_local`.
    LocalSet,
}

/// All of them.
pub(crate) const EVERYWHERE: &[Setting] = &[
    Setting::CurrentThread,
    Setting::OneWorker,
    Setting::TwoWorkers,
    Setting::LocalSet,
];

/// The settings in which one task runs at a time, and none while the row does.
pub(crate) const ALONE: &[Setting] = &[
    Setting::CurrentThread,
    Setting::OneWorker,
    Setting::LocalSet,
];

/// The settings with a runtime that a row can drop.
pub(crate) const RUNTIMES: &[Setting] = &[Setting::CurrentThread, Setting::TwoWorkers];

/// The crate that a row spawns with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spawner {
    Tokio,
    Taskscope,
    /// And dumps are taken meanwhile.
    TaskscopeDumped,
}

/// Spawns tasks for a row, and notes what they say.
#[derive(Debug, Clone)]
pub(crate) struct Lab {
    spawner: Spawner,
    setting: Setting,
    said: Arc<Mutex<Vec<String>>>,
}

impl Lab {
    fn new(spawner: Spawner, setting: Setting) -> Lab {
        let said = Arc::default();
        Lab {
            spawner,
            setting,
            said,
        }
    }

    /// All that was noted.
    fn said(&self) -> Vec<String> {
        std::mem::take(&mut self.said.lock().unwrap())
    }

    /// Spawns a task with the spawn function in question.
    #[track_caller]
    pub(crate) fn spawn<F>(&self, future: F) -> Joined<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let local = self.setting == Setting::LocalSet;
        match (self.spawner, local) {
            (Spawner::Tokio, false) => Joined::Tokio(tokio::spawn(future)),
            (Spawner::Tokio, true) => Joined::Tokio(tokio::task::spawn_local(future)),
            (_, false) => Joined::Taskscope(taskscope::spawn(future)),
            (_, true) => Joined::Taskscope(taskscope::spawn_local(future)),
        }
    }

    /// Notes what has happened.
    pub(crate) fn say(&self, line: impl Display) {
        self.said.lock().unwrap().push(line.to_string());
    }

    /// Says so when it is dropped.
    pub(crate) fn loud(&self, name: &'static str) -> Loud {
        Loud(self.clone(), name)
    }

    fn runtime(&self) -> Runtime {
        let mut builder = match self.setting {
            Setting::CurrentThread | Setting::LocalSet => Builder::new_current_thread(),
            Setting::OneWorker | Setting::TwoWorkers => Builder::new_multi_thread(),
        };
        let workers = 1 + usize::from(self.setting == Setting::TwoWorkers);
        builder
            .worker_threads(workers)
            .enable_time()
            .build()
            .unwrap()
    }
}

/// A destructor that is seen.
#[derive(Debug)]
pub(crate) struct Loud(Lab, &'static str);

impl Drop for Loud {
    fn drop(&mut self) {
        self.0.say(format!("{} dropped", self.1));
    }
}

/// The handle of either spawn.
#[derive(Debug)]
pub(crate) enum Joined<T> {
    Tokio(tokio::task::JoinHandle<T>),
    Taskscope(taskscope::JoinHandle<T>),
}

macro_rules! either {
    ($self:expr, $handle:ident => $result:expr) => {
        match $self {
            Joined::Tokio($handle) => $result,
            Joined::Taskscope($handle) => $result,
        }
    };
}

impl<T> Joined<T> {
    pub(crate) fn abort(&self) {
        either!(self, handle => handle.abort());
    }
    pub(crate) fn abort_handle(&self) -> AbortHandle {
        either!(self, handle => handle.abort_handle())
    }
    pub(crate) fn is_finished(&self) -> bool {
        either!(self, handle => handle.is_finished())
    }
    pub(crate) fn id(&self) -> Id {
        either!(self, handle => handle.id())
    }
}

impl<T> Future for Joined<T> {
    type Output = Result<T, JoinError>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        either!(&mut *self, handle => Pin::new(handle).poll(cx))
    }
}

/// A row that neither counts polls nor depends on the order of tasks, in all settings.
#[track_caller]
pub(crate) fn everywhere<F>(expected: &[&str], row: impl Fn(Lab) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let spawners = [Spawner::Taskscope, Spawner::TaskscopeDumped];
    compare(EVERYWHERE, &spawners, expected, |lab| run(lab, &row));
}

/// A row that a dump would change, in some settings.
#[track_caller]
pub(crate) fn undisturbed<F>(settings: &[Setting], expected: &[&str], row: impl Fn(Lab) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    compare(settings, &[Spawner::Taskscope], expected, |lab| {
        run(lab, &row);
    });
}

/// A row that is given a runtime of its own, from outside of it.
#[track_caller]
pub(crate) fn with_a_runtime(settings: &[Setting], expected: &[&str], row: impl Fn(&Lab, Runtime)) {
    let spawners = [Spawner::Taskscope, Spawner::TaskscopeDumped];
    compare(settings, &spawners, expected, |lab| {
        let runtime = lab.runtime();
        let _dumping = dumped(lab, runtime.handle());
        row(lab, runtime);
    });
}

/// A row on which tokio promises nothing but that it ends: it must only be the same with both
/// spawns.
#[track_caller]
pub(crate) fn alike<F>(settings: &[Setting], row: impl Fn(Lab) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for &setting in settings {
        crate::prepare();
        let said = [Spawner::Tokio, Spawner::Taskscope].map(|spawner| {
            let lab = Lab::new(spawner, setting);
            run(&lab, &row);
            lab.said()
        });
        assert!(!said[0].is_empty());
        assert_eq!(said[1], said[0], "in {setting:?}");
    }
}

#[track_caller]
fn compare(settings: &[Setting], ours: &[Spawner], expected: &[&str], row: impl Fn(&Lab)) {
    crate::prepare();
    for &setting in settings {
        for &spawner in [Spawner::Tokio].iter().chain(ours) {
            let lab = Lab::new(spawner, setting);
            row(&lab);
            assert_eq!(lab.said(), expected, "{spawner:?} in {setting:?}");
        }
    }
}

fn run<F>(lab: &Lab, row: &impl Fn(Lab) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = lab.runtime();
    let _dumping = dumped(lab, runtime.handle());
    let row = row(lab.clone());
    match lab.setting {
        Setting::CurrentThread | Setting::TwoWorkers => runtime.block_on(row),
        Setting::OneWorker => runtime.block_on(runtime.spawn(row)).unwrap(),
        Setting::LocalSet => LocalSet::new().block_on(&runtime, row),
    }
}

/// Takes dumps of the runtime if that is asked for.
fn dumped(lab: &Lab, runtime: &Handle) -> Option<Dumping> {
    let options = taskscope::DumpOptions::new().runtime(runtime.id());
    (lab.spawner == Spawner::TaskscopeDumped)
        .then(|| Dumping::begin(options.stall(Duration::from_millis(5))))
}
