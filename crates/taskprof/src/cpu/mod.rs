//! The CPU source: samples the process for a while and makes a profile of it, or makes one of the
//! past.
//!
//! Owned here: how a capture is configured and run. Not here: how captures share one sampler
//! (`session.rs`), how threads are interrupted (`sampler/`, on `callstack`), formats
//! (`taskprof-format`), the parameters of the endpoint (`http/cpu_options.rs`).

mod history;
mod labels;
mod profile;
mod recording;
mod session;
mod view;
mod wall;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

#[cfg(feature = "metrics")]
pub(crate) use self::history::ByScope;
use self::history::HISTORY;
pub(crate) use self::history::Recent;
pub use self::history::{RETENTION, SEGMENT};
pub use self::profile::{LOST, NO_ROOM, TRUNCATED};
use self::recording::Recording;
pub use self::session::MAX_SUBSCRIBERS;
use self::session::Session;
pub use self::view::By;
use self::view::View;
use crate::error::Error;
use crate::profile::Profile;
use crate::sampler::{DEFAULT_HZ, Sampler, ThreadSampler};
use crate::{fork, offload};

/// The longest capture.
pub const MAX_DURATION: Duration = Duration::from_secs(300);

/// The default length of a capture, as in Go.
pub const DEFAULT_DURATION: Duration = Duration::from_secs(30);

/// The frequency of [`Cpu::always_on`]: in ten seconds a function that takes 5 % of a processor
/// gives ten samples.
///
/// More costs more, and fills the bounded memory of each segment sooner; fewer makes short windows
/// coarse.
pub const ALWAYS_ON_HZ: i32 = 19;

/// The session of all captures that name no sampler of their own.
static SESSION: LazyLock<Arc<Session>> = LazyLock::new(|| Session::new(ThreadSampler::new()));

/// Captures a CPU profile of the process: [`ThreadSampler`] at [`DEFAULT_HZ`].
///
/// Short for `taskprof::cpu().duration(duration).capture()`, see [`Cpu::capture`].
///
/// # Errors
///
/// As [`Cpu::capture`].
pub async fn capture(duration: Duration) -> Result<Profile, Error> {
    Cpu::new().duration(duration).capture().await
}

/// A CPU capture, configured.
#[derive(Clone)]
#[must_use = "nothing is captured until `capture` is called"]
pub struct Cpu {
    session: Arc<Session>,
    /// `None`: the usual one.
    hz: Option<i32>,
    duration: Duration,
    ago: Option<Duration>,
    view: View,
    request_ids: bool,
    wall: bool,
}

impl std::fmt::Debug for Cpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cpu")
            .field("hz", &self.hz)
            .field("duration", &self.duration)
            .field("ago", &self.ago)
            .field("view", &self.view)
            .finish_non_exhaustive()
    }
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new()
    }
}

impl Cpu {
    /// [`ThreadSampler`] at [`DEFAULT_HZ`], for [`DEFAULT_DURATION`].
    pub fn new() -> Self {
        Self::with(Arc::clone(&SESSION))
    }

    /// Another sampler, at [`DEFAULT_HZ`], for [`DEFAULT_DURATION`]. Clones share it, and nothing
    /// else does.
    pub fn with_sampler(sampler: impl Sampler + 'static) -> Self {
        Self::with(Session::new(sampler))
    }

    fn with(session: Arc<Session>) -> Self {
        Cpu {
            session,
            hz: None,
            duration: DEFAULT_DURATION,
            ago: None,
            view: View::default(),
            request_ids: true,
            wall: false,
        }
    }

    /// Samples per second of CPU time; [`DEFAULT_HZ`] says what more and fewer cost.
    pub fn hz(mut self, hz: i32) -> Self {
        self.hz = Some(hz);
        self
    }

    /// How long to sample, in seconds. The default is [`DEFAULT_DURATION`].
    pub fn seconds(self, seconds: u64) -> Self {
        self.duration(Duration::from_secs(seconds))
    }

