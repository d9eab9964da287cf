//! Instructions for each operation, which no other load of the machine disturbs.
//!
//! Two runs of different length in valgrind; the difference leaves out what is done once. Only the
//! measured section counts, because warming up includes the calibration of a clock, which takes as
//! many instructions as time allows. Instructions are no times: a read of the time-stamp counter is
//! one.

use std::process::Command;

use super::Error;
use super::process::{self, Program};
use crate::worker::Case;

const SHORT: u64 = 2_000;
const LONG: u64 = 12_000;

/// Instructions for each operation. The number of operations in `case` does not count.
pub(crate) fn instructions(program: &Program, case: Case) -> Result<f64, Error> {
    let short = collected(program, Case { n: SHORT, ..case })?;
    let long = collected(program, Case { n: LONG, ..case })?;
    Ok((long - short) as f64 / (LONG - SHORT) as f64)
}

fn collected(program: &Program, case: Case) -> Result<i64, Error> {
    let mut command = Command::new("valgrind");
    command
        .args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--collect-atstart=no",
            "--toggle-collect=*measured_section*",
        ])
        .arg(&program.path)
        .args(process::arguments(case));
    let output = process::run(command)?;
    let said = String::from_utf8_lossy(&output.stderr);
    said.lines()
        .find_map(|line| line.split_once("Collected :"))
        .and_then(|(_, count)| count.trim().parse().ok())
        .filter(|count| *count > 0)
        .ok_or_else(|| {
            format!("callgrind did not say how many instructions it saw:\n{said}").into()
        })
}
