//! One measurement in this process, printed as one line of JSON.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

use crate::Allocator;
use crate::cpu::{self, Spent};
use crate::driver::Error;
use crate::variants::{self, Variant, with_variant};
use crate::workloads::{self, Kinds, Load};

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

/// One measurement: the workload, the variant and the size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Args, Serialize, Deserialize)]
pub(crate) struct Case {
    #[arg(long)]
    pub(crate) workload: workloads::Name,
    #[arg(long)]
    pub(crate) variant: variants::Name,
    #[arg(long)]
    pub(crate) runtime: Flavour,
    /// How many operations, idle tasks or seconds
    #[arg(long, short)]
    pub(crate) n: u64,
}

/// The results: values by name, of which each workload has its own. Most have one of each;
/// repetitions within a process have more.
pub(crate) type Values = BTreeMap<String, Vec<f64>>;

/// Values of which there is one each.
pub(crate) fn values<const N: usize>(each: [(&str, f64); N]) -> Values {
    each.into_iter()
        .map(|(name, value)| (name.into(), vec![value]))
        .collect()
}

/// Measures, and prints the values.
///
/// An error if the variant is in programs of the other build only: the figure would be that of
/// something else.
pub(crate) fn run(case: Case, allocator: Allocator) -> Result<(), Error> {
    if case.variant.enabled() == Some(cfg!(not(feature = "enable"))) {
        return Err(other_build().into());
    }
    let values = with_variant!(case.variant, V => measure::<V>(case, allocator))?;
    println!(
        "{}",
        serde_json::to_string(&values).expect("numbers are JSON")
    );
    // A million tasks take a while to drop, and nobody wants to know how long.
    std::process::exit(0);
}

fn other_build() -> &'static str {
    if cfg!(feature = "enable") {
        "this program was built with the feature `enable`, and the variant is in programs without it"
    } else {
        "this program was built without the feature `enable`, and the variant is in programs with it"
    }
}

fn measure<V: Variant>(case: Case, allocator: Allocator) -> Result<Values, Error> {
    use workloads::Name;
    use workloads::askers::{self, Mode};

    let counted = matches!(case.workload, Name::Spawn | Name::SelfWake | Name::PingPong);
    // A dump has a thread beside the runtime's, and so have the clients of a service.
    if counted && case.runtime == Flavour::Current {
        cpu::pin();
    }
    let n = case.n;
    V::set_up();
    let runtime = runtime(case.runtime);
    Ok(match case.workload {
        Name::Spawn => per_operation(&runtime, case, |load| V::root(workloads::spawn::<V>(load))),
        Name::SelfWake => per_operation(&runtime, case, |load| {
            V::root(workloads::self_wake::<V>(load))
        }),
        Name::PingPong => per_operation(&runtime, case, |load| {
            V::root(workloads::ping_pong::<V>(load))
        }),
        Name::CleanCheck => {
            let first = runtime.block_on(workloads::first_check::<V>());
            let mut values = per_operation(&runtime, case, workloads::clean_check::<V>);
            values.insert("first_wall_ns".into(), vec![first]);
            values
        }
        Name::Idle => runtime.block_on(V::root(workloads::idle::<V>(n, allocator))),
        Name::DumpAlike => {
            runtime.block_on(V::root(workloads::dump::<V>(n, Kinds::Alike, allocator)))
        }
        Name::DumpMixed => {
            runtime.block_on(V::root(workloads::dump::<V>(n, Kinds::Mixed, allocator)))
        }
        Name::Http => runtime.block_on(workloads::http::http::<V>(n)),
        Name::Known => runtime.block_on(workloads::known(n, false)),
        Name::KnownBusy => runtime.block_on(workloads::known(n, true)),
        Name::HttpDumps => runtime.block_on(workloads::http::http_dumps::<V>(n)),
        Name::Askers => askers::askers(n, Mode::Leaky)?,
        Name::AskersFixed => askers::askers(n, Mode::Fixed)?,
        Name::Blocked => workloads::blocked::blocked::<V>(&runtime, n)?,
    })
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
    values([
        ("cpu_ns", per(cpu.as_nanos())),
        ("wall_ns", per(wall.as_nanos())),
    ])
}
