//! The source of CPU profiles.
//!
//! Not here: the capture (`cpu/`).

use super::{Seconds, Source, What, always};

pub(super) static SOURCE: Source = Source {
    name: "cpu",
    summary: "Where the process spends CPU time: samples its running threads for some seconds. Captures that overlap share one sampler.",
    sample_types: &[("samples", "count"), ("cpu", "nanoseconds")],
    seconds: Seconds::Timed,
    what: What::Cpu,
    ready: always,
};
