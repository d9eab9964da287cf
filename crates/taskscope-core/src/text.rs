//! Text that others wrote: how much of a name is kept, and how it is shown.
//!
//! Names of tasks and scopes, labels, paths and symbols may hold any character. Two rules keep them
//! from harming whoever reads a report: a name is cut when it is made ([`bounded`]), and a
//! character that cannot be seen leaves only as an escape ([`Plain`], [`OneLine`], [`Guard`]).
//! [`is_hidden`] is the one list of those characters.
//!
//! Not here: characters that only one format gives a meaning, such as `<` or `;` (that format's own
//! writer).

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io;
use std::sync::Arc;

/// Characters that a name or a label has at most: 256.
///
/// Longer ones are cut when they are made, and end in how many characters are missing.
pub const MAX_NAME: usize = 256;

/// Characters that the path of a function or a type is shown with at most: 1,024.
pub const MAX_PATH: usize = 1024;

/// Whether a character must not leave as it is: it cannot be seen, it ends or reorders a line, or
/// it talks to a terminal.
///
/// These are, by their Unicode properties:
///
/// * control characters (`Cc`): C0 with line feed and tab, DEL, C1;
/// * line and paragraph separators (`Zl`, `Zp`);
/// * characters that change the direction of text (`Bidi_Control`);
/// * characters that have no width (`Default_Ignorable_Code_Point`): zero-width spaces and joiners,
///   the soft hyphen, fillers, variation selectors, tags; and the interlinear annotation
///   characters;
/// * noncharacters.
///
/// Letters, marks, digits, symbols and emoji of all scripts are not among them.
#[must_use]
pub const fn is_hidden(c: char) -> bool {
    match c {
        ' '..='~' => false,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fdd0}'..='\u{fdef}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        _ => c as u32 & 0xfffe == 0xfffe,
    }
}

/// Shows a name on one line: characters that [cannot be seen](is_hidden) are written as escapes,
/// and `\` is doubled.
///
/// So different names read differently, and a name can neither add a line to a report nor talk to a
/// terminal. At most [`MAX_PATH`] characters are shown. [`read_plain`] reads the name back.
///
/// # Examples
///
/// ```
/// use taskscope::text::Plain;
///
/// assert_eq!(Plain("audit\n\u{1b}[31m").to_string(), r"audit\n\u{1b}[31m");
/// assert_eq!(Plain("pay\u{202e}lla").to_string(), r"pay\u{202e}lla");
/// assert_eq!(Plain("größe 数 🦀").to_string(), "größe 数 🦀");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Plain<T>(pub T);

impl<T: AsRef<str>> fmt::Display for Plain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = bounded(self.0.as_ref(), MAX_PATH);
        write_escaped(f, &text, |c| c == '\\' || is_hidden(c))
    }
}

/// Shows a sentence on one line: as [`Plain`], but `\` stays as it is and nothing is cut, because
/// names in it have been treated already.
#[derive(Debug, Clone, Copy)]
pub struct OneLine<T>(pub T);

impl<T: AsRef<str>> fmt::Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(f, self.0.as_ref(), is_hidden)
    }
}

/// Shows a name between quotes, as [`Plain`] does otherwise; a quote in it becomes `\"`.
#[derive(Debug, Clone, Copy)]
pub struct Quoted<T>(pub T);

impl<T: AsRef<str>> fmt::Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = bounded(self.0.as_ref(), MAX_PATH);
        f.write_str("\"")?;
        write_escaped(f, &text, |c| matches!(c, '\\' | '"') || is_hidden(c))?;
        f.write_str("\"")
    }
}

/// A name as [`Plain`] shows it, without an allocation if it needs no escape.
#[must_use]
pub fn plain(name: &str) -> Cow<'_, str> {
    let needs = |c: char| c == '\\' || is_hidden(c);
    if name.len() <= MAX_PATH && !name.contains(needs) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(Plain(name).to_string())
    }
}

/// Reads back a name that [`Plain`] has shown, or [`Quoted`] between its quotes; `None` if it is
/// not such a text.
///
/// # Examples
///
/// ```
/// use taskscope::text::{plain, read_plain};
///
/// let name = "a\\n\n\u{200b}";
/// assert_eq!(plain(name), r"a\\n\n\u{200b}");
/// assert_eq!(read_plain(&plain(name)).as_deref(), Some(name));
/// ```
#[must_use]
pub fn read_plain(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next()? {
            c @ ('\\' | '"') => out.push(c),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'u' => {
                let (hex, rest) = chars.as_str().strip_prefix('{')?.split_once('}')?;
                out.push(char::from_u32(u32::from_str_radix(hex, 16).ok()?)?);
                chars = rest.chars();
            }
            _ => return None,
        }
    }
    Some(out)
}

