//! Metrics of this process, for scrapers.
//!
//! One table (`table.rs`) has every metric; the page is made from it, and the list in
//! docs/metrics.md is compared with it. A scrape counts all tasks once (`snapshot.rs`) and is never
//! a dump: no task is polled or woken, no stack is looked up. Every label is bounded (`labels.rs`),
//! because a store makes a series of each value and keeps it.
//!
//! Not here: the text formats (`taskprof-format`), the request (`http/metrics.rs`), the page
//! `runtime`, which shares some of the gauges (`source/runtime.rs`).

pub(crate) mod counters;
#[cfg(feature = "metrics")]
mod labels;
#[cfg(feature = "metrics")]
mod snapshot;
#[cfg(feature = "metrics")]
mod table;

#[cfg(feature = "metrics")]
pub(crate) use self::page::write;

#[cfg(feature = "metrics")]
mod page {
    use std::time::Instant;

    use super::snapshot::Snapshot;
    use super::table::METRICS;
    use crate::cpu_permit;
    use crate::error::Error;
    use crate::offload::CancelCheck;
    use crate::write::metrics::Family;
    use crate::write::{openmetrics, prometheus};

    /// Takes a snapshot and writes it, one scrape at a time.
    pub(crate) fn write(old_format: bool, cancel: &CancelCheck) -> Result<String, Error> {
        let began = Instant::now();
        let snapshot = Snapshot::take(began, cancel);
        let _permit = cpu_permit::PROMPT.acquire_blocking();
        let families: Vec<Family> = METRICS
            .iter()
            .map(|metric| metric.family(&snapshot))
            .collect();
        let text = if old_format {
            prometheus(&families)
        } else {
            openmetrics(&families)
        };
        Ok(text?)
    }
}
