//! A workspace on the disk, for files that are found at its root.

use std::path::PathBuf;

/// A workspace of its own: nothing above it has a `Cargo.lock`. Empty but for that and the
/// directory of a package; gone when dropped.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) package: PathBuf,
}

impl Workspace {
    pub(crate) fn new(test: &str) -> Workspace {
        let name = format!("leakcheck-{test}-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        let package = root.join("crates").join("shop");
        std::fs::create_dir_all(&package).unwrap();
        for directory in [&root, &package] {
            std::fs::write(directory.join("Cargo.lock"), "").unwrap();
        }
        Workspace { root, package }
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}
