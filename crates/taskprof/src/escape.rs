//! Text inside XML and HTML: the one place that knows which characters must not get through.

/// Escapes text for element content and for quoted attributes, in XML and in HTML.
///
/// Characters that XML 1.0 cannot contain at all, not even as a reference, become U+FFFD.
pub(crate) fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(xml_char(c)),
        }
    }
    out
}

/// The character itself, or U+FFFD if XML 1.0 cannot contain it.
pub(crate) fn xml_char(c: char) -> char {
    match c {
        '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'.. => c,
        _ => char::REPLACEMENT_CHARACTER,
    }
}
