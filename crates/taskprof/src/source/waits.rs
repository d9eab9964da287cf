//! Time that adds up while the program runs: waiting, waiting for locks, waiting for a worker, and
//! being polled.
//!
//! The numbers are those of [`taskscope::sampling`]; here they get columns, labels and a root. Not
//! here: how they are sampled (`taskscope-core`).

use std::time::{Duration, SystemTime};

use taskscope::sampling::{self, Activity, Report, Row};
use taskscope::{DumpOptions, Stacks, WaitKind, dump::NoTrace};

use super::{Seconds, Source, What};
use crate::error::Error;
use crate::profile::{Frame, Label, Profile, Sample, SampleType};
use crate::tasks::{spawned_at, suspended, tag};

type Types = [(&'static str, &'static str); 2];

/// The columns of Go's contention profiles, by exact name.
const CONTENTION: &Types = &[("contentions", "count"), ("delay", "nanoseconds")];
const POLLS: &Types = &[("polls", "count"), ("busy", "nanoseconds")];

pub(super) static BLOCK: Source = Source {
    name: "block",
    summary: "Where tasks have waited since sampling was switched on, and for how long; waits that still go on are included up to now.",
    sample_types: CONTENTION,
    seconds: Seconds::Cumulative,
    what: What::Profile(|| captured(CONTENTION, |row| row.activity == Activity::Waiting)),
    ready,
};

pub(super) static LOCK: Source = Source {
    name: "lock",
    summary: "Where tasks have waited for tokio's Mutex, RwLock and Semaphore since sampling was switched on, and for how long: by the stack of who waited.",
    sample_types: CONTENTION,
    seconds: Seconds::Cumulative,
    what: What::Profile(locks),
    ready,
};

pub(super) static SCHED: Source = Source {
    name: "sched",
    summary: "How long tasks that were woken, or new, have waited for a worker since sampling was switched on.",
    sample_types: CONTENTION,
    seconds: Seconds::Cumulative,
    what: What::Profile(|| captured(CONTENTION, |row| row.activity == Activity::Scheduled)),
    ready,
};

pub(super) static BUSY: Source = Source {
    name: "busy",
    summary: "How long tasks have kept their workers busy since sampling was switched on, by spawn site and scope.",
    sample_types: POLLS,
    seconds: Seconds::Cumulative,
    what: What::Profile(|| captured(POLLS, |row| row.activity == Activity::Running)),
    ready,
};

fn ready() -> Result<(), Error> {
    if sampling::sampled().is_zero() {
        return Err(Error::unavailable(
            "waits and polls have not been sampled in this process; taskscope::sampling::start() switches it on, and so does \
             taskprof's endpoint",
        ));
    }
    Ok(())
}

fn waits_for_lock(row: &Row) -> bool {
    const LOCKS: [WaitKind; 4] = [
        WaitKind::Mutex,
        WaitKind::RwLockRead,
        WaitKind::RwLockWrite,
        WaitKind::Semaphore,
    ];
    let waits = |kinds: &[WaitKind]| kinds.iter().any(|kind| LOCKS.contains(kind));
    row.activity == Activity::Waiting
        && row
            .trace
            .as_ref()
            .is_ok_and(|trace| waits(&trace.wait_reason().kinds))
}

/// Waits for locks, with a sentence about waits that cannot be told from them.
fn locks() -> Result<Profile, Error> {
    ready()?;
    let report = sampling::report();
    let mut profile = profile(&report, CONTENTION, waits_for_lock);
    profile.comments.extend(unclear(&report));
    Ok(profile)
}

/// A sentence about waits that only debug information could tell from others; `None` if there are
/// none.
fn unclear(report: &Report) -> Option<String> {
    let (mut count, mut time) = (0, Duration::ZERO);
    for row in report.rows.iter() {
        let unclear = row.activity == Activity::Waiting
            && row
                .trace
                .as_ref()
                .is_ok_and(|trace| trace.wait_reason().needs_debug_info);
        if unclear {
            count += row.count;
            time += row.time;
        }
    }
    (count > 0).then(|| {
        format!(
            "it is not clear of {count} waits, {:.1} s in all, whether they were for locks, because the program has no debug information: \
             needs debug = 1; those in a semaphore, which other things are made of, are counted here",
            time.as_secs_f64()
        )
    })
}

