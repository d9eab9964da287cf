//! One function on a task's stack. Not here: how its name is found (`symbols.rs`).

use std::sync::Arc;

/// One function of a [`Branch`](super::Branch).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The path of the function; `module+0xoffset` if the address has no symbol.
    pub function: Arc<str>,
    /// The source file, as the debug information names it.
    pub file: Option<Arc<str>>,
    /// The line of the call that leads to the next inner frame.
    pub line: Option<u32>,
    /// Whether the name of the function is known.
    pub has_symbol: bool,
}

impl Frame {
    /// The source file without the directory that cargo unpacked the dependency in, or in which the
    /// standard library was built.
    #[must_use]
    pub fn short_file(&self) -> Option<&str> {
        self.file.as_deref().map(short)
    }
}

/// Cuts off the directory that cargo unpacked a dependency in, or in which the standard library was
/// built.
fn short(file: &str) -> &str {
    let dependency = file
        .split_once("/registry/src/")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map(|(_, rest)| rest);
    dependency
        .or_else(|| {
            file.strip_prefix("/rustc/")?
                .split_once('/')
                .map(|(_, rest)| rest)
        })
        .unwrap_or(file)
}
