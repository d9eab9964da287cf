//! Paths: source files as a report names them, the root of the workspace, files that environment
//! variables name, and how such files are opened.
//!
//! Not here: what is written to them ([`crate::report`], [`crate::suppressions`]).

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The file of known leaks, at the root of the workspace.
pub(crate) const SUPPRESSIONS: &str = "leakcheck.toml";

/// The environment variable that names another such file.
pub(crate) const SUPPRESSIONS_VARIABLE: &str = "LEAKCHECK_SUPPRESSIONS";

/// The environment variable that makes checks bring the file up to date.
pub(crate) const UPDATE_VARIABLE: &str = "LEAKCHECK_UPDATE";

/// The environment variable that names the file for reports in JSON.
pub(crate) const REPORT_VARIABLE: &str = "LEAKCHECK_REPORT";

/// The place of a spawn as `file:line:column`, without cargo's directory for dependencies.
pub(crate) fn site(site: &Location<'_>) -> String {
    format!(
        "{}:{}:{}",
        without_registry(site.file()),
        site.line(),
        site.column()
    )
}

/// A source file without the directory that cargo unpacked the dependency in.
pub(crate) fn without_registry(file: &str) -> &str {
    file.split_once("/registry/src/")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map_or(file, |(_, rest)| rest)
}

/// The topmost directory with a `Cargo.lock` above the one that the process was in at the first
/// check. Cargo runs tests in the directory of their package.
pub(crate) fn workspace_root() -> Option<&'static Path> {
    static ROOT: OnceLock<Option<PathBuf>> = OnceLock::new();
    ROOT.get_or_init(|| {
        let here = std::env::current_dir().ok()?;
        topmost(&here).map(Path::to_path_buf)
    })
    .as_deref()
}

fn topmost(here: &Path) -> Option<&Path> {
    let above = here.ancestors();
    above
        .filter(|directory| directory.join("Cargo.lock").is_file())
        .last()
}

/// The file that an environment variable names; `None` if it is not set, or empty.
///
/// A relative path starts at the root of the workspace, so that all packages mean the same file.
pub(crate) fn from_variable(variable: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os(variable).filter(|path| !path.is_empty())?);
    Some(match workspace_root() {
        Some(root) => root.join(path),
        None => path,
    })
}

/// Opens a regular file, or creates it if the options say so.
///
/// # Errors
///
/// As `OpenOptions::open`, and if the path leads to anything else than a regular file: a pipe or a
/// terminal could keep a test waiting for ever.
pub(crate) fn open_regular(options: &OpenOptions, path: &Path) -> io::Result<File> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => Err(io::Error::new(
            ErrorKind::InvalidInput,
            "it is not a regular file",
        )),
        _ => options.open(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_is_named_without_the_directory_of_cargo() {
        let file =
            "/home/me/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/hyper-1.12.0/src/lib.rs";
        assert_eq!(without_registry(file), "hyper-1.12.0/src/lib.rs");
        assert_eq!(
            without_registry("crates/shop/src/lib.rs"),
            "crates/shop/src/lib.rs"
        );
    }

    #[test]
    fn the_root_is_above_all_packages() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = topmost(here).expect("tests run in the workspace");
        assert!(here.starts_with(root) && root != here);
    }
}
