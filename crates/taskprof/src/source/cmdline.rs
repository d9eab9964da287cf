//! What the program was started with.

use std::os::unix::ffi::OsStrExt as _;

use super::{Seconds, Source, TextView, What, always};

pub(super) static SOURCE: Source = Source {
    name: "cmdline",
    summary: "What the program was started with: its arguments, with a zero byte between them. They may hold secrets.",
    sample_types: &[],
    seconds: Seconds::Never,
    what: What::Text(&[TextView {
        format: "text",
        content_type: "text/plain; charset=utf-8",
        write: |_| Ok(cmdline()),
    }]),
    ready: always,
};

/// The arguments of the process, the program's own name first, with a zero byte between them.
pub fn cmdline() -> Vec<u8> {
    let arguments: Vec<_> = std::env::args_os()
        .map(|argument| argument.as_bytes().to_vec())
        .collect();
    arguments.join(&0)
}
