//! One measurement in this process, printed as one line of JSON.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

use crate::cpu::{self, Spent};
use crate::variants::{self, Variant, with_variant};
use crate::workloads::{self, Load};

/// The threads of a [`Flavour::Multi`] runtime.
pub(crate) const WORKERS: u64 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Flavour {
    /// `current_thread`, on one processor.
    Current,
    /// `multi_thread` with two workers, and a driver for each.
    Multi,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Args, Serialize, Deserialize)]
pub(crate) struct Case {
    #[arg(long)]
    pub(crate) workload: workloads::Name,
    #[arg(long)]
    pub(crate) variant: variants::Name,
    #[arg(long)]
    pub(crate) runtime: Flavour,
    /// How many operations, or how many idle tasks.
    #[arg(long, short)]
    pub(crate) n: u64,
}

/// What came out: values by name, of which each workload has its own.
pub(crate) type Values = BTreeMap<String, f64>;

/// Measures, and prints the values.
pub(crate) fn run(case: Case) {
    let values = with_variant!(case.variant, V => measure::<V>(case));
    println!(
        "{}",
        serde_json::to_string(&values).expect("numbers are JSON")
    );
}

fn measure<V: Variant>(case: Case) -> Values {
    if case.runtime == Flavour::Current {
        cpu::pin();
    }
    V::set_up();
    let runtime = runtime(case.runtime);
    match case.workload {
        workloads::Name::Spawn => {
            per_operation(&runtime, case, |load| V::root(workloads::spawn::<V>(load)))
        }
        workloads::Name::SelfWake => per_operation(&runtime, case, |load| {
            V::root(workloads::self_wake::<V>(load))
        }),
        workloads::Name::PingPong => per_operation(&runtime, case, |load| {
            V::root(workloads::ping_pong::<V>(load))
        }),
    }
}

fn runtime(flavour: Flavour) -> Runtime {
    let mut builder = match flavour {
        Flavour::Current => Builder::new_current_thread(),
        Flavour::Multi => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(WORKERS as usize);
            builder
        }
    };
    builder.enable_all().build().expect("there is a runtime")
}

/// Time for each operation, after a warm-up in which everything that is done once has been done.
fn per_operation<F: Future<Output = ()>>(
    runtime: &Runtime,
    case: Case,
    workload: impl Fn(Load) -> F,
) -> Values {
    let drivers = match case.runtime {
        Flavour::Current => 1,
        Flavour::Multi => WORKERS,
    };
    let load = |operations| Load {
        operations,
        drivers,
    };
    runtime.block_on(workload(load(workloads::WARM_UP)));
    let Spent { cpu, wall } = cpu::measured_section(|| runtime.block_on(workload(load(case.n))));
    let per = |nanoseconds: u128| nanoseconds as f64 / case.n as f64;
    Values::from([
        ("cpu_ns".into(), per(cpu.as_nanos())),
        ("wall_ns".into(), per(wall.as_nanos())),
    ])
}
