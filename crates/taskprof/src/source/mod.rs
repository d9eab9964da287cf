//! Sources of profiles: a small file for each, and the table of them all.
//!
//! A source fills a [`Profile`] or writes text; it knows no format and no HTTP. Pages and
//! parameters are made from [`ALL`], so a new source is a file with a [`Source`] in it and its line
//! there. Not here: how many requests are admitted at a time, and stored captures (`http/`).

mod cmdline;
mod cpu;
mod heap;
mod leaks;
mod request;
pub(crate) mod runtime;
mod shared;
mod stuck;
mod symbol;
mod tasks;
mod threads;
mod waits;

use taskscope::DumpOptions;

pub use self::cmdline::cmdline;
pub use self::request::CaptureRequest;
#[cfg(feature = "metrics")]
pub(crate) use self::runtime::watch as watch_runtimes;
pub use self::runtime::{json as runtime_json, text as runtime_text};
pub(crate) use self::shared::Line;
pub use self::symbol::{MAX_ADDRESSES, symbols};
use crate::error::Error;
use crate::offload::CancelCheck;
use crate::profile::Profile;
use crate::tasks::DumpQuery;

/// Every source, in the order in which the pages show them.
pub static ALL: &[&Source] = &[
    &tasks::SOURCE,
    &stuck::SOURCE,
    &leaks::SOURCE,
    &waits::BLOCK,
    &waits::LOCK,
    &waits::SCHED,
    &waits::BUSY,
    &cpu::SOURCE,
    &heap::HEAP,
    &heap::ALLOCS,
    &threads::SOURCE,
    &runtime::SOURCE,
    &cmdline::SOURCE,
    &symbol::SOURCE,
];

/// A source of profiles or of text about this process.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let threads = taskprof::source::named("threads").ok_or("no such source")?;
/// let profile = threads.request().capture().await?;
/// assert!(profile.total(0) >= 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Source {
    /// One lower-case word, which is also its page below the router.
    pub name: &'static str,
    /// One sentence for people.
    pub summary: &'static str,
    /// Kind and unit of each column of its profile; none if it is text.
    pub sample_types: &'static [(&'static str, &'static str)],
    /// The meaning of a number of seconds.
    pub seconds: Seconds,
    pub(crate) what: What,
    /// Checks that there is something to capture; the error says what would change that.
    pub(crate) ready: fn() -> Result<(), Error>,
}

/// The meaning of a number of seconds to a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seconds {
    /// It shows this moment. With seconds: the difference after that time.
    Instantaneous,
    /// It shows everything since sampling was switched on. With seconds: the increase in that time.
    Cumulative,
    /// It samples for that time, or for [a default time](crate::cpu::DEFAULT_DURATION).
    Timed,
    /// It is text about this moment, and takes none.
    Never,
}

/// How a source is read. Functions run on a thread of ours and may block.
#[derive(Debug)]
pub(crate) enum What {
    /// Tasks: those that the function chooses among the requested ones.
    Tasks(fn(DumpOptions) -> DumpQuery),
    /// A profile of this moment, or of everything up to now.
    Profile(fn() -> Result<Profile, Error>),
    /// Samples of the CPU.
    Cpu,
    /// Texts by the names of their formats, the default one first.
    Text(&'static [TextView]),
    /// Names of the addresses in the request.
    Symbol,
}

/// One form of a text.
#[derive(Debug)]
pub(crate) struct TextView {
    /// The value of the parameter `format`.
    pub(crate) format: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) write: fn(&CancelCheck) -> Result<Vec<u8>, Error>,
}

impl Source {
    /// A request to this source, to be configured and then captured.
    pub fn request(&'static self) -> CaptureRequest {
        CaptureRequest::new(self)
    }

    /// Checks that there is something to capture in this process.
    ///
    /// # Errors
    ///
    /// [`is_unavailable`](Error::is_unavailable) if the process does not collect it; the text says
    /// what would change that.
    pub fn available(&self) -> Result<(), Error> {
        (self.ready)()
    }
}

/// The source of this name.
pub fn named(name: &str) -> Option<&'static Source> {
    ALL.iter().copied().find(|source| source.name == name)
}

/// For sources that are always there.
fn always() -> Result<(), Error> {
    Ok(())
}

/// Declares one function per source, for `taskprof::tasks()` and the like.
macro_rules! short {
    ($($(#[$doc:meta])* $name:ident => $source:expr;)*) => {
        $($(#[$doc])* pub fn $name() -> CaptureRequest { $source.request() })*
    };
}

/// The functions at the top of the crate: a request to each source by its name.
pub(crate) mod short {
    use super::*;

    short! {
        /// Requests live tasks, by stack, verdict, wait reason and scope.
        tasks => tasks::SOURCE;
        /// Requests tasks that nothing can ever wake.
        stuck => stuck::SOURCE;
        /// Requests tasks that have survived their scope, or whose spawn site only grows.
        leaks => leaks::SOURCE;
        /// Requests the places where tasks have waited, and for how long.
        block => waits::BLOCK;
        /// Requests the places where tasks have waited for tokio's locks, and for how long.
        lock => waits::LOCK;
        /// Requests the time that woken tasks have waited for a worker.
        sched => waits::SCHED;
        /// Requests the tasks that have kept workers busy.
        busy => waits::BUSY;
        /// Requests memory that is held: Go's `heap`. Needs
        /// [`heap::Sampler`](crate::heap::Sampler).
        heap => heap::HEAP;
        /// Requests memory that was allocated: Go's `allocs`. Needs
        /// [`heap::Sampler`](crate::heap::Sampler).
        allocs => heap::ALLOCS;
        /// Requests the threads of the process.
        threads => threads::SOURCE;
    }
}
