//! The JSON of tasks as types: what a server writes under `tasks?format=json`, and what a client
//! reads.
//!
//! Plain data, so that a client needs neither the server nor tokio. Texts are borrowed where they
//! are written and owned where they are read: a client has `Tasks<'static>`. Not here: how a dump
//! becomes one of these (`json.rs` of the server).
//!
//! The schema for other languages is `docs/tasks.schema.json` in the repository.

mod parameters;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::parameters::Parameters;

/// The version of the JSON that this crate writes and reads.
///
/// It grows when a field goes or changes its meaning. New fields do not change it: readers ignore
/// those that they do not know.
pub const VERSION: u32 = 1;

/// Every task of a process at one moment, with its runtimes and tracked resources.
///
/// `T` is the list of tasks; a writer may put something there that makes them one by one.
///
/// # Examples
///
/// ```
/// use taskprof_format::tasks::{Missed, Tasks, VERSION};
///
/// let nothing = Tasks::<Vec<_>> {
///     version: VERSION,
///     taken_unix_seconds: 1_795_209_608.25,
///     took_seconds: 0.012,
///     notes: vec![],
///     missed: Missed::default(),
///     left_out: 0,
///     runtimes: vec![],
///     tasks: vec![],
///     resources: vec![],
/// };
/// let json = serde_json::to_string(&nothing)?;
/// let read: Tasks<'static> = serde_json::from_str(&json)?;
/// assert_eq!(read, nothing);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tasks<'a, T = Vec<Task<'a>>> {
    /// [`VERSION`] of the writer. A reader should refuse another one.
    pub version: u32,
    /// When the dump began, in seconds since 1970.
    pub taken_unix_seconds: f64,
    /// How long the dump took, in seconds.
    pub took_seconds: f64,
    /// Sentences for people about what could not be seen.
    pub notes: Vec<String>,
    /// How many tasks have no stack, by reason.
    pub missed: Missed,
    /// Tasks beyond the limit that was asked for.
    pub left_out: usize,
    /// The runtimes that are known.
    pub runtimes: Vec<Runtime<'a>>,
    /// The tasks, oldest first.
    pub tasks: T,
    /// Tracked resources that are held, oldest first.
    pub resources: Vec<Resource<'a>>,
}

/// How many tasks have no stack, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Missed {
    /// They were being polled.
    pub running: usize,
    /// Their runtime did not poll them in time.
    pub no_answer: usize,
    /// They took no waker when they were polled.
    pub no_waker: usize,
    /// Nobody asked for their stacks.
    pub not_asked: usize,
    /// They were declared never to be captured.
    pub not_allowed: usize,
    /// They were spawned with tokio's own function, and are seen by the runtime's hooks only.
    pub observed: usize,
}

/// A tokio runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime<'a> {
    /// The number that tokio gave it.
    pub id: u64,
    /// The name that it was built with.
    pub name: Option<Cow<'a, str>>,
    /// `multi_thread`, `current_thread` or `unknown`.
    pub flavor: Cow<'a, str>,
    /// Its worker threads.
    pub workers: usize,
    /// Its live tasks that have a record.
    pub tracked: usize,
    /// Its live tasks without a record.
    pub untracked: usize,
}

