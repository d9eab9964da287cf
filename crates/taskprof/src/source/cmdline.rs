//! The arguments that the program was started with.
//!
//! Not here: how hidden characters are escaped (`taskscope::text`).

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use taskscope::text::OneLine;

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
///
/// Characters that [cannot be seen](taskscope::text::is_hidden) are written as escapes (`\u{1b}`),
/// and so are bytes that are no UTF-8 (`\xff`): the answer may end up on a terminal.
pub fn cmdline() -> Vec<u8> {
    let arguments: Vec<_> = std::env::args_os()
        .map(|argument| shown(argument.as_bytes()).into_bytes())
        .collect();
    arguments.join(&0)
}

fn shown(argument: &[u8]) -> String {
    let mut out = String::with_capacity(argument.len());
    for chunk in argument.utf8_chunks() {
        // Writing to a String cannot fail.
        let _ = write!(out, "{}", OneLine(chunk.valid()));
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn an_argument_is_as_it_was_given_but_for_what_hides() {
        assert_eq!(shown(b"--name=a b\\c"), "--name=a b\\c");
        assert_eq!(
            shown("é\u{1b}[2J\u{202e}".as_bytes()),
            "é\\u{1b}[2J\\u{202e}"
        );
        assert_eq!(shown(b"\x9b2J\xff"), "\\x9b2J\\xff");
    }
}