    /// How long to sample. The default is [`DEFAULT_DURATION`].
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }

    /// Makes a profile of the past at once: of [`duration`](Self::duration), from `ago` before now
    /// on.
    ///
    /// Needs [`always_on`](Self::always_on). The past is stored in segments of [`SEGMENT`] for
    /// [`RETENTION`]; all that overlap the window are added up, and a comment says what they span.
    pub fn ago(mut self, ago: Duration) -> Self {
        self.ago = Some(ago);
        self
    }

    /// Only samples of tasks that worked for this route, such as `POST /orders`.
    pub fn route(mut self, route: impl Into<Arc<str>>) -> Self {
        self.view.route = Some(route.into());
        self
    }

    /// Only samples of tasks in scopes of this name.
    pub fn scope(mut self, scope: impl Into<Arc<str>>) -> Self {
        self.view.scope = Some(scope.into());
        self
    }

    /// Only samples of tasks of this name.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.view.name = Some(name.into());
        self
    }

    /// Sets the frame at the root of every stack, so that a flame graph has a tower for each route,
    /// say. The default is [`By::Stack`].
    pub fn by(mut self, by: By) -> Self {
        self.view.by = by;
        self
    }

    /// Shows every frame of the runtime. By default, those of std and tokio between the root of a
    /// stack and the first function of the program are one frame,
    /// [`RUNTIME`](crate::profile::RUNTIME).
    pub fn full_runtime(mut self) -> Self {
        self.view.full_runtime = true;
        self
    }

    /// Profiles all threads at all times instead of running ones: the column is
    /// `wall`/`nanoseconds`, the time that threads ran, waited for a processor and were blocked, by
    /// stack.
    ///
    /// Nothing is interrupted for it that is not interrupted for the CPU: a blocked thread is read
    /// from outside. A blocked thread's task is not known, only its stack. Not together with
    /// [`ago`](Self::ago).
    pub fn wall(mut self) -> Self {
        self.wall = true;
        self
    }

    /// Without the label `request_id`, for stores that make a series of each distinct label.
    pub(crate) fn without_request_ids(mut self) -> Self {
        self.request_ids = false;
        self
    }

    /// Samples the process for the configured time.
    ///
    /// The profile has the columns `samples`/`count` and `cpu`/`nanoseconds`. Labels say to whom
    /// the time belongs: `name`, `spawned`, `scope`, `route`, `trace_id` and `request_id` of a task
    /// that has them, `thread`, and `where`: `task`, `blocking call`, `untracked task`, `block_on`,
    /// `blocking pool`, `runtime`, `profiler` or `other`. A comment compares the number of samples
    /// with the number that the CPU time used should have given, and says why there are none if
    /// there are none. Names have been looked up when the future completes, so writing is fast.
    ///
    /// Captures that overlap share one running sampler, at any mix of frequencies, up to
    /// [`MAX_SUBSCRIBERS`] at a time, and each gets the samples of its own time. The sampler runs
    /// at the highest frequency requested; nanoseconds are right for all.
    ///
    /// Sampling happens on a thread `taskprof-cpu`, looking up names on `taskprof-work`. No runtime
    /// is needed: the future may be awaited on any executor.
    ///
    /// # Errors
    ///
    /// [`is_busy`](Error::is_busy) if too many captures are running in this process,
    /// [`is_invalid_argument`](Error::is_invalid_argument) if the duration is zero or above
    /// [`MAX_DURATION`] or the sampler does not like the frequency,
    /// [`is_sampler`](Error::is_sampler) if the sampler fails,
    /// [`is_unavailable`](Error::is_unavailable) in a process that was forked from one that had
    /// used the profiler, and, with [`ago`](Self::ago), if nothing is stored.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the capture at once, without anybody waiting for it. If it was the
    /// last capture, the sampler stops and the samples are discarded.
    ///
    /// # Overhead
    ///
    /// That of the sampler; see [`ThreadSampler`].
    pub async fn capture(self) -> Result<Profile, Error> {
        fork::check()?;
        let duration = self.duration;
        let most = match self.ago {
            Some(_) => RETENTION,
            None => MAX_DURATION,
        };
        if duration.is_zero() || duration > most {
            return Err(Error::invalid_argument(format!(
                "a capture of {duration:?} is out of range; choose more than nothing and at most {} seconds",
                most.as_secs()
            )));
        }
        let hz = self.hz.unwrap_or(DEFAULT_HZ);
        let (recorded, waits) = match (self.ago, self.wall) {
            (Some(_), true) => {
                return Err(Error::invalid_argument(
                    "of the past only CPU time is kept, and not time on the wall",
                ));
            }
            (Some(ago), false) => (HISTORY.window(ago, duration)?, None),
            (None, false) => (self.session.record(hz, duration).await?, None),
            (None, true) => {
                let watch = offload::run(wall::THREAD, move |cancel| wall::watch(duration, cancel));
                let (recorded, waits) = both(self.session.record(hz, duration), watch).await;
                (recorded?, Some(waits?))
            }
        };
        let (view, ago, request_ids) = (self.view, self.ago, self.request_ids);
        offload::work("taskprof-names", move |cancel| {
            let mut profile = profile::profile(&recorded, &view, cancel);
            if !request_ids {
                for sample in &mut profile.samples {
                    sample.labels.retain(|label| label.key != "request_id");
                }
                profile.aggregate();
            }
            if let Some(waits) = &waits {
                profile = wall::add(profile, waits, &view, &recorded);
            }
            if ago.is_some() {
                profile.comments.insert(0, past(&recorded));
            }
            profile
        })
        .await
    }

    /// Samples from now on until [`stop_always_on`] is called, at [`ALWAYS_ON_HZ`] by default, and
    /// stores the last [`RETENTION`].
    ///
    /// Afterwards [`ago`](Self::ago), and `cpu?ago=300&seconds=60` of the endpoint, show the past;
    /// metrics and the page show CPU time by route. Captures go on as before, on the same sampler.
    /// Always the default sampler, whatever this one was made with. If it is on already, only the
    /// frequency changes.
    ///
    /// # Errors
    ///
    /// As [`capture`](Self::capture), if sampling could not begin.
    ///
    /// # Overhead
    ///
    /// That of the sampler at this frequency, and at most 13 MB.
    pub fn always_on(self) -> Result<(), Error> {
        fork::check()?;
        let hz = self.hz.unwrap_or(ALWAYS_ON_HZ);
        let _switch = switch();
        match HISTORY.on() {
            Some((_, on)) if on == hz => return Ok(()),
            // The old one leaves first, so that nothing is counted twice.
            Some((number, _)) => SESSION.leave(number),
            None => {}
        }
        let begun = SESSION.record_always(hz, &HISTORY);
        match &begun {
            Ok(number) => HISTORY.switched_on(*number, hz),
            Err(_) => HISTORY.switched_off(),
        }
        begun.map(drop)
    }
}

