//! The table of all metrics: the page is made from it, and the list in docs/metrics.md is compared
//! with it.
//!
//! Names follow Prometheus: one prefix, base units, the unit last, ratios from 0 to 1. `_total` is
//! added to counters by the formats that want it. Not here: the figures (`snapshot.rs`).

use std::time::Duration;

use taskscope::census::Counts;
use taskscope::sampling::Histogram as Sampled;
use taskscope::{Verdict, sampling};

use super::counters;
#[cfg(test)]
use super::labels;
use super::snapshot::{Runtime, Snapshot};
use crate::source::runtime;
use crate::write::metrics::{Family, Histogram, Kind};

/// A metric.
pub(super) struct Metric {
    /// Without `_total`.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: Option<&'static str>,
    /// Names of its labels, in the order in which they are written.
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
    fill: Fill,
}

/// Adds the points.
type Fill = fn(&Snapshot, &mut Points);

/// The points of a metric: their values of labels in the order of its table entry.
pub(super) struct Points {
    labels: &'static [&'static str],
    family: Family,
}

impl Points {
    fn push<const N: usize>(&mut self, values: [&str; N], value: f64) {
        let mut names = self.labels.iter();
        // A value without a name is one too many: the writer refuses it, and so do the tests.
        let labels = values.map(|value| (names.next().copied().unwrap_or_default(), value));
        self.family.push(labels, value);
    }

    fn push_lengths(&mut self, sampled: &Sampled) {
        self.family.push_histogram([], lengths(sampled));
    }
}

impl Metric {
    /// The metric with its points.
    pub(super) fn family(&self, snapshot: &Snapshot) -> Family {
        let mut family = Family::new(self.kind, self.name, self.help);
        if let Some(unit) = self.unit {
            family = family.unit(unit);
        }
        let mut points = Points {
            labels: self.labels,
            family,
        };
        (self.fill)(snapshot, &mut points);
        points.family
    }
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    fill: Fill,
) -> Metric {
    Metric {
        name,
        kind: Kind::Gauge,
        unit: None,
        labels,
        help,
        fill,
    }
}

/// A gauge that the page `runtime` has, too.
const fn runtime_gauge(gauge: &runtime::RuntimeGauge, fill: Fill) -> Metric {
    self::gauge(gauge.name, RUNTIME, gauge.help, fill)
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    fill: Fill,
) -> Metric {
    Metric {
        kind: Kind::Counter,
        ..gauge(name, labels, help, fill)
    }
}

const fn histogram(name: &'static str, help: &'static str, fill: Fill) -> Metric {
    Metric {
        kind: Kind::Histogram,
        unit: Some("seconds"),
        ..gauge(name, &[], help, fill)
    }
}

impl Metric {
    const fn in_unit(self, unit: &'static str) -> Metric {
        Metric {
            unit: Some(unit),
            ..self
        }
    }
}

const RUNTIME: &[&str] = &["id", "runtime"];

