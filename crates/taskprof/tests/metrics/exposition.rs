//! A strict reader of both formats: what a line may be is what OpenMetrics 1.0 and the text format
//! 0.0.4 of Prometheus say, and anything else is a panic.

use std::collections::{BTreeMap, HashSet};

/// Labels by name.
pub(crate) type Labels = BTreeMap<String, String>;

/// What was scraped.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    /// Kind and help by the name of a family.
    pub(crate) families: BTreeMap<String, (String, String)>,
    /// Values by name, with suffix, and labels.
    points: BTreeMap<(String, Labels), f64>,
}

impl Exposition {
    /// The value of the one point with these labels; `None`: there is no such point.
    pub(crate) fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.points.get(&(name.to_owned(), own(labels))).copied()
    }

    /// The sum of all points of that name that have these labels among theirs.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted = own(labels);
        let has = |all: &Labels| {
            wanted
                .iter()
                .all(|(name, value)| all.get(name) == Some(value))
        };
        let points = self
            .points
            .iter()
            .filter(|((point, all), _)| point == name && has(all));
        points.map(|(_, value)| value).sum()
    }
}

fn own(labels: &[(&str, &str)]) -> Labels {
    let labels = labels.iter();
    labels
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

pub(crate) fn openmetrics(text: &str) -> Exposition {
    let text = text.strip_suffix("# EOF\n").expect("the mark of the end");
    read(text, true)
}

pub(crate) fn prometheus(text: &str) -> Exposition {
    assert!(!text.contains("# EOF"));
    read(text, false)
}

fn read(text: &str, open: bool) -> Exposition {
    assert!(text.ends_with('\n') && !text.contains('\r') && !text.contains("\n\n"));
    let mut all = Exposition::default();
    // The family that is open, and its kind: all its lines are together.
    let mut family = (String::new(), String::new());
    let mut closed = HashSet::new();
    for line in text.lines() {
        if let Some(described) = line.strip_prefix("# ") {
            let (word, rest) = described.split_once(' ').unwrap();
            let (name, told) = rest.split_once(' ').unwrap();
            match word {
                "TYPE" => {
                    assert!(closed.insert(name.to_owned()), "{name} is there twice");
                    family = (name.to_owned(), told.to_owned());
                    all.families
                        .insert(name.to_owned(), (told.to_owned(), String::new()));
                }
                "HELP" => {
                    assert_eq!(family.0, name);
                    all.families.get_mut(name).unwrap().1 = told.to_owned();
                }
                "UNIT" => {
                    assert!(open, "only OpenMetrics knows units");
                    assert!(name.ends_with(&format!("_{told}")), "{line}");
                }
                _ => panic!("{line}"),
            }
            continue;
        }
        let (name, labels, value) = point(line);
        let suffix = name
            .strip_prefix(&family.0)
            .expect("a point below its family");
        let expected: &[&str] = match (&*family.1, open) {
            ("gauge", _) | ("counter", false) => &[""],
            ("counter", true) => &["_total"],
            ("histogram", _) => &["_bucket", "_count", "_sum"],
            (kind, _) => panic!("{kind}"),
        };
        assert!(expected.contains(&suffix), "{line}");
        assert_eq!(labels.contains_key("le"), suffix == "_bucket", "{line}");
        let twice = all.points.insert((name, labels), value);
        assert_eq!(twice, None, "{line}");
    }
    histograms(&all);
    all
}

/// Buckets count up to the whole.
fn histograms(all: &Exposition) {
    for (name, _) in all
        .families
        .iter()
        .filter(|(_, (kind, _))| kind == "histogram")
    {
        let bucket = format!("{name}_bucket");
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for ((_, labels), count) in all.points.iter().filter(|((point, _), _)| *point == bucket) {
            let bound = &labels["le"];
            let bound = if bound == "+Inf" {
                f64::INFINITY
            } else {
                bound.parse().unwrap()
            };
            buckets.push((bound, *count));
        }
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(
            buckets.is_sorted_by(|one, next| one.1 <= next.1),
            "{name}: {buckets:?}"
        );
        let (last, count) = buckets[buckets.len() - 1];
        assert!(last.is_infinite());
        assert_eq!(all.get(&format!("{name}_count"), &[]), Some(count));
        assert!(all.get(&format!("{name}_sum"), &[]).unwrap() >= 0.0);
    }
}

/// `name{label="value",…} number`, and nothing more.
fn point(line: &str) -> (String, Labels, f64) {
    let at = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(at);
    let is_name = |text: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        text.chars().all(fits) && text.chars().next().is_some_and(|c| !c.is_ascii_digit())
    };
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if rest.starts_with('{') {
        loop {
            let (label, value) = rest[1..].split_once("=\"").unwrap();
            assert!(is_name(label), "{line}");
            let (value, after) = quoted(value);
            assert_eq!(labels.insert(label.to_owned(), value), None, "{line}");
            rest = after;
            if let Some(end) = rest.strip_prefix('}') {
                rest = end;
                break;
            }
            assert!(rest.starts_with(','), "{line}");
        }
    }
    let number = rest.strip_prefix(' ').unwrap();
    assert!(!number.contains(' '), "{line}");
    (name.to_owned(), labels, number.parse().unwrap())
}

/// Up to the closing quote, unescaped, and what follows it.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(match chars.next().unwrap().1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                other => panic!("the escape \\{other} is not known"),
            }),
            c => value.push(c),
        }
    }
    panic!("no end: {text}");
}
