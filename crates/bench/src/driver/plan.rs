//! The measurements for the report, and how often each is repeated.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::variants::Name as Variant;
use crate::worker::Flavour;
use crate::workloads::Name as Workload;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Effort {
    /// Two minutes: shows that everything works, and large differences
    Quick,
    /// A quarter of an hour: what the report should be made of
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Allocator {
    Glibc,
    Jemalloc,
}

/// Variants that are measured side by side, in turns.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    pub(crate) workload: Workload,
    pub(crate) runtime: Flavour,
    pub(crate) allocator: Allocator,
    pub(crate) n: u64,
    pub(crate) rounds: usize,
    pub(crate) variants: &'static [Variant],
    /// Whether instructions are counted, too.
    pub(crate) instructions: bool,
}

const ALL: &[Variant] = &[
    Variant::Bare,
    Variant::TokioMetrics,
    Variant::TracingSpan,
    Variant::AsyncBacktrace,
    Variant::AwaitTree,
    Variant::Taskscope,
    Variant::TaskscopeInScope,
    Variant::TaskscopeSampling,
    Variant::TaskscopeOff,
];
const US: &[Variant] = &[Variant::Taskscope];
const BARE_AND_US: &[Variant] = &[Variant::Bare, Variant::Taskscope];
const WITH_DUMPS: &[Variant] = &[
    Variant::AsyncBacktrace,
    Variant::AwaitTree,
    Variant::Taskscope,
];
const HTTP_DUMPS: &[Variant] = &[
    Variant::Bare,
    Variant::AsyncBacktrace,
    Variant::AwaitTree,
    Variant::Taskscope,
];

pub(crate) fn sections(effort: Effort) -> Vec<Section> {
    let mut sections = Vec::new();
    operations(effort, &mut sections);
    memory(effort, &mut sections);
    dumps(effort, &mut sections);
    service(effort, &mut sections);
    known(effort, &mut sections);
    askers(effort, &mut sections);
    sections
}

fn operations(effort: Effort, sections: &mut Vec<Section>) {
    for allocator in [Allocator::Glibc, Allocator::Jemalloc] {
        for runtime in [Flavour::Current, Flavour::Multi] {
            for workload in [Workload::Spawn, Workload::SelfWake, Workload::PingPong] {
                let (rounds, n) = match (effort, allocator) {
                    (Effort::Quick, Allocator::Glibc) => (5, 300_000),
                    (Effort::Quick, Allocator::Jemalloc) => (3, 200_000),
                    (Effort::Full, Allocator::Glibc) => (15, 600_000),
                    (Effort::Full, Allocator::Jemalloc) => (9, 600_000),
                };
                sections.push(Section {
                    workload,
                    runtime,
                    allocator,
                    n,
                    rounds,
                    variants: ALL,
                    // Threads take turns in valgrind, so that counts of several of them mean
                    // little.
                    instructions: runtime == Flavour::Current
                        && (allocator == Allocator::Glibc || effort == Effort::Full),
                });
            }
        }
    }
}

fn memory(effort: Effort, sections: &mut Vec<Section>) {
    let mut idle = |runtime, allocator, n, rounds, variants| {
        sections.push(Section {
            workload: Workload::Idle,
            runtime,
            allocator,
            n,
            rounds,
            variants,
            instructions: false,
        });
    };
    for allocator in [Allocator::Glibc, Allocator::Jemalloc] {
        idle(Flavour::Current, allocator, 100_000, 1, ALL);
        if effort == Effort::Full {
            idle(Flavour::Current, allocator, 1_000_000, 2, ALL);
            idle(Flavour::Multi, allocator, 1_000_000, 2, BARE_AND_US);
        }
    }
}

fn dumps(effort: Effort, sections: &mut Vec<Section>) {
    let mut dump = |workload, runtime, allocator, n, rounds, variants| {
        sections.push(Section {
            workload,
            runtime,
            allocator,
            n,
            rounds,
            variants,
            instructions: false,
        });
    };
    let (rounds, million) = match effort {
        Effort::Quick => (1, 1),
        Effort::Full => (3, 5),
    };
    for runtime in [Flavour::Current, Flavour::Multi] {
        if effort == Effort::Full || runtime == Flavour::Current {
            for workload in [Workload::DumpAlike, Workload::DumpMixed] {
                dump(workload, runtime, Allocator::Glibc, 1_000_000, million, US);
            }
        }
        dump(
            Workload::DumpAlike,
            runtime,
            Allocator::Glibc,
            100_000,
            rounds,
            WITH_DUMPS,
        );
    }
    if effort == Effort::Full {
        dump(
            Workload::DumpMixed,
            Flavour::Current,
            Allocator::Jemalloc,
            1_000_000,
            rounds,
            US,
        );
    }
}

fn known(effort: Effort, sections: &mut Vec<Section>) {
    let (n, rounds) = match effort {
        Effort::Quick => (5, 1),
        Effort::Full => (20, 5),
    };
    for workload in [Workload::Known, Workload::KnownBusy] {
        sections.push(Section {
            workload,
            runtime: Flavour::Multi,
            allocator: Allocator::Glibc,
            n,
            rounds,
            variants: US,
            instructions: false,
        });
    }
}

fn askers(effort: Effort, sections: &mut Vec<Section>) {
    let mut endpoint = |workload, n| {
        sections.push(Section {
            workload,
            runtime: Flavour::Multi,
            allocator: Allocator::Glibc,
            n,
            rounds: 1,
            variants: US,
            instructions: false,
        });
    };
    match effort {
        Effort::Quick => {
            endpoint(Workload::Askers, 4);
            endpoint(Workload::AskersFixed, 4);
            endpoint(Workload::Blocked, 1);
        }
        Effort::Full => {
            // Fifteen pairs of windows; the question is whether it is less than 5 %.
            endpoint(Workload::Askers, 60);
            endpoint(Workload::AskersFixed, 150);
            endpoint(Workload::Blocked, 10);
        }
    }
}

fn service(effort: Effort, sections: &mut Vec<Section>) {
    let mut http = |workload, n, rounds, variants| {
        sections.push(Section {
            workload,
            runtime: Flavour::Multi,
            allocator: Allocator::Glibc,
            n,
            rounds,
            variants,
            instructions: false,
        });
    };
    match effort {
        Effort::Quick => {
            http(Workload::Http, 2, 1, ALL);
            http(Workload::HttpDumps, 5, 1, BARE_AND_US);
        }
        Effort::Full => {
            http(Workload::Http, 3, 5, ALL);
            http(Workload::HttpDumps, 15, 1, HTTP_DUMPS);
            // The question is whether it is less than 2 %, so here more pairs are needed.
            http(Workload::HttpDumps, 15, 3, BARE_AND_US);
        }
    }
}