/// Every metric, in the order of the page.
pub(super) static METRICS: &[Metric] = &[
    gauge(
        "taskscope_tasks",
        &["state", "verdict"],
        "Live tasks that have a record, background tasks included, by what they do and why they are still alive.",
        |snapshot, points| {
            for state in Counts::STATES {
                for verdict in Verdict::ALL {
                    let count = snapshot.breakdown.all.in_state(state, verdict);
                    points.push([state, verdict.slug()], count as f64);
                }
            }
        },
    ),
    gauge(
        "taskscope_leak_suspects",
        &[],
        "Tasks that look like a leak: they have outlived their scope, go on although it was cancelled, or can never be woken. Background tasks are left out.",
        |snapshot, points| points.push([], snapshot.breakdown.all.suspects() as f64),
    ),
    gauge(
        "taskscope_scope_tasks",
        &["scope", "verdict"],
        "Live tasks by the name of their scope, which is the route of a request. The first 100 names have a series.",
        |snapshot, points| {
            for (scope, counts) in &snapshot.scopes {
                for (verdict, count) in Verdict::ALL.into_iter().zip(counts.by_verdict) {
                    points.push([scope, verdict.slug()], count as f64);
                }
            }
        },
    ),
    gauge(
        "taskscope_scope_leak_suspects",
        &["scope"],
        "Tasks that look like a leak by the name of their scope.",
        |snapshot, points| {
            for (scope, counts) in &snapshot.scopes {
                points.push([scope], counts.suspects as f64);
            }
        },
    ),
    gauge(
        "taskscope_overflow_scope_tasks",
        &["verdict"],
        "Live tasks of scopes whose name came after the first 100 and has no series.",
        |snapshot, points| by_verdict(&snapshot.breakdown.others, points),
    ),
    gauge(
        "taskscope_unscoped_tasks",
        &["verdict"],
        "Live tasks that belong to no scope.",
        |snapshot, points| by_verdict(&snapshot.breakdown.without_scope, points),
    ),
    gauge(
        "taskscope_scope_held_bytes",
        &["scope"],
        "Memory that is held, by the name of the scope of the task that allocated it, ended or not; estimated from samples of taskprof::heap::Sampler. The first 100 names have a series.",
        |snapshot, points| {
            for (scope, bytes) in &snapshot.held.by_scope {
                points.push([scope], *bytes as f64);
            }
        },
    )
    .in_unit("bytes"),
    gauge(
        "taskscope_overflow_scope_held_bytes",
        &[],
        "Memory that is held and was allocated for scopes whose name came after the first 100 and has no series.",
        |snapshot, points| points.push([], snapshot.held.overflow as f64),
    )
    .in_unit("bytes"),
    gauge(
        "taskscope_unscoped_held_bytes",
        &[],
        "Memory that is held and was allocated by tasks without a scope, and outside of tasks; 0 in a program without taskprof::heap::Sampler.",
        |snapshot, points| points.push([], snapshot.held.without_scope as f64),
    )
    .in_unit("bytes"),
    gauge(
        "taskscope_growing_sites",
        &[],
        "Spawn sites whose number of live tasks has only grown in the last ten minutes.",
        |snapshot, points| points.push([], snapshot.growing_sites as f64),
    ),
    gauge(
        "taskscope_growing_site_tasks",
        &["site"],
        "Live tasks of the 20 spawn sites that grow most, by file, line and column.",
        |snapshot, points| {
            for (site, alive) in &snapshot.growing {
                points.push([site], *alive as f64);
            }
        },
    ),
    gauge(
        "taskscope_resources",
        &["kind"],
        "Tracked values that are held. The first 50 kinds have a series.",
        |snapshot, points| {
            for (kind, count) in &snapshot.resources {
                points.push([kind], *count as f64);
            }
        },
    ),
    gauge(
        "taskscope_overflow_resources",
        &[],
        "Tracked values of kinds that came after the first 50 and have no series.",
        |snapshot, points| points.push([], snapshot.resources_overflow as f64),
    ),
    histogram(
        "taskscope_task_wait_seconds",
        "How long tasks have waited, from the end of a poll to the wake. Counted when a wait ends, estimated from samples.",
        |snapshot, points| points.push_lengths(&snapshot.histograms.waiting),
    ),
    histogram(
        "taskscope_task_schedule_delay_seconds",
        "How long tasks that were woken or are new have waited for a worker. Counted when they are polled, estimated from samples.",
        |snapshot, points| points.push_lengths(&snapshot.histograms.scheduled),
    ),
    histogram(
        "taskscope_task_poll_seconds",
        "How long polls of tasks took. Counted when a poll ends, estimated from samples.",
        |snapshot, points| points.push_lengths(&snapshot.histograms.running),
    ),
    runtime_gauge(
        &runtime::WORKERS,
        |snapshot, points| runtimes(snapshot, points, |it| it.workers as f64),
    ),
    runtime_gauge(
        &runtime::LIVE_TASKS,
        |snapshot, points| runtimes(snapshot, points, |it| it.live as f64),
    ),
    runtime_gauge(
        &runtime::UNTRACKED_TASKS,
        |snapshot, points| runtimes(snapshot, points, |it| it.untracked as f64),
    ),
    runtime_gauge(
        &runtime::GLOBAL_QUEUE_TASKS,
        |snapshot, points| runtimes(snapshot, points, |it| it.global_queue as f64),
    ),
    runtime_gauge(
        &runtime::BUSY_RATIO,
        |snapshot, points| runtimes(snapshot, points, |it| it.busy_ratio),
    )
    .in_unit("ratio"),
    gauge(
        "taskscope_runtime_blocked_workers",
        RUNTIME,
        "Workers that have neither parked nor told anything since the last census, half a second ago or more: they are in one poll.",
        |snapshot, points| runtimes(snapshot, points, |it| it.blocked as f64),
    ),
    counter(
        "taskscope_runtime_busy_seconds",
        RUNTIME,
        "Time that workers were not parked, all together. A poll counts when it has ended.",
        |snapshot, points| runtimes(snapshot, points, |it| it.busy.as_secs_f64()),
    )
    .in_unit("seconds"),
    counter(
        "taskscope_runtime_parks",
        RUNTIME,
        "How often workers had nothing to do and parked.",
        |snapshot, points| runtimes(snapshot, points, |it| it.parks as f64),
    ),
    gauge(
        "taskscope_overflow_runtimes",
        &[],
        "Runtimes that came after the first 32 and have no series.",
        |snapshot, points| points.push([], snapshot.runtimes_overflow as f64),
    ),
    counter(
        "taskscope_captures",
        &["source"],
        "Profiles that were captured for the pages, by source.",
        |_, points| {
            for (source, count) in counters::captures() {
                points.push([source], count as f64);
            }
        },
    ),
    counter(
        "taskscope_requests_refused",
        &[],
        "Requests that were turned away with 429 or 503, because too much was going on or captures were ended.",
        |_, points| points.push([], counters::refusals() as f64),
    ),
    gauge(
        "taskscope_sampling_enabled",
        &[],
        "1 while polls and waits are sampled; while it is 0 the three histograms stand still.",
        |_, points| points.push([], f64::from(u8::from(sampling::is_on()))),
    ),
    counter(
        "taskscope_sampling_lost",
        &[],
        "Polls and waits that were chosen and are missing from the profiles block, lock, sched and busy.",
        |snapshot, points| points.push([], snapshot.losses.rows as f64),
    ),
    counter(
        "taskscope_sampling_without_room",
        &[],
        "Polls and waits that are in those profiles without their stack and scope, because 16384 rows were there.",
        |snapshot, points| points.push([], snapshot.losses.without_room as f64),
    ),
    counter(
        "taskscope_lengths_lost",
        &[],
        "Polls and waits that were chosen and are missing from the three histograms.",
        |snapshot, points| points.push([], snapshot.losses.histograms as f64),
    ),
    counter(
        "taskscope_lost_wakeups",
        &[],
        "Tasks that have ended only because a dump polled them for their stack: nothing had woken them.",
        |_, points| points.push([], taskscope::lost_wakeups::count() as f64),
    ),
    counter(
        "taskscope_scopes_unreported",
        &[],
        "Scopes that have ended with live tasks and were not reported, because too many were waiting for it.",
        |snapshot, points| points.push([], snapshot.stats.scopes_unreported as f64),
    ),
    gauge(
        "taskscope_cpu_sampling_enabled",
        &[],
        "1 while the CPU is sampled all the time, which the following need; while it is 0 they stand still.",
        |snapshot, points| points.push([], f64::from(u8::from(snapshot.cpu_sampled))),
    ),
    counter(
        "taskscope_scope_cpu_seconds",
        &["scope"],
        "CPU time of tasks by the name of their scope, estimated from samples. The first 100 names have a series.",
        |snapshot, points| {
            for (scope, seconds) in &snapshot.cpu_by_scope {
                points.push([scope], *seconds);
            }
        },
    )
    .in_unit("seconds"),
    counter(
        "taskscope_overflow_scope_cpu_seconds",
        &[],
        "CPU time of tasks in scopes whose name came after the first 100 and has no series.",
        |snapshot, points| points.push([], snapshot.cpu.overflow.as_secs_f64()),
    )
    .in_unit("seconds"),
    counter(
        "taskscope_unscoped_cpu_seconds",
        &[],
        "CPU time of tasks without a scope, and of everything else that the process does.",
        |snapshot, points| points.push([], snapshot.cpu.unscoped.as_secs_f64()),
    )
    .in_unit("seconds"),
    counter(
        "taskscope_cpu_samples_lost",
        &[],
        "Samples of the CPU that are missing from these figures.",
        |snapshot, points| points.push([], snapshot.cpu.lost as f64),
    ),
    gauge(
        "taskscope_record_bytes",
        &[],
        "Memory of the records: as many as there were tasks at the busiest moment.",
        |snapshot, points| points.push([], snapshot.stats.record_bytes as f64),
    )
    .in_unit("bytes"),
    gauge(
        "taskscope_census_seconds",
        &[],
        "How long it took to count the tasks for this answer.",
        |snapshot, points| points.push([], snapshot.breakdown.census.took.as_secs_f64()),
    )
    .in_unit("seconds"),
    gauge(
        "taskscope_scrape_seconds",
        &[],
        "How long this answer took until it was written down, with its turns and the 50 ms in which runtimes are watched.",
        |snapshot, points| points.push([], snapshot.began.elapsed().as_secs_f64()),
    )
    .in_unit("seconds"),
];