/// Ends what [`Cpu::always_on`] began. Samples stay until they are older than [`RETENTION`].
pub fn stop_always_on() {
    if fork::check().is_err() {
        return;
    }
    let _switch = switch();
    if let Some((number, _)) = HISTORY.on() {
        SESSION.leave(number);
        HISTORY.switched_off();
    }
}

/// Serialises switching on and off.
fn switch() -> MutexGuard<'static, ()> {
    static SWITCH: Mutex<()> = Mutex::new(());
    crate::sync::lock(&SWITCH)
}

/// CPU time by route in the past that is stored.
pub(crate) fn recent() -> Option<Recent> {
    fork::check().ok()?;
    HISTORY.recent()
}

/// Whether sampling is always on at this moment.
#[cfg(feature = "metrics")]
pub(crate) fn is_always_on() -> bool {
    fork::check().is_ok() && HISTORY.on().is_some()
}

/// CPU time by scope while sampling was always on.
#[cfg(feature = "metrics")]
pub(crate) fn by_scope() -> ByScope {
    if fork::check().is_err() {
        return ByScope::default();
    }
    HISTORY.by_scope()
}

/// Waits for two futures at the same time.
async fn both<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut of_a, mut of_b) = (None, None);
    poll_fn(move |context| {
        if of_a.is_none()
            && let Poll::Ready(output) = a.as_mut().poll(context)
        {
            of_a = Some(output);
        }
        if of_b.is_none()
            && let Poll::Ready(output) = b.as_mut().poll(context)
        {
            of_b = Some(output);
        }
        match (of_a.take(), of_b.take()) {
            (Some(of_a), Some(of_b)) => Poll::Ready((of_a, of_b)),
            (a, b) => {
                (of_a, of_b) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

fn past(recorded: &Recording) -> String {
    let from = httpdate::fmt_http_date(recorded.started);
    format!(
        "sampled in the past, for {:.1} s from {from} on; the past is kept in segments of {} s",
        recorded.duration.as_secs_f64(),
        SEGMENT.as_secs()
    )
}
