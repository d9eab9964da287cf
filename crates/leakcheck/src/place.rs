//! Where things are: source files as a report names them, and the root of the workspace.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Where a task was spawned. A dependency's file without the directory that cargo unpacked it in.
pub(crate) fn of(site: &Location<'_>) -> String {
    format!("{}:{}:{}", short(site.file()), site.line(), site.column())
}

pub(crate) fn short(file: &str) -> &str {
    file.split_once("/registry/src/")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map_or(file, |(_, rest)| rest)
}

/// The topmost directory with a `Cargo.lock`, from the one that the process was in at the first check: cargo runs tests in their package.
pub(crate) fn root() -> Option<&'static Path> {
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

/// A file that an environment variable names. A relative path is one from the root of the workspace, so that all packages mean the same file.
/// `None`: the variable is not set, or empty.
pub(crate) fn named_by(variable: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os(variable).filter(|path| !path.is_empty())?);
    Some(match root() {
        Some(root) => root.join(path),
        None => path,
    })
}

/// Opens a regular file, or one that is not there yet.
///
/// Whatever else a path may lead to, a pipe or a terminal, could keep a test waiting for ever.
pub(crate) fn open(options: &OpenOptions, path: &Path) -> io::Result<File> {
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
        assert_eq!(short(file), "hyper-1.12.0/src/lib.rs");
        assert_eq!(short("crates/shop/src/lib.rs"), "crates/shop/src/lib.rs");
    }

    #[test]
    fn the_root_is_above_all_packages() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = topmost(here).expect("tests run in the workspace");
        assert!(here.starts_with(root) && root != here);
    }
}
