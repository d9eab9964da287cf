//! Text inside XML and HTML: the one place that knows which characters a format of that kind gives
//! a meaning.
//!
//! Not here: characters that cannot be seen (`taskscope_core::text`), among which are all that XML
//! cannot hold.

use crate::text::OneLine;

/// Escapes text for element content and for quoted attributes, in XML and in HTML. It is on one
/// line, and nothing in it hides.
pub fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in OneLine(text).to_string().chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
