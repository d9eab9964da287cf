//! The tokio runtimes, with figures of tokio-metrics.
//!
//! Not here: figures of runtimes on the page `metrics` (`metrics/`), which takes its gauges from
//! here.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use taskscope::text;
use taskscope::{DumpOptions, Stacks, dump::RuntimeInfo, text::Plain};
use tokio_metrics::{RuntimeMetrics, RuntimeMonitor};

use super::{Seconds, Source, TextView, What, always};
use crate::error::Error;
use crate::offload::{self, CancelCheck};
use crate::write::metrics::Family;
use crate::write::{OPENMETRICS_TYPE, PROMETHEUS_TYPE, openmetrics, prometheus};

pub(super) static SOURCE: Source = Source {
    name: "runtime",
    summary: "The tokio runtimes: workers, tasks, and how busy they were in the last 50 ms, by tokio-metrics.",
    sample_types: &[],
    seconds: Seconds::Never,
    what: What::Text(&[
        TextView {
            format: "text",
            content_type: "text/plain; charset=utf-8",
            write: |cancel| Ok(write_text(&read(cancel)).into_bytes()),
        },
        TextView {
            format: "json",
            content_type: "application/json",
            write: |cancel| write_json(&read(cancel)),
        },
        TextView {
            format: "openmetrics",
            content_type: OPENMETRICS_TYPE,
            write: |cancel| Ok(openmetrics(&families(&read(cancel)))?.into_bytes()),
        },
        TextView {
            format: "prometheus",
            content_type: PROMETHEUS_TYPE,
            write: |cancel| Ok(prometheus(&families(&read(cancel)))?.into_bytes()),
        },
    ]),
    ready: always,
};

/// At most this many runtimes have series, because a store keeps each one that it was ever sent.
pub(crate) const MAX_SERIES: usize = 32;

/// How long the runtimes are watched for their figures.
pub(crate) const WATCHED: Duration = Duration::from_millis(50);

/// The runtimes with tokio-metrics' figures for a short while.
pub(crate) fn watch<'a>(
    runtimes: &'a [RuntimeInfo],
    cancel: &CancelCheck,
) -> Vec<(&'a RuntimeInfo, Option<RuntimeMetrics>)> {
    let mut watched: Vec<_> = runtimes
        .iter()
        .map(|info| (info, RuntimeMonitor::new(info.handle()).intervals()))
        .collect();
    cancel.sleep(WATCHED);
    watched
        .iter_mut()
        .map(|(info, intervals)| (*info, intervals.next()))
        .collect()
}

/// The runtimes as text: one line for each, `name value` pairs.
///
/// # Errors
///
/// [`is_sampler`](Error::is_sampler) if no thread could be started.
pub async fn text() -> Result<String, Error> {
    offload::run("taskprof-dump", |cancel| write_text(&read(cancel))).await
}

/// The runtimes as JSON, schema version 1:
///
/// ```json
/// {
///   "version": 1,
///   "runtimes": [
///     {
///       "id": 1, "name": "orders", "flavor": "multi_thread", "workers": 2, "tracked": 5, "untracked": 3,
///       "seconds": 0.1, "busy_seconds": 0.02, "busy_ratio": 0.1, "parks": 12, "global_queue": 0
///     }
///   ]
/// }
/// ```
///
/// `busy_seconds` is the sum over all workers in the `seconds` that they were watched, and
/// `busy_ratio` its share of their time. A poll that has not ended is not counted. `name` may be
/// `null`.
///
/// # Errors
///
/// [`is_sampler`](Error::is_sampler) if no thread could be started.
pub async fn json() -> Result<String, Error> {
    let bytes = offload::run("taskprof-dump", |cancel| write_json(&read(cancel))).await??;
    String::from_utf8(bytes).map_err(|e| Error::write("JSON is not UTF-8").caused_by(e))
}

#[derive(Serialize)]
struct RuntimesOut {
    version: u32,
    runtimes: Vec<RuntimeOut>,
}

#[derive(Serialize)]
struct RuntimeOut {
    id: u64,
    name: Option<String>,
    flavor: &'static str,
    workers: usize,
    tracked: usize,
    untracked: usize,
    seconds: f64,
    busy_seconds: f64,
    busy_ratio: f64,
    parks: u64,
    global_queue: usize,
}