/// Writes `\\`, `\"`, `\n`, `\r`, `\t`, or `\u{…}`.
///
/// # Errors
///
/// Those of `out`.
pub fn write_escape(out: &mut dyn fmt::Write, c: char) -> fmt::Result {
    match c {
        '\\' => out.write_str("\\\\"),
        '"' => out.write_str("\\\""),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        c => write!(out, "{}", c.escape_unicode()),
    }
}

fn write_escaped(
    out: &mut dyn fmt::Write,
    text: &str,
    needs_escape: impl Fn(char) -> bool,
) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(&needs_escape) {
        out.write_str(&rest[..at])?;
        let mut after = rest[at..].chars();
        if let Some(c) = after.next() {
            write_escape(out, c)?;
        }
        rest = after.as_str();
    }
    out.write_str(rest)
}

/// Text in JSON that is complete: characters that [cannot be seen](is_hidden) become JSON's own
/// escapes (`\u202e`), so that whoever parses it has the very same texts. ASCII stays, but DEL.
///
/// # Examples
///
/// ```
/// use taskscope::text::json;
///
/// assert_eq!(json("[\"a\u{202e}\u{e0041}\"]"), r#"["a\u202e\udb40\udc41"]"#);
/// ```
#[must_use]
pub fn json(text: &str) -> Cow<'_, str> {
    let needs = |c: char| c >= '\u{7f}' && is_hidden(c);
    if !text.contains(needs) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if needs(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Text of several lines: all that [cannot be seen](is_hidden) becomes an escape, but line feeds
/// and tabs.
#[must_use]
pub fn lines(text: &str) -> Cow<'_, str> {
    let needs = |c: char| is_hidden(c) && !matches!(c, '\n' | '\t');
    if !text.contains(needs) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    // Writing to a String cannot fail.
    let _ = write_escaped(&mut out, text, needs);
    Cow::Owned(out)
}

/// How a [`Guard`] escapes what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Lines,
    Json,
}

/// A writer that lets nothing through that [cannot be seen](is_hidden): the last one before a file
/// or a socket.
///
/// Every piece that is written must be whole characters, as formatting and `serde_json` write them.
#[derive(Debug)]
pub struct Guard<W> {
    out: W,
    form: Form,
}

impl<W: io::Write> Guard<W> {
    /// For text of many lines, as [`lines`] has it.
    pub fn lines(out: W) -> Guard<W> {
        Guard {
            out,
            form: Form::Lines,
        }
    }

    /// For JSON, as [`json`] has it.
    pub fn json(out: W) -> Guard<W> {
        Guard {
            out,
            form: Form::Json,
        }
    }
}

impl<W: io::Write> io::Write for Guard<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let is_harmless = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
        if piece.iter().all(is_harmless) {
            self.out.write_all(piece)?;
        } else {
            let text = std::str::from_utf8(piece).map_err(io::Error::other)?;
            let text = match self.form {
                Form::Lines => lines(text),
                Form::Json => json(text),
            };
            self.out.write_all(text.as_bytes())?;
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The text if it has at most so many characters, else its beginning and how many characters are
/// missing: `… (1,234 more characters)`. The result, with that, has at most `most` characters.
///
/// A text that was cut before says how many are missing of the whole.
///
/// # Examples
///
/// ```
/// use taskscope::text::{MAX_NAME, bounded};
///
/// assert_eq!(bounded("audit", MAX_NAME), "audit");
/// let long = bounded(&"x".repeat(2000), MAX_NAME).into_owned();
/// assert!(long.ends_with("x… (1,769 more characters)"), "{long}");
/// assert!(long.chars().count() <= MAX_NAME);
/// assert_eq!(bounded(&long, MAX_NAME), long);
/// ```
#[must_use]
pub fn bounded(text: &str, most: usize) -> Cow<'_, str> {
    // No text has more characters than bytes.
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    cut(text, most)
}

#[cold]
fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.chars().nth(most).is_none() {
        return Cow::Borrowed(text);
    }
    let (text, missing) = cut_before(text).unwrap_or((text, 0));
    let total = text.chars().count().saturating_add(missing);
    let keep = most.saturating_sub(remark(total).chars().count());
    let mut out: String = text.chars().take(keep).collect();
    out.push_str(&remark(total - out.chars().count()));
    Cow::Owned(out)
}

/// The end of a text that has lost its beginning, as in paths, whose end tells most:
/// `(1,234 more characters) …src/a.rs`.
#[must_use]
pub fn bounded_end(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let total = text.chars().count();
    if total <= most {
        return Cow::Borrowed(text);
    }
    let keep = most.saturating_sub(remark(total).chars().count());
    let end: String = text.chars().skip(total - keep).collect();
    Cow::Owned(format!(
        "({} more characters) …{end}",
        grouped(total - keep)
    ))
}

