//! A request to a source, configured step by step, from code and from every page.
//!
//! Not here: the sources (a file each), dumps that several requests share (`shared.rs`), the
//! parameters of the endpoint (`http/`).

use std::sync::Arc;
use std::time::Duration;

use taskscope::DumpOptions;

use super::shared::{self, Line};
use super::{Source, What};
use crate::cpu::{Cpu, DEFAULT_DURATION, MAX_DURATION};
use crate::error::Error;
use crate::profile::Profile;
use crate::tasks::{self, DumpQuery, Head, ProfileFold, TaskFilter, TaskQuestion};
use crate::{cpu_permit, fork, offload};

/// The thread that takes a dump.
const THREAD: &str = "taskprof-dump";

/// A request for a profile of a [`Source`].
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let profile = taskprof::stuck().capture().await?;
/// assert_eq!(profile.total(0), 0);
/// # Ok::<(), taskprof::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is captured until `capture` is called"]
pub struct CaptureRequest {
    source: &'static Source,
    duration: Option<Duration>,
    tasks: TaskQuestion,
    cpu: Cpu,
}

impl CaptureRequest {
    pub(super) fn new(source: &'static Source) -> Self {
        CaptureRequest {
            source,
            duration: None,
            tasks: TaskQuestion::default(),
            cpu: Cpu::new(),
        }
    }

    /// Sets a number of seconds; [`Source::seconds`] says what it means.
    pub fn seconds(self, seconds: u64) -> Self {
        self.duration(Duration::from_secs(seconds))
    }

    /// As [`seconds`](Self::seconds), in finer steps.
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// Chooses tasks. Only sources of tasks use this.
    pub fn of(mut self, options: DumpOptions) -> Self {
        self.tasks.options = options;
        self
    }

    /// As [`of`](Self::of), with what `filter` asks for besides; conditions that a dump cannot
    /// decide are decided task by task.
    pub(crate) fn matching(mut self, options: DumpOptions, filter: &TaskFilter) -> Self {
        self.tasks = TaskQuestion {
            options: filter.options(options),
            filter: filter.rest().map(Arc::new),
        };
        self
    }

    /// Sets how to sample, and which samples to show; the duration is that of this request. Only
    /// the source `cpu` uses this.
    pub fn with(mut self, cpu: Cpu) -> Self {
        self.cpu = cpu;
        self
    }

    /// Takes the profile.
    ///
    /// Works on a thread of its own; the future may be awaited on any executor.
    ///
    /// # Errors
    ///
    /// [`is_unavailable`](Error::is_unavailable) if the process does not collect this,
    /// [`is_invalid_argument`](Error::is_invalid_argument) if the duration is zero or above
    /// [`MAX_DURATION`], or if the source is text and has no profile, and otherwise as
    /// [`Cpu::capture`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends a capture that takes time at once, and leaves one of this moment to
    /// end by itself on its thread.
    pub async fn capture(self) -> Result<Profile, Error> {
        fork::check()?;
        self.source.available()?;
        // `cpu` checks its own limits: more of the past may be requested.
        let is_cpu = matches!(self.source.what, What::Cpu);
        if let Some(duration) = self.duration
            && !is_cpu
            && (duration.is_zero() || duration > MAX_DURATION)
        {
            return Err(Error::invalid_argument(format!(
                "a capture of {duration:?} is out of range; choose more than nothing and at most {} seconds",
                MAX_DURATION.as_secs()
            )));
        }
        let (tasks, duration) = (self.tasks, self.duration);
        match &self.source.what {
            What::Cpu => {
                let cpu = self.cpu.duration(duration.unwrap_or(DEFAULT_DURATION));
                cpu.capture().await
            }
            What::Tasks(choose) if duration.is_none() => {
                let choose = *choose;
                let make = move |tasks: TaskQuestion| Folded::take(tasks.choose(choose));
                let folded =
                    shared::dump(THREAD, self.source.name, Line::Usual, tasks, make).await?;
                offload::work(THREAD, move |_| folded.profile()).await
            }
            What::Tasks(choose) => {
                let choose = *choose;
                let mut folded: Option<Folded> = None;
                once_or_difference(duration, move || {
                    let _permit = cpu_permit::DUMPS.acquire_blocking();
                    let folded = match &mut folded {
                        Some(folded) => {
                            folded.again()?;
                            folded
                        }
                        None => folded.insert(Folded::take(tasks.clone().choose(choose))?),
                    };
                    Ok(folded.profile())
                })
                .await
            }
            What::Profile(profile) => {
                once_or_difference(duration, || {
                    let _permit = cpu_permit::WORK.acquire_blocking();
                    profile()
                })
                .await
            }
            What::Text(_) | What::Symbol => Err(Error::invalid_argument(format!(
                "{} is text and has no profile",
                self.source.name
            ))),
        }
    }

    /// Makes something else of the tasks, for all who ask for the same; `None` if the source is
    /// none of tasks.
    pub(crate) async fn fold<T: Send + Sync + 'static>(
        self,
        line: Line,
        make: fn(DumpQuery) -> Result<T, Error>,
    ) -> Result<Option<Arc<T>>, Error> {
        let What::Tasks(choose) = self.source.what else {
            return Ok(None);
        };
        fork::check()?;
        let make = move |tasks: TaskQuestion| make(tasks.choose(choose));
        shared::dump(THREAD, self.source.name, line, self.tasks, make)
            .await
            .map(Some)
    }

    /// As [`fold`](Self::fold), for this asker alone.
    pub(crate) async fn fold_alone<T: Send + 'static>(
        self,
        make: impl FnOnce(DumpQuery) -> Result<T, Error> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let What::Tasks(choose) = self.source.what else {
            return Ok(None);
        };
        offload::run(THREAD, move |cancel| {
            let _permit = cpu_permit::DUMPS.acquire_blocking();
            if cancel.is_cancelled() {
                return Err(Error::sampler("the dump was abandoned"));
            }
            make(self.tasks.choose(choose)).map(Some)
        })
        .await?
    }
}

/// Tasks summed up as samples.
struct Folded {
    query: DumpQuery,
    fold: ProfileFold,
    head: Head,
}

impl Folded {
    fn take(query: DumpQuery) -> Result<Folded, Error> {
        let mut fold = ProfileFold::new(query.suspects.clone());
        let head = tasks::fold(&query, &mut |at, task, _| fold.add(at, &task))?;
        Ok(Folded { query, fold, head })
    }

    /// Reads the tasks again, told apart as the first time.
    fn again(&mut self) -> Result<(), Error> {
        let Folded { query, fold, .. } = self;
        fold.restart();
        self.head = tasks::fold(query, &mut |at, task, _| fold.add(at, &task))?;
        Ok(())
    }

    fn profile(&self) -> Profile {
        self.fold.profile(&self.head.dump, &self.head.counts)
    }
}

/// Takes one profile, or two with that much time in between, and gives the difference.
async fn once_or_difference(
    duration: Option<Duration>,
    mut take: impl FnMut() -> Result<Profile, Error> + Send + 'static,
) -> Result<Profile, Error> {
    offload::run(THREAD, move |cancel| {
        let first = take()?;
        let Some(duration) = duration else {
            return Ok(first);
        };
        if !cancel.sleep(duration) {
            // Nobody is there to read this.
            return Err(Error::sampler("the capture was abandoned"));
        }
        Ok(take()?.difference(&first)?)
    })
    .await?
}
