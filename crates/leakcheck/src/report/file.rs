//! The file that `LEAKCHECK_REPORT` names: one line of JSON for each check, appended by many
//! threads and processes at once.
//!
//! A report that cannot be written is said on standard error; no test fails because of it. Not
//! here: the fields of a line ([`super::json`]).

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::{Found, Outcome, json};
use crate::paths::{self, REPORT_VARIABLE};
use crate::say_line;

/// Appends the line of this check, if the variable names a file.
pub(crate) fn append(found: &Found, outcome: Outcome) {
    let Some(path) = paths::from_variable(REPORT_VARIABLE) else {
        return;
    };
    let written = json::line(found, outcome).and_then(|line| append_line(&path, &line));
    if let Err(error) = written {
        say_line(format_args!(
            "leakcheck: {REPORT_VARIABLE}: nothing was written to {}: {error}",
            path.display()
        ));
    }
}

fn append_line(path: &Path, line: &str) -> io::Result<()> {
    let mut file = paths::open_regular(File::options().append(true).create(true), path)?;
    // A long line may take several writes, so the file is locked. Where it cannot be, short lines
    // are still whole.
    let _ = file.lock();
    file.write_all(line.as_bytes())
    // The lock ends with the file.
}