fn by_verdict(counts: &Counts, points: &mut Points) {
    for verdict in Verdict::ALL {
        points.push([verdict.slug()], counts.of(verdict) as f64);
    }
}

fn runtimes(snapshot: &Snapshot, points: &mut Points, figure: fn(&Runtime) -> f64) {
    for runtime in &snapshot.runtimes {
        let labels = [&*runtime.id, &*runtime.name];
        points.push(labels, figure(runtime));
    }
}

fn lengths(sampled: &Sampled) -> Histogram {
    let buckets = sampled.buckets.iter();
    let seconds = |bound: &Duration| bound.as_secs_f64();
    let buckets = buckets.map(|(bound, count)| (seconds(bound), *count));
    Histogram::new(buckets, sampled.above, Some(sampled.sum.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fmt::Write as _;
    use std::path::Path;

    use super::*;

    /// The list as docs/metrics.md has it.
    fn listed() -> String {
        let mut out =
            String::from("| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n");
        for metric in METRICS {
            let (kind, suffix) = (metric.kind.name(), metric.kind.suffix());
            let labels: Vec<_> = metric
                .labels
                .iter()
                .map(|name| format!("`{name}`"))
                .collect();
            let (name, labels) = (metric.name, labels.join(", "));
            writeln!(
                out,
                "| `{name}{suffix}` | {kind} | {labels} | {} |",
                metric.help
            )
            .unwrap();
        }
        out
    }

    #[test]
    fn the_documentation_lists_every_metric_as_the_table_has_it() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
        let text = std::fs::read_to_string(path).unwrap();
        let listed = listed();
        assert!(
            text.contains(&listed),
            "put this in place of the list in docs/metrics.md:\n\n{listed}"
        );
    }

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        let mut names = HashSet::new();
        for metric in METRICS {
            let name = metric.name;
            assert!(names.insert(name), "{name} is there twice");
            assert!(name.starts_with("taskscope_"), "{name}");
            let allowed = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(name.chars().all(allowed), "{name}");
            let words: Vec<&str> = name.split('_').collect();
            let types = [
                "counter",
                "gauge",
                "histogram",
                "summary",
                "total",
                "count",
                "sum",
                "info",
            ];
            assert!(!words.iter().any(|word| types.contains(word)), "{name}");
            for unit in ["seconds", "bytes", "ratio"] {
                let is_last = words.last() == Some(&unit);
                assert_eq!(metric.unit == Some(unit), is_last, "{name}");
                assert!(
                    is_last || !words.contains(&unit),
                    "{name}: the unit is last"
                );
            }
            assert!(metric.help.ends_with('.'), "{name}: {}", metric.help);
            // A cell of a table in Markdown.
            assert!(!metric.help.contains(['|', '\n']), "{name}");
        }
    }

    #[test]
    fn limits_that_the_help_tells_are_those_that_hold() {
        for (name, limit) in [
            ("taskscope_scope_tasks", labels::MAX_SCOPES),
            ("taskscope_overflow_scope_tasks", labels::MAX_SCOPES),
            ("taskscope_growing_site_tasks", labels::MAX_SITES),
            ("taskscope_scope_held_bytes", labels::MAX_SCOPES),
            ("taskscope_overflow_scope_held_bytes", labels::MAX_SCOPES),
            ("taskscope_resources", labels::MAX_KINDS),
            ("taskscope_overflow_resources", labels::MAX_KINDS),
            ("taskscope_runtime_workers", labels::MAX_RUNTIMES),
            ("taskscope_overflow_runtimes", labels::MAX_RUNTIMES),
            ("taskscope_sampling_without_room", sampling::MAX_ROWS),
        ] {
            let metric = METRICS.iter().find(|metric| metric.name == name).unwrap();
            assert!(metric.help.contains(&limit.to_string()), "{name}: {limit}");
        }
    }
}
