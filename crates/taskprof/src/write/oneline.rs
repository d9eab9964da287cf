//! Text of others on one line: what a name may contain that would break a line, hide, or reorder it.
//!
//! Not here: characters that only one format cares about (that format's own file), XML and HTML (`escape.rs`).

/// Stands for `;` inside a name of folded text; a name's own is written as an escape.
pub(super) const SEMICOLON: char = '\u{ff1b}';

/// The text on one line, for people: `\`, characters that end a line, and characters that cannot be seen become escapes.
///
/// [`unescape`] reads it back exactly.
pub(super) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if is_hidden(c) => push_escape(&mut out, c),
            '\\' => out.push_str("\\\\"),
            c => out.push(c),
        }
    }
    out
}

/// `\n`, `\r`, `\t`, or `\u{…}`.
pub(super) fn push_escape(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c => out.extend(c.escape_unicode()),
    }
}

/// Characters that cannot be seen, that end or reorder a line, that XML cannot hold, and the one that folded text uses.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || c == SEMICOLON
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// Reads back what was escaped here or in folded text; `None` if it was not.
pub(super) fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            SEMICOLON => out.push(';'),
            '\\' => match chars.next()? {
                '\\' => out.push('\\'),
                'n' => out.push('\n'),
                'r' => out.push('\r'),
                't' => out.push('\t'),
                'u' => {
                    let (hex, rest) = chars.as_str().strip_prefix('{')?.split_once('}')?;
                    out.push(char::from_u32(u32::from_str_radix(hex, 16).ok()?)?);
                    chars = rest.chars();
                }
                _ => return None,
            },
            c => out.push(c),
        }
    }
    Some(out)
}
