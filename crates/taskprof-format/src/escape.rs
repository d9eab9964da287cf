//! Escapes for text in XML and HTML.
//!
//! Not here: hidden characters (`text.rs`), which include all that XML cannot hold.

use crate::text::OneLine;

/// Escapes text for element content and quoted attributes, in XML and in HTML. The result is one
/// line without hidden characters.
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