/// A name, cut to [`MAX_NAME`].
#[inline]
pub fn name(text: Arc<str>) -> Arc<str> {
    if text.len() <= MAX_NAME {
        return text;
    }
    match cut(&text, MAX_NAME) {
        Cow::Borrowed(_) => text,
        Cow::Owned(cut) => cut.into(),
    }
}

fn remark(missing: usize) -> String {
    format!("… ({} more characters)", grouped(missing))
}

/// The rest of a text that was cut, and how many characters it says are missing.
fn cut_before(text: &str) -> Option<(&str, usize)> {
    let (kept, missing) = text.strip_suffix(" more characters)")?.rsplit_once("… (")?;
    Some((kept, missing.replace(',', "").parse().ok()?))
}

/// Digits in groups of three: `1,234`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_is_what_unicode_says_has_no_shape_and_nothing_else() {
        for c in [
            '\0', '\n', '\t', '\u{1b}', '\u{7f}', '\u{80}', '\u{9b}', '\u{9f}', '\u{ad}',
            '\u{61c}', '\u{180e}',
        ] {
            assert!(is_hidden(c), "{c:?}");
        }
        for range in [
            '\u{200b}'..='\u{200f}',
            '\u{2028}'..='\u{202e}',
            '\u{2060}'..='\u{206f}',
            '\u{fff9}'..='\u{fffb}',
            '\u{e0000}'..='\u{e007f}',
        ] {
            assert!(range.clone().all(is_hidden), "{range:?}");
        }
        for c in [
            '\u{feff}',
            '\u{ffff}',
            '\u{fdd0}',
            '\u{10fffe}',
            '\u{fe0f}',
            '\u{3164}',
        ] {
            assert!(is_hidden(c), "{c:?}");
        }
        // All scripts, combining marks, symbols, emoji, and what XML or a shell gives a meaning.
        for c in
            " !~\\\"<é ß я ع ש ह न ँ ไ 한 数 ァ ㄅ 𝒳 🦀 ☃ … € · ； \u{301} \u{3000}\u{fffc}\u{fffd}"
                .chars()
        {
            assert!(!is_hidden(c), "{c:?}");
        }
    }

    #[test]
    fn names_that_differ_read_differently_and_are_read_back() {
        let names = [
            "a\n",
            "a\\n",
            "a\\\\n",
            "a",
            "a\u{200b}",
            "a\u{200c}",
            "a\\u{200b}",
            "a\u{202e}",
            "",
            "\\",
            "a\t\r",
            "\u{e0041}",
        ];
        for (at, name) in names.iter().enumerate() {
            let shown = plain(name);
            assert!(!shown.contains(is_hidden), "{shown:?}");
            assert_eq!(read_plain(&shown).as_deref(), Some(*name));
            assert_eq!(shown, Plain(name).to_string());
            for other in &names[..at] {
                assert_ne!(shown, plain(other));
            }
        }
        for bad in ["\\", "\\x", "\\u", "\\u{", "\\u{zz}", "\\u{d800}"] {
            assert_eq!(read_plain(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_cut_is_counted_also_when_it_is_cut_twice() {
        for length in [256, 257, 300, 1_000, 1_000_000] {
            let text = "ü".repeat(length);
            let once = bounded(&text, MAX_NAME);
            assert!(once.chars().count() <= MAX_NAME, "{length}");
            assert_eq!(bounded(&once, MAX_NAME), once);
            assert_eq!(once.len() == text.len(), length <= MAX_NAME);
            let twice = bounded(&once, 100);
            let kept = twice.chars().filter(|c| *c == 'ü').count();
            let missing = cut_before(&twice).map(|(_, missing)| missing);
            assert_eq!(missing, Some(length - kept), "{twice}");
        }
        let path = format!("{}/src/main.rs:12:9", "/folder".repeat(100));
        let end = bounded_end(&path, 120);
        assert!(
            end.chars().count() <= 120 && end.ends_with("r/src/main.rs:12:9"),
            "{end}"
        );
        let (said, kept) = end.split_once(" more characters) …").unwrap();
        let said: usize = said[1..].parse().unwrap();
        assert_eq!(said + kept.len(), path.len());
    }

    #[test]
    fn a_guard_lets_text_through_and_nothing_that_hides() {
        use std::io::Write as _;
        let text = "a\tb\n\u{1b}[2J\u{9b}2J é\u{202e}\n";
        let mut out = Vec::new();
        write!(Guard::lines(&mut out), "{text}").unwrap();
        let expected = "a\tb\n\\u{1b}[2J\\u{9b}2J é\\u{202e}\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let mut out = Vec::new();
        write!(Guard::json(&mut out), "{{\n\"\u{7f}\u{9b}é\u{2028}\"\n}}").unwrap();
        let expected = "{\n\"\\u007f\\u009bé\\u2028\"\n}";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
