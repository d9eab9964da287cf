//! The file that `LEAKCHECK_REPORT` names: one line of JSON for each check, from many threads and processes at once.
//!
//! A report that cannot be written is a sentence on standard error and nothing else: no test fails because of it.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::{Found, Outcome, json};
use crate::{place, say_line};

/// Names the file.
const VARIABLE: &str = "LEAKCHECK_REPORT";

/// Appends a line, if that is asked for.
pub(crate) fn report(found: &Found, outcome: Outcome) {
    let Some(path) = place::named_by(VARIABLE) else {
        return;
    };
    let written = json::line(found, outcome).and_then(|line| append(&path, &line));
    if let Err(error) = written {
        say_line(format_args!(
            "leakcheck: {VARIABLE}: nothing was written to {}: {error}",
            path.display()
        ));
    }
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = place::open(File::options().append(true).create(true), path)?;
    // Long lines may take more than one write; nobody writes between those. Where a file cannot be locked, short lines are still whole.
    let _ = file.lock();
    file.write_all(line.as_bytes())
    // The lock ends with the file.
}
