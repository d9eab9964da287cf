//! A question to a source, built step by step: the way in through code, and what every page asks through.

use std::sync::Arc;
use std::time::Duration;

use taskscope::{Dump, DumpOptions};

use super::{Source, What, shared};
use crate::cpu::{Cpu, DEFAULT_DURATION, MAX_DURATION};
use crate::error::Error;
use crate::profile::Profile;
use crate::turn::Turn;
use crate::{fork, offload};

/// The thread that looks.
const LOOK: &str = "taskprof-look";

/// A question to a [`Source`].
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
pub struct Ask {
    source: &'static Source,
    duration: Option<Duration>,
    options: DumpOptions,
    cpu: Cpu,
}

impl Ask {
    pub(super) fn new(source: &'static Source) -> Self {
        Ask {
            source,
            duration: None,
            options: DumpOptions::new(),
            cpu: Cpu::new(),
        }
    }

    /// A number of seconds, in the meaning that [`Source::seconds`] tells.
    pub fn seconds(self, seconds: u64) -> Self {
        self.duration(Duration::from_secs(seconds))
    }

    /// As [`seconds`](Self::seconds), in finer steps.
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// Which tasks to look at. Other sources than those of tasks take no notice.
    pub fn of(mut self, options: DumpOptions) -> Self {
        self.options = options;
        self
    }

    /// How to sample, and which samples to show; the duration is that of this question. Other sources than `cpu` take no notice.
    pub fn with(mut self, cpu: Cpu) -> Self {
        self.cpu = cpu;
        self
    }

    /// Looks, and gives what there is to see.
    ///
    /// Works on a thread of its own; the future may be awaited on any executor.
    ///
    /// # Errors
    ///
    /// [`is_unavailable`](Error::is_unavailable) if the process does not collect this,
    /// [`is_invalid_argument`](Error::is_invalid_argument) if the duration is zero or above [`MAX_DURATION`], or if the source is text and has no
    /// profile, and otherwise as [`Cpu::capture`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends a capture that takes time at once, and leaves one of this moment to end by itself on its thread.
    pub async fn capture(self) -> Result<Profile, Error> {
        fork::check()?;
        self.source.available()?;
        // Of the past one may ask for more, which `cpu` knows.
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
        let (options, duration) = (self.options, self.duration);
        match &self.source.what {
            What::Cpu => {
                let cpu = self.cpu.duration(duration.unwrap_or(DEFAULT_DURATION));
                cpu.capture().await
            }
            What::Tasks(dump, profile) if duration.is_none() => {
                let dump = shared::dump(LOOK, *dump, options).await?;
                offload::work(LOOK, move |_| profile(&dump)).await
            }
            What::Tasks(dump, profile) => {
                look(duration, move || {
                    let in_line = Turn::take_in_line();
                    let dump = dump(options.clone());
                    let _turn = in_line.unwrap_or_else(Turn::take);
                    Ok(profile(&dump))
                })
                .await
            }
            What::Profile(profile) => {
                look(duration, || {
                    let _turn = Turn::take();
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

    /// The dump behind the profile; `None` if the source is none of tasks.
    pub(crate) async fn dump(self) -> Result<Option<Arc<Dump>>, Error> {
        let What::Tasks(dump, _) = &self.source.what else {
            return Ok(None);
        };
        fork::check()?;
        shared::dump(LOOK, *dump, self.options).await.map(Some)
    }
}

/// Looks once, or twice with that much time in between, and gives the difference.
async fn look(
    duration: Option<Duration>,
    take: impl Fn() -> Result<Profile, Error> + Send + 'static,
) -> Result<Profile, Error> {
    offload::run(LOOK, move |wanted| {
        let first = take()?;
        let Some(duration) = duration else {
            return Ok(first);
        };
        if !wanted.sleep(duration) {
            // Nobody is there to read this.
            return Err(Error::sampler("the capture was abandoned"));
        }
        take()?.difference(&first)
    })
    .await?
}
