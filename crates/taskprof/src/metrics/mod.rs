//! What a scraper collects: the figures of this process as metrics.
//!
//! One table (`table.rs`) says which metrics there are; the page and the list in docs/metrics.md are made from it. A scrape is one count of all tasks, and never a dump: no task is
//! polled or woken, no stack is looked up. Every label is bounded (`labels.rs`), because a store makes a series of each value and keeps it.
//!
//! Not here: how metrics are written (`write/`), the request (`http/metrics.rs`), the few figures of the page `runtime` (`source/runtime.rs`).

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

    /// The metrics as text, of this moment. Takes its turns among scrapes, and sleeps in between.
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
