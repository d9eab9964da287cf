//! What adds up while the program runs: time spent waiting, waiting for locks, waiting for a worker, and being polled.
//!
//! Each is a list of [`Row`]s that only grow. Where they come from is [`rows`], the one place to change; the columns and labels are made here.

use std::borrow::Cow;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use taskscope::Plain;

use super::{Seconds, Source, What};
use crate::error::Error;
use crate::profile::{Frame, Label, Profile, Sample, SampleType};

/// What contention profiles of Go have, by exact name.
const CONTENTION: &[(&str, &str); 2] = &[("contentions", "count"), ("delay", "nanoseconds")];
const POLLS: &[(&str, &str); 2] = &[("polls", "count"), ("busy", "nanoseconds")];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Wait,
    Lock,
    Sched,
    Busy,
}

pub(super) static BLOCK: Source = Source {
    name: "block",
    summary: "Where tasks have waited since the program began, and for how long; waits that still go on included up to now.",
    sample_types: CONTENTION,
    seconds: Seconds::Cumulative,
    what: What::Profile(|| captured(Kind::Wait, CONTENTION)),
    ready: || rows(Kind::Wait).map(drop),
};

pub(super) static LOCK: Source = Source {
    name: "lock",
    summary: "Where tasks have waited for tokio's Mutex, RwLock and Semaphore since the program began, and for how long.",
    sample_types: CONTENTION,
    seconds: Seconds::Cumulative,
    what: What::Profile(|| captured(Kind::Lock, CONTENTION)),
    ready: || rows(Kind::Lock).map(drop),
};

pub(super) static SCHED: Source = Source {
    name: "sched",
    summary: "How long tasks that were woken have waited for a worker since the program began.",
    sample_types: CONTENTION,
    seconds: Seconds::Cumulative,
    what: What::Profile(|| captured(Kind::Sched, CONTENTION)),
    ready: || rows(Kind::Sched).map(drop),
};

pub(super) static BUSY: Source = Source {
    name: "busy",
    summary: "How long tasks have kept their workers busy since the program began, by spawn site and scope.",
    sample_types: POLLS,
    seconds: Seconds::Cumulative,
    what: What::Profile(|| captured(Kind::Busy, POLLS)),
    ready: || rows(Kind::Busy).map(drop),
};

/// One line of what adds up: the same place, the same scope, the same kind of wait.
#[derive(Debug, Clone)]
pub struct Row {
    /// The async functions, leaf first; or why nobody knows them.
    pub stack: Result<Vec<Frame>, Cow<'static, str>>,
    /// Where the tasks were spawned.
    pub site: Option<&'static Location<'static>>,
    /// The name of their scope.
    pub scope: Option<Arc<str>>,
    /// What they waited for, in words.
    pub wait: Option<Cow<'static, str>>,
    /// How often.
    pub count: u64,
    /// For how long, together.
    pub time: Duration,
}

/// What has been added up so far. The seam to whoever samples: nobody does yet.
fn rows(kind: Kind) -> Result<Vec<Row>, Error> {
    let what = match kind {
        Kind::Wait => "waits are not sampled",
        Kind::Lock => "waits for locks are not sampled",
        Kind::Sched => "waits for a worker are not sampled",
        Kind::Busy => "poll times are not sampled",
    };
    Err(Error::unavailable(format!(
        "{what} in this process, so there is nothing to show"
    )))
}

fn captured(
    kind: Kind,
    types: &'static [(&'static str, &'static str); 2],
) -> Result<Profile, Error> {
    Ok(cumulative(types, rows(kind)?))
}

/// Makes a profile of rows: two columns, how often and how many nanoseconds.
///
/// The root frame is `spawned at FILE:LINE`. Labels: `scope` and `wait`. Rows of the same stack and labels become one sample, so two profiles of
/// the same growing rows can be subtracted.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use taskprof::profile::Frame;
/// use taskprof::source::{Row, cumulative};
///
/// let row = Row {
///     stack: Ok(vec![Frame::named("recv"), Frame::named("worker")]),
///     site: None,
///     scope: None,
///     wait: Some("mpsc recv".into()),
///     count: 2,
///     time: Duration::from_millis(5),
/// };
/// let profile = cumulative(&[("contentions", "count"), ("delay", "nanoseconds")], [row]);
/// assert_eq!(profile.samples[0].values, [2, 5_000_000]);
/// ```
pub fn cumulative(
    types: &'static [(&'static str, &'static str); 2],
    rows: impl IntoIterator<Item = Row>,
) -> Profile {
    let [count, time] = types.map(|(kind, unit)| SampleType::new(kind, unit));
    let mut profile = Profile::new([count.clone(), time]);
    profile.period_type = Some(count);
    profile.period = 1;
    profile.samples = rows.into_iter().map(sample).collect();
    profile.aggregate();
    profile
}

fn sample(row: Row) -> Sample {
    let mut stack = row
        .stack
        .unwrap_or_else(|why| vec![Frame::named(format!("({why})"))]);
    if let Some(site) = row.site {
        stack.push(Frame::Named {
            name: format!("spawned at {}:{}", site.file(), site.line()).into(),
            file: Some(site.file().into()),
            line: Some(site.line()),
        });
    }
    // As in profiles of tasks: a quote or a control character confuses `go tool pprof` and dot.
    let label = |key, text: &str| Label::str(key, Plain(text).to_string().replace('"', "'"));
    let mut labels = Vec::new();
    labels.extend(row.scope.map(|scope| label("scope", &scope)));
    labels.extend(row.wait.map(|wait| label("wait", &wait)));
    let nanoseconds = i64::try_from(row.time.as_nanos()).unwrap_or(i64::MAX);
    Sample {
        stack,
        values: vec![i64::try_from(row.count).unwrap_or(i64::MAX), nanoseconds],
        labels,
    }
}
