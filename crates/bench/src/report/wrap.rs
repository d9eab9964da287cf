//! Breaks the lines of the page at 120 columns, as the repository's other pages have them.
//!
//! Paragraphs and items of lists are filled anew; tables, headings and fenced text stay as they
//! are. Not here: the words ([`super`] and its sections).

const COLUMNS: usize = 120;

/// The page with its paragraphs filled.
pub(super) fn wrap(page: &str) -> String {
    let mut out = String::with_capacity(page.len());
    let mut paragraph = Paragraph::default();
    let mut fenced = false;
    for line in page.lines() {
        let text = line.trim_start();
        let fence = text.starts_with("```");
        if fence || fenced || text.is_empty() || text.starts_with(['|', '#', '<']) {
            paragraph.end(&mut out);
            out.push_str(line);
            out.push('\n');
            fenced ^= fence;
            continue;
        }
        if text.starts_with("- ") || text.starts_with("* ") {
            paragraph.end(&mut out);
            let indent = line.len() - text.len();
            paragraph.first = line[..indent + 2].to_owned();
            paragraph.rest = " ".repeat(indent + 2);
            paragraph.words.push_str(&text[2..]);
        } else {
            if !paragraph.words.is_empty() {
                paragraph.words.push(' ');
            }
            paragraph.words.push_str(text);
        }
    }
    paragraph.end(&mut out);
    out
}

/// A paragraph that is being read.
#[derive(Default)]
struct Paragraph {
    /// The text before its first line: the mark of an item.
    first: String,
    /// The text before its other lines.
    rest: String,
    words: String,
}

impl Paragraph {
    /// Writes the paragraph, and begins another one.
    fn end(&mut self, out: &mut String) {
        let paragraph = std::mem::take(self);
        if paragraph.words.is_empty() {
            return;
        }
        let mut line = paragraph.first;
        let mut is_empty = true;
        for word in pieces(&paragraph.words) {
            let width = line.chars().count() + usize::from(!is_empty) + word.chars().count();
            if width > COLUMNS && !is_empty {
                out.push_str(&line);
                out.push('\n');
                line.clone_from(&paragraph.rest);
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        out.push_str(&line);
        out.push('\n');
    }
}

/// The words; code in backticks is not broken.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut in_code = false;
    for (at, character) in text.char_indices() {
        match character {
            '`' => in_code = !in_code,
            ' ' if !in_code => {
                pieces.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(&text[start..]);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, wrap};

    #[test]
    fn a_long_paragraph_is_broken_and_a_table_is_not() {
        let words = "word ".repeat(60);
        let row = format!("| {words}|");
        let page = wrap(&format!("# Head\n\n- {words}\n\n{row}\n"));
        let long: Vec<_> = page.lines().filter(|line| line.len() > COLUMNS).collect();
        assert_eq!(long, [row]);
        assert!(page.contains("\n  word"), "{page}");
    }

    #[test]
    fn a_wrapped_page_stays_as_it_is() {
        let page =
            wrap("One `code with spaces` and words.\nMore of them.\n\n```text\na   b\n```\n");
        assert_eq!(wrap(&page), page);
        assert!(page.contains("a   b\n"));
    }
}