fn read(cancel: &CancelCheck) -> RuntimesOut {
    // Without tasks: only the runtimes are read.
    let nothing = DumpOptions::new().stacks(Stacks::None).limit(0);
    let dump = nothing.capture_blocking();
    let runtimes = watch(&dump.runtimes, cancel);
    let out = runtimes.into_iter().map(|(info, metrics)| {
        let metrics = metrics.unwrap_or_default();
        let (seconds, busy) = (
            metrics.elapsed.as_secs_f64(),
            metrics.total_busy_duration.as_secs_f64(),
        );
        let time = seconds * info.workers.max(1) as f64;
        RuntimeOut {
            id: info.number,
            name: info.name.as_deref().map(str::to_owned),
            flavor: info.flavor,
            workers: info.workers,
            tracked: info.tracked,
            untracked: info.untracked,
            seconds,
            busy_seconds: busy,
            busy_ratio: if time > 0.0 { busy / time } else { 0.0 },
            parks: metrics.total_park_count,
            global_queue: metrics.global_queue_depth,
        }
    });
    RuntimesOut {
        version: 1,
        runtimes: out.collect(),
    }
}

/// A gauge of each runtime that this page and `metrics` both have, under one name.
#[derive(Debug)]
pub(crate) struct RuntimeGauge {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
}

pub(crate) const WORKERS: RuntimeGauge = RuntimeGauge {
    name: "taskscope_runtime_workers",
    help: "Worker threads of a tokio runtime. The first 32 runtimes have series.",
};
pub(crate) const LIVE_TASKS: RuntimeGauge = RuntimeGauge {
    name: "taskscope_runtime_live_tasks",
    help: "Tasks that tokio counts, with and without a record.",
};
pub(crate) const UNTRACKED_TASKS: RuntimeGauge = RuntimeGauge {
    name: "taskscope_runtime_untracked_tasks",
    help: "Live tasks without a record: spawned with tokio's own functions, they are counted and not looked into.",
};
pub(crate) const GLOBAL_QUEUE_TASKS: RuntimeGauge = RuntimeGauge {
    name: "taskscope_runtime_global_queue_tasks",
    help: "Tasks in the global queue.",
};
pub(crate) const BUSY_RATIO: RuntimeGauge = RuntimeGauge {
    name: "taskscope_runtime_busy_ratio",
    help: "Share of the workers' time that was spent in polls, in 50 ms before the answer. For longer times take the rate of taskscope_runtime_busy_seconds_total.",
};

/// The figures as a scraper collects them: only gauges, because counts of so short a time are no
/// counters.
fn families(out: &RuntimesOut) -> Vec<Family> {
    type Figure = fn(&RuntimeOut) -> f64;
    let figures: [(RuntimeGauge, Figure); 5] = [
        (WORKERS, |it| it.workers as f64),
        (LIVE_TASKS, |it| (it.tracked + it.untracked) as f64),
        (UNTRACKED_TASKS, |it| it.untracked as f64),
        (BUSY_RATIO, |it| it.busy_ratio),
        (GLOBAL_QUEUE_TASKS, |it| it.global_queue as f64),
    ];
    let of = |(gauge, figure): (RuntimeGauge, Figure)| {
        let mut family = Family::gauge(gauge.name, gauge.help);
        if gauge.name == BUSY_RATIO.name {
            family = family.unit("ratio");
        }
        for runtime in out.runtimes.iter().take(MAX_SERIES) {
            let id = runtime.id.to_string();
            let name = runtime.name.as_deref().unwrap_or_default();
            family.push([("id", &*id), ("runtime", name)], figure(runtime));
        }
        family
    };
    figures.into_iter().map(of).collect()
}

fn write_text(out: &RuntimesOut) -> String {
    let mut text = format!("runtimes: {}\n", out.runtimes.len());
    for runtime in &out.runtimes {
        let name = runtime
            .name
            .as_deref()
            .map(|name| format!(" {}", Plain(name)))
            .unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "\nruntime {}{name}: {}, {} workers\n  tasks    {} tracked, {} untracked\n  busy     {:.1} % of {:.3} s\n  parks    {}\n  queue    {}",
            runtime.id,
            runtime.flavor,
            runtime.workers,
            runtime.tracked,
            runtime.untracked,
            runtime.busy_ratio * 100.0,
            runtime.seconds,
            runtime.parks,
            runtime.global_queue
        );
    }
    text
}

fn write_json(out: &RuntimesOut) -> Result<Vec<u8>, Error> {
    let json = serde_json::to_string_pretty(out)
        .map_err(|e| Error::write("the runtimes could not be written as JSON").caused_by(e))?;
    let mut json = text::json(&json).into_owned();
    json.push('\n');
    Ok(json.into_bytes())
}
