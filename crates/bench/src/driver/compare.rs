//! The comparison for somebody who is changing the code: few cases, a table on the terminal.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::process::Program;
use super::statistics::Summary;
use super::{Error, callgrind};
use crate::worker::{Case, Flavour};
use crate::{variants, workloads};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Which workloads
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "spawn,self-wake,ping-pong"
    )]
    workload: Vec<workloads::Name>,
    /// Which variants; all are compared to the first
    #[arg(long, value_delimiter = ',', default_value = "bare,taskscope")]
    variants: Vec<variants::Name>,
    /// Which flavours of the runtime
    #[arg(long, value_delimiter = ',', default_value = "current")]
    runtime: Vec<Flavour>,
    /// How many processes for each; they take turns
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Operations in each process
    #[arg(long, short, default_value_t = 1_000_000)]
    n: u64,
    /// Also counts instructions (needs valgrind; about 2 s for each)
    #[arg(long)]
    callgrind: bool,
    /// Another build of this program that takes part, for before and after: LABEL=PATH
    #[arg(long, value_parser = labelled)]
    also: Vec<(String, PathBuf)>,
}

fn labelled(argument: &str) -> Result<(String, PathBuf), String> {
    let (label, path) = argument.split_once('=').ok_or("this is not LABEL=PATH")?;
    Ok((label.into(), path.into()))
}

/// A row: the variant in one of the programs.
type Row = (usize, variants::Name);

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let mut programs = vec![(String::new(), Program::this()?)];
    for (label, path) in &options.also {
        let path = path.clone();
        programs.push((format!("{label}: "), Program { path }));
    }
    let rows: Vec<Row> = (0..programs.len())
        .flat_map(|program| options.variants.iter().map(move |name| (program, *name)))
        .collect();
    for &runtime in &options.runtime {
        for &workload in &options.workload {
            let case = |variant| Case {
                workload,
                variant,
                runtime,
                n: options.n,
            };
            let mut times: BTreeMap<Row, Vec<f64>> = BTreeMap::new();
            for round in 0..options.rounds {
                for at in 0..rows.len() {
                    // Nobody is always first.
                    let row = rows[(at + round) % rows.len()];
                    let mut values = programs[row.0].1.with(row.1)?.measure(case(row.1))?;
                    let time = values
                        .get_mut("cpu_ns")
                        .ok_or("this workload has no time for each operation; use `one`")?;
                    times.entry(row).or_default().append(time);
                }
            }
            println!("\n{workload:?}, {runtime:?}");
            println!(
                "{:<32}{:>8}{:>8}  {:<17}{:>8}{:>8}",
                "", "CPU ns", "ratio", "(middle half)", "instr.", "ratio"
            );
            let mut base = None;
            for row in &rows {
                let instructions = if options.callgrind {
                    callgrind::instructions(&programs[row.0].1.with(row.1)?, case(row.1))?
                } else {
                    f64::NAN
                };
                if row.1 == options.variants[0] {
                    base = Some((&times[row], instructions));
                }
                let (base_times, base_instructions) = base.expect("the first row is a base");
                let time = Summary::of(&times[row]);
                let ratio = Summary::of_ratios(&times[row], base_times);
                println!(
                    "{:<32}{:>8.1}{:>8.3}  {:<17}{:>8}{:>8}",
                    format!("{}{:?}", programs[row.0].0, row.1),
                    time.median,
                    ratio.median,
                    format!("({:.3} to {:.3})", ratio.low, ratio.high),
                    shown(instructions, 0),
                    shown(instructions / base_instructions, 3),
                );
            }
        }
    }
    Ok(())
}

fn shown(number: f64, decimals: usize) -> String {
    if number.is_nan() {
        String::new()
    } else {
        format!("{number:.decimals$}")
    }
}
