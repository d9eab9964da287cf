//! One measurement: a process that prints a line of JSON.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::Error;
use crate::variants;
use crate::worker::{Case, Values};

/// A program of this package: this one, that with another allocator or without the feature
/// `enable`, or one that was built from other sources.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
}

impl Program {
    /// The program that is running.
    pub(crate) fn this() -> Result<Program, Error> {
        Ok(Program {
            path: std::env::current_exe()?,
        })
    }

    /// The one with jemalloc, beside this one.
    pub(super) fn with_jemalloc(&self) -> Result<Program, Error> {
        Program::at(
            self.path.with_file_name("bench-jemalloc"),
            "--features jemalloc",
        )
    }

    /// The one that was built as this one, but without the feature `enable`: its target folder is
    /// `off` within that of this one.
    pub(super) fn off(&self) -> Result<Program, Error> {
        let parts = || {
            let profile = self.path.parent()?;
            let target = profile.parent()?.join("off");
            Some((profile.file_name()?, self.path.file_name()?, target))
        };
        let (profile, name, target) = parts().ok_or("this program is in no target folder")?;
        Program::at(
            target.join(profile).join(name),
            &format!(
                "--features jemalloc --no-default-features --target-dir {}",
                target.display()
            ),
        )
    }

    /// The one in which a variant can be measured: this one, or that without the feature `enable`.
    pub(super) fn with(&self, variant: variants::Name) -> Result<Program, Error> {
        // A program without the feature looks no further: it has that variant, and can say that it
        // has not the others.
        if cfg!(feature = "enable") && variant.enabled() == Some(false) {
            self.off()
        } else {
            Ok(self.clone())
        }
    }

    fn at(path: PathBuf, how: &str) -> Result<Program, Error> {
        if !path.exists() {
            let missing = path.display();
            return Err(format!(
                "there is no {missing}; `scripts/bench` builds it, and so does, in crates/bench, `cargo build --release {how}`"
            )
            .into());
        }
        Ok(Program { path })
    }

    pub(crate) fn measure(&self, case: Case) -> Result<Values, Error> {
        let mut command = Command::new(&self.path);
        command.args(arguments(case));
        Ok(serde_json::from_slice(&run(command)?.stdout)?)
    }
}

/// The command line of one measurement, as [`crate::cli`] reads it.
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
