//! The runtimes and what tokio-metrics says of them.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use taskscope::{DumpOptions, Plain, RuntimeInfo, Stacks};
use tokio_metrics::{RuntimeMetrics, RuntimeMonitor};

use super::{Seconds, Source, TextView, What, always};
use crate::error::Error;
use crate::offload::{self, Wanted};

pub(super) static SOURCE: Source = Source {
    name: "runtime",
    summary: "The tokio runtimes: workers, tasks, and how busy they were in the last 100 ms, by tokio-metrics.",
    sample_types: &[],
    seconds: Seconds::Never,
    what: What::Text(&[
        TextView {
            format: "text",
            content_type: "text/plain; charset=utf-8",
            write: |wanted| Ok(write_text(&look(wanted)).into_bytes()),
        },
        TextView {
            format: "json",
            content_type: "application/json",
            write: |wanted| write_json(&look(wanted)),
        },
    ]),
    ready: always,
};

/// How long the runtimes are watched for their figures.
pub(crate) const WATCHED: Duration = Duration::from_millis(100);

/// The runtimes with tokio-metrics' figures for a short while.
pub(crate) fn watch<'a>(
    runtimes: &'a [RuntimeInfo],
    wanted: &Wanted,
) -> Vec<(&'a RuntimeInfo, Option<RuntimeMetrics>)> {
    let mut watched: Vec<_> = runtimes
        .iter()
        .map(|info| (info, RuntimeMonitor::new(info.handle()).intervals()))
        .collect();
    wanted.sleep(WATCHED);
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
    offload::run("taskprof-look", |wanted| write_text(&look(wanted))).await
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
/// `busy_seconds` is the sum of all workers in the `seconds` that they were watched, and `busy_ratio` that of all their time. A poll that has
/// not ended is not in it. `name` may be `null`.
///
/// # Errors
///
/// [`is_sampler`](Error::is_sampler) if no thread could be started.
pub async fn json() -> Result<String, Error> {
    let bytes = offload::run("taskprof-look", |wanted| write_json(&look(wanted))).await??;
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

fn look(wanted: &Wanted) -> RuntimesOut {
    let dump = DumpOptions::new().stacks(Stacks::None).capture_blocking();
    let runtimes = watch(&dump.runtimes, wanted);
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
    let mut json = serde_json::to_vec_pretty(out)
        .map_err(|e| Error::write("the runtimes could not be written as JSON").caused_by(e))?;
    json.push(b'\n');
    Ok(json)
}