/// How often and how many nanoseconds, by stack. Labels: `scope`, `wait`, `stack` and `background`.
fn captured(types: &Types, wanted: impl Fn(&Row) -> bool) -> Result<Profile, Error> {
    ready()?;
    Ok(profile(&sampling::report(), types, wanted))
}

fn profile(report: &Report, types: &Types, wanted: impl Fn(&Row) -> bool) -> Profile {
    let [count, time] = types.map(|(kind, unit)| SampleType::new(kind, unit));
    let mut profile = Profile::new([count.clone(), time]);
    profile.period_type = Some(count);
    profile.period = 1;
    profile.time = SystemTime::now();
    let rows = report.rows.iter().filter(|row| wanted(row));
    profile.samples = rows.map(sample).collect();
    // Rows of different stacks can read the same: by what functions call each other, not by which
    // instruction.
    profile.aggregate();
    profile.comments = comments(report);
    profile
}

fn sample(row: &Row) -> Sample {
    let mut stack = match row.activity {
        Activity::Waiting => suspended(&row.trace, row.future),
        _ => vec![Frame::named(row.future)],
    };
    stack.push(spawned_at(row.site));
    let mut labels = Vec::new();
    if let Some(scope) = &row.scope {
        labels.push(Label::str("scope", tag(scope)));
    }
    if let (Activity::Waiting, Ok(trace)) = (row.activity, &row.trace) {
        labels.push(Label::str("wait", tag(&trace.wait_reason().to_string())));
    }
    if row.earlier {
        labels.push(Label::str("stack", "of an earlier wait"));
    }
    if row.background {
        labels.push(Label::str("background", "yes"));
    }
    let time = i64::try_from(row.time.as_nanos()).unwrap_or(i64::MAX);
    Sample {
        stack,
        values: vec![i64::try_from(row.count).unwrap_or(i64::MAX), time],
        labels,
    }
}

/// Sentences about how the numbers were estimated, and what is missing.
fn comments(report: &Report) -> Vec<String> {
    let sampled = report.sampled.as_secs_f64();
    let mut comments = vec![match report.sampling_rate {
        [0, 0] => format!("summed up over {sampled:.1} s; sampling is off now"),
        [late, others] => format!(
            "summed up over {sampled:.1} s; estimated from 1 poll in {late} of those that come a millisecond or more after the task's \
             last, 1 in {others} of the others, and all that lasts longer than {} ms",
            sampling::LONG_STRETCH.as_millis()
        ),
    }];
    let nothing = DumpOptions::new().stacks(Stacks::None).limit(0);
    for runtime in nothing.capture_blocking().runtimes {
        if runtime.untracked > 0 {
            comments.push(format!(
                "not in it: untracked tasks (plain tokio::spawn), {} of which are alive on runtime {}",
                runtime.untracked, runtime.number
            ));
        }
    }
    let of_rows = |wanted: &dyn Fn(&Row) -> bool| {
        let rows = report.rows.iter();
        let rows = rows.filter(|row| row.activity == Activity::Waiting && wanted(row));
        rows.map(|row| row.time).sum::<Duration>().as_secs_f64()
    };
    let earlier = of_rows(&|row| row.earlier);
    let nowhere = of_rows(&|row| {
        row.trace
            .as_ref()
            .is_err_and(|why| *why == NoTrace::NotAsked)
    });
    if earlier + nowhere > 0.0 {
        comments.push(format!(
            "waits longer than {} ms whose place is not known, because no task is polled for its stack: {earlier:.1} s are charged to where the \
             same tasks waited before (label stack), {nowhere:.1} s to the spawn site alone; taskscope::sampling::poll_long_waits(true) has them asked",
            sampling::LONG_STRETCH.as_millis()
        ));
    }
    if report.lost > 0 {
        comments.push(format!(
            "{} chosen polls or waits could not be added up, because others were in the way",
            report.lost
        ));
    }
    comments
}
