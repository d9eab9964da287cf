//! Measures everything that the report shows.

use std::path::PathBuf;
use std::time::Instant;
use std::{fs, thread};

use clap::Args;

use super::machine::{Busy, Machine};
use super::plan::{self, Allocator, Effort, Section};
use super::process::Program;
use super::results::Results;
use super::{Error, callgrind};
use crate::worker::{self, Case};
use crate::{variants, workloads};

#[derive(Debug, Args)]
pub(crate) struct Options {
    effort: Effort,
    /// Where the figures go, for `report`
    out: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let programs = Programs::around_this_one()?;
    workloads::askers::demo_path()?;
    let sections = plan::sections(options.effort);
    let (began, busy) = (Instant::now(), Busy::now()?);
    let mut results = Results {
        effort: options.effort,
        machine: Machine::this()?,
        samples: Vec::new(),
    };
    let rounds = sections.iter().map(|section| section.rounds).max();
    for round in 0..rounds.unwrap_or(0) {
        eprintln!("round {}, {:.0?} so far", round + 1, began.elapsed());
        for section in sections.iter().filter(|section| round < section.rounds) {
            take_turns(section, round, &programs, &mut results)?;
        }
    }
    eprintln!("instructions, {:.0?} so far", began.elapsed());
    count_instructions(&sections, &programs, &mut results)?;
    results.machine.took = began.elapsed().as_secs();
    results.machine.others = busy.others_since()?;
    if let Some(directory) = options.out.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(&options.out, serde_json::to_vec_pretty(&results)?)?;
    Ok(())
}

/// The programs of this package: one for each allocator, with the feature `enable` and without.
struct Programs {
    glibc: OnAndOff,
    jemalloc: OnAndOff,
}

struct OnAndOff {
    on: Program,
    off: Program,
}

impl Programs {
    /// An error now and not in the middle if one is missing.
    fn around_this_one() -> Result<Programs, Error> {
        let pair = |on: Program| -> Result<OnAndOff, Error> {
            Ok(OnAndOff {
                off: on.with(variants::Name::TaskscopeOff)?,
                on,
            })
        };
        let this = Program::this()?;
        Ok(Programs {
            jemalloc: pair(this.with_jemalloc()?)?,
            glibc: pair(this)?,
        })
    }

    fn with(&self, allocator: Allocator, variant: variants::Name) -> &Program {
        let pair = match allocator {
            Allocator::Glibc => &self.glibc,
            Allocator::Jemalloc => &self.jemalloc,
        };
        match variant.enabled() {
            Some(false) => &pair.off,
            Some(true) | None => &pair.on,
        }
    }
}

/// One process for each variant, each round beginning with another one.
fn take_turns(
    section: &Section,
    round: usize,
    programs: &Programs,
    results: &mut Results,
) -> Result<(), Error> {
    for at in 0..section.variants.len() {
        let variant = section.variants[(at + round) % section.variants.len()];
        let case = section.case(variant);
        let values = programs.with(section.allocator, variant).measure(case)?;
        results.add(section.allocator, case, values);
    }
    Ok(())
}

/// Counts instructions, two cases at a time: another process changes times, not counts.
fn count_instructions(
    sections: &[Section],
    programs: &Programs,
    results: &mut Results,
) -> Result<(), Error> {
    let cases: Vec<(Allocator, Case)> = sections
        .iter()
        .filter(|section| section.instructions)
        .flat_map(|section| {
            section
                .variants
                .iter()
                .map(|variant| (section.allocator, section.case(*variant)))
        })
        .collect();
    let count = |(allocator, case): (Allocator, Case)| {
        callgrind::instructions(programs.with(allocator, case.variant), case)
            .map_err(|error| error.to_string())
    };
    for pair in cases.chunks(2) {
        let counts: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = pair
                .iter()
                .map(|case| scope.spawn(|| count(*case)))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("counting does not panic"))
                .collect()
        });
        for ((allocator, case), count) in pair.iter().zip(counts) {
            results.add(
                *allocator,
                *case,
                worker::values([("instructions", count?)]),
            );
        }
    }
    Ok(())
}

impl Section {
    fn case(&self, variant: variants::Name) -> Case {
        Case {
            workload: self.workload,
            variant,
            runtime: self.runtime,
            n: self.n,
        }
    }
}
