//! Held and allocated memory: one profile of four columns under two names, as in Go.
//!
//! Not here: the samples and their sums (`heap/`).

use super::{Seconds, Source, What};
use crate::heap::{COLUMNS, captured, ready};

pub(super) static HEAP: Source = Source {
    name: "heap",
    summary: "Memory that is held now, by the stack, task and route that allocated it; estimated from samples. Needs taskprof::heap::Sampler.",
    sample_types: COLUMNS,
    seconds: Seconds::Instantaneous,
    what: What::Profile(|| captured("inuse_space")),
    ready,
};

pub(super) static ALLOCS: Source = Source {
    name: "allocs",
    summary: "Memory that was allocated since the program began, freed or not, by stack, task and route; estimated from samples. Needs taskprof::heap::Sampler.",
    sample_types: COLUMNS,
    seconds: Seconds::Cumulative,
    what: What::Profile(|| captured("alloc_space")),
    ready,
};