/// One live task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task<'a> {
    /// Tokio's id of the task. Futures that other code drives, such as requests, have ids from 2^52
    /// on.
    pub id: u64,
    /// `task`, `local`, `blocking` (a call on the blocking pool), `driven` (by other code) or
    /// `observed` (by the runtime's hooks).
    pub kind: Cow<'a, str>,
    /// The name that it was spawned with.
    pub name: Option<Cow<'a, str>>,
    /// The labels that it was spawned with; those of its scope are with the scope.
    pub labels: BTreeMap<String, String>,
    /// `idle`, `running` or `scheduled`.
    pub state: Cow<'a, str>,
    /// How long it has been in that state, in seconds.
    pub state_seconds: f64,
    /// The thread that is polling it, while it runs and if that is known.
    pub thread: Option<Thread<'a>>,
    /// Why it is still alive: a name of
    /// [`Verdict::ALL`](https://docs.rs/taskscope/latest/taskscope/enum.Verdict.html), such as
    /// `cancel ignored`.
    pub verdict: Cow<'a, str>,
    /// The kinds of wait; several for a `select!` or `join!`.
    pub wait: Vec<String>,
    /// Declared long-lived.
    pub background: bool,
    /// The scope that it belongs to.
    pub scope: Option<Scope>,
    /// Where it was spawned.
    pub spawned: Site<'a>,
    /// The id of the task, or of the request, that spawned it, if that had a record.
    pub parent: Option<u64>,
    /// The name of the request's scope, if a request spawned it.
    pub parent_request: Option<String>,
    /// The type of its future.
    pub future: Cow<'a, str>,
    /// The id of its runtime.
    pub runtime: u64,
    /// How long ago it was spawned, in seconds.
    pub age_seconds: f64,
    /// How long its finished polls took together, in seconds.
    pub busy_seconds: f64,
    /// How often it was polled, captures included.
    pub polls: u64,
    /// Wakers of it that are kept somewhere; `None` if that is not known.
    pub wakers: Option<u64>,
    /// How long ago its `JoinHandle` was dropped, in seconds.
    pub detached_seconds: Option<f64>,
    /// How long ago it first looked at a token of its scope, in seconds.
    pub token_first_seconds: Option<f64>,
    /// How long ago it last looked at a token of its scope, in seconds.
    pub token_last_seconds: Option<f64>,
    /// Its last poll that took longer than the watchdog's threshold.
    pub long_poll: Option<LongPoll<'a>>,
    /// Where it is suspended: one branch for each waker that it left behind.
    pub branches: Vec<Branch<'a>>,
    /// Why there are no branches.
    pub no_stack: Option<String>,
    /// Branches that there was no room for.
    pub branches_dropped: u32,
    /// Branches that lack frames at their root.
    pub branches_cut: u32,
    /// The kinds of the tracked resources that it used last.
    pub holds: Vec<Cow<'a, str>>,
    /// Memory that it has allocated and that is held, in bytes, estimated from samples; `None`
    /// without a sample of it.
    pub held_bytes: Option<u64>,
}

/// A thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread<'a> {
    /// The name of the thread.
    pub name: Cow<'a, str>,
    /// The kernel's id of the thread.
    pub os_id: u32,
}

/// A place in the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site<'a> {
    /// The path of the file, as the compiler was given it.
    pub file: Cow<'a, str>,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

/// The last poll that took too long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LongPoll<'a> {
    /// How long it took, or has been going on, in seconds.
    pub seconds: f64,
    /// Whether it is over.
    pub over: bool,
    /// The functions that its thread was in, innermost first.
    pub frames: Vec<Frame<'a>>,
    /// Why there are no frames.
    pub no_stack: Option<Cow<'a, str>>,
}

/// One way in which a task is suspended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch<'a> {
    /// The kinds of wait of the branch.
    pub wait: Vec<String>,
    /// Its async functions, innermost first.
    pub frames: Vec<Frame<'a>>,
}

/// A function on a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame<'a> {
    /// The name of the function; an address if that is not known.
    pub function: Cow<'a, str>,
    /// The path of its file.
    pub file: Option<Cow<'a, str>>,
    /// The line, from 1.
    pub line: Option<u32>,
}

/// The owner of tasks or resources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    /// Its name; of a request, method and route.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// How long ago it, or a scope above it, ended, in seconds; `None` if all are open.
    pub ended_seconds: Option<f64>,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// Why its token was cancelled; `parent` if that began at a scope above it.
    pub cancelled: Option<String>,
    /// Why the scope was cancelled at which the cancellation began.
    pub cancelled_root_reason: Option<String>,
    /// The name of the scope at which the cancellation began.
    pub cancelled_root_scope: Option<String>,
    /// How long ago its token was cancelled, in seconds; `None` also if somebody cancelled the raw
    /// token.
    pub cancelled_seconds: Option<f64>,
}

/// A tracked value that is held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource<'a> {
    /// The kind that it was tracked as.
    pub kind: Cow<'a, str>,
    /// How long ago it was acquired, in seconds.
    pub age_seconds: f64,
    /// Where it was acquired.
    pub acquired: Site<'a>,
    /// The task that acquired it.
    pub acquired_by: Option<Holder<'a>>,
    /// The task that used it last.
    pub last_used_by: Option<Holder<'a>>,
    /// How long ago it was used last, in seconds.
    pub unused_seconds: f64,
    /// The scope in which it was acquired.
    pub scope: Option<Scope>,
    /// Whether it looks like a leak.
    pub leak_suspect: bool,
}

/// A task that holds a resource, or held it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder<'a> {
    /// The id of the task.
    pub task: u64,
    /// The name of the task.
    pub name: Option<Cow<'a, str>>,
    /// `alive`, `gone` or `untracked`.
    pub state: String,
}
