//! Tables and numbers in Markdown.

/// A table. The first column is text, the others are numbers.
pub(super) struct Table {
    lines: Vec<String>,
}

impl Table {
    pub(super) fn new(heads: &[&str]) -> Table {
        let line = vec!["---:"; heads.len() - 1].join(" | ");
        Table {
            lines: vec![
                format!("| {} |", heads.join(" | ")),
                format!("| --- | {line} |"),
            ],
        }
    }

    pub(super) fn row(&mut self, cells: &[String]) {
        self.lines.push(format!("| {} |", cells.join(" | ")));
    }

    pub(super) fn text(self) -> String {
        self.lines.join("\n")
    }
}

/// A whole number, with thousands apart.
pub(super) fn whole(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number <= -0.5 {
        format!("-{text}")
    } else {
        text
    }
}

/// A number with about three digits.
pub(super) fn short(number: f64) -> String {
    match number.abs() {
        size if size < 10.0 => format!("{number:.2}"),
        size if size < 100.0 => format!("{number:.1}"),
        _ => whole(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_their_thousands_apart() {
        assert_eq!(
            [0.4, 999.6, 1234567.0, -0.4, -1234.0].map(whole),
            ["0", "1,000", "1,234,567", "0", "-1,234"]
        );
    }

    #[test]
    fn a_table_has_one_line_of_rules() {
        let mut table = Table::new(&["", "ns"]);
        table.row(&["bare".into(), short(38.61)]);
        assert_eq!(table.text(), "|  | ns |\n| --- | ---: |\n| bare | 38.6 |");
    }
}
