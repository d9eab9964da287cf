//! One measurement: a process that prints a line of JSON.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::Error;
use crate::worker::{Case, Values};

/// A program of this package: this one, that with another allocator, or one that was built from other sources.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
}

impl Program {
    /// This program itself.
    pub(crate) fn this() -> Result<Program, Error> {
        Ok(Program {
            path: std::env::current_exe()?,
        })
    }

    pub(crate) fn measure(&self, case: Case) -> Result<Values, Error> {
        let mut command = Command::new(&self.path);
        command.args(arguments(case));
        Ok(serde_json::from_slice(&run(command)?.stdout)?)
    }
}

/// Those of [`crate::cli`] for one measurement.
pub(crate) fn arguments(case: Case) -> Vec<String> {
    let mut arguments = vec!["one".to_string()];
    let values = serde_json::to_value(case).expect("a case is JSON");
    for (name, value) in values.as_object().expect("a case has fields") {
        arguments.push(format!("--{name}"));
        arguments.push(
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_string),
        );
    }
    arguments
}

/// Runs a program to its end.
pub(crate) fn run(mut command: Command) -> Result<Output, Error> {
    let output = command
        .output()
        .map_err(|error| format!("cannot start {}: {error}", name(&command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?} failed: {}\n{said}", output.status).into());
    }
    Ok(output)
}

fn name(command: &Command) -> String {
    Path::new(command.get_program()).display().to_string()
}
