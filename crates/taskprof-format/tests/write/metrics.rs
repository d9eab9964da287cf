//! Metrics as text: a scraper gets back what was pushed, or nothing is printed at all.

use std::collections::BTreeMap;

use proptest::prelude::*;
use taskprof_format::write::metrics::{Family, Histogram};
use taskprof_format::write::{openmetrics, prometheus};
use taskscope_core::OneLine;
use taskscope_core::text::{is_hidden, read_plain};

use crate::arbitrary::{config, corpus, name};

/// Undoes the escapes. Panics at one that the formats do not know.
fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next().unwrap() {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                other => panic!("the escape \\{other} is not known"),
            },
            c => c,
        });
    }
    out
}

/// A line of values: name, labels, value.
fn read_point(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let at = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(at);
    let mut labels = BTreeMap::new();
    if rest.starts_with('{') {
        loop {
            rest = &rest[1..];
            let (label, value) = rest.split_once("=\"").unwrap();
            let mut escaped = false;
            let end = value
                .char_indices()
                .find(|(_, c)| {
                    let end = *c == '"' && !escaped;
                    escaped = *c == '\\' && !escaped;
                    end
                })
                .unwrap()
                .0;
            let twice = labels.insert(label.to_owned(), unescape(&value[..end]));
            assert_eq!(twice, None);
            rest = &value[end + 1..];
            if rest.starts_with('}') {
                rest = &rest[1..];
                break;
            }
            assert!(rest.starts_with(','), "{line}");
        }
    }
    let value = rest.strip_prefix(' ').unwrap();
    (name.to_owned(), labels, value.parse().unwrap())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn label_values_help_and_numbers_come_back(
        values in prop::collection::btree_set(name(), 1..6),
        help in name(),
        number in any::<f64>(),
    ) {
        let mut family = Family::gauge("app_things", help.clone());
        for value in &values {
            family.push([("kind", value), ("other", &help)], number);
        }
        for (text, quotes) in [
            (openmetrics(std::slice::from_ref(&family)).unwrap(), true),
            (prometheus(std::slice::from_ref(&family)).unwrap(), false),
        ] {
            // No other character ends a line for a reader of these formats.
            let mut lines = text.split('\n');
            prop_assert_eq!(lines.next(), Some("# TYPE app_things gauge"));
            let read = lines.next().unwrap().strip_prefix("# HELP app_things ").unwrap();
            let shown: Vec<String> = help.split('\n').map(|line| OneLine(line).to_string()).collect();
            prop_assert_eq!(unescape(read), shown.join("\n"));
            prop_assert!(!read.contains(is_hidden));
            prop_assert!(!quotes || !read.replace("\\\\", "").replace("\\\"", "").contains('"'));
            for value in &values {
                let (name, labels, read) = read_point(lines.next().unwrap());
                prop_assert_eq!(name, "app_things");
                prop_assert_eq!(read_plain(&labels["kind"]), Some(value.clone()));
                prop_assert_eq!(read_plain(&labels["other"]), Some(help.clone()));
                prop_assert!(!labels["kind"].contains(is_hidden));
                prop_assert!(read == number || read.is_nan() && number.is_nan());
            }
            if quotes {
                prop_assert_eq!(lines.next(), Some("# EOF"));
            }
            prop_assert_eq!(lines.next(), Some(""));
            prop_assert_eq!(lines.next(), None);
        }
    }
}

#[test]
fn a_counter_is_called_as_each_format_wants_it() {
    let mut family =
        Family::counter("app_busy_seconds", "Time\nspent \"polling\".").unit("seconds");
    family.push([("worker", "0")], 1.5);
    family.push([("worker", "1")], 2e20);
    assert_eq!(
        openmetrics(std::slice::from_ref(&family)).unwrap(),
        "# TYPE app_busy_seconds counter\n\
         # UNIT app_busy_seconds seconds\n\
         # HELP app_busy_seconds Time\\nspent \\\"polling\\\".\n\
         app_busy_seconds_total{worker=\"0\"} 1.5\n\
         app_busy_seconds_total{worker=\"1\"} 2e20\n\
         # EOF\n"
    );
    assert_eq!(
        prometheus(&[family]).unwrap(),
        "# TYPE app_busy_seconds_total counter\n\
         # HELP app_busy_seconds_total Time\\nspent \"polling\".\n\
         app_busy_seconds_total{worker=\"0\"} 1.5\n\
         app_busy_seconds_total{worker=\"1\"} 2e20\n"
    );
}

#[test]
fn buckets_of_a_histogram_are_cumulative_and_end_at_infinity() {
    let mut family = Family::histogram("app_poll_seconds", "Polls.").unit("seconds");
    let histogram = Histogram::new([(0.001, 5), (1.0, 2)], 1, Some(9.25));
    family.push_histogram([("worker", "0")], histogram);
    assert_eq!(
        openmetrics(&[family]).unwrap(),
        "# TYPE app_poll_seconds histogram\n\
         # UNIT app_poll_seconds seconds\n\
         # HELP app_poll_seconds Polls.\n\
         app_poll_seconds_bucket{worker=\"0\",le=\"0.001\"} 5\n\
         app_poll_seconds_bucket{worker=\"0\",le=\"1.0\"} 7\n\
         app_poll_seconds_bucket{worker=\"0\",le=\"+Inf\"} 8\n\
         app_poll_seconds_count{worker=\"0\"} 8\n\
         app_poll_seconds_sum{worker=\"0\"} 9.25\n\
         # EOF\n"
    );
}

// The reference parser refuses a count without a sum.
#[test]
fn a_histogram_of_which_nobody_knows_the_sum_has_no_count_beside_its_buckets() {
    let mut family = Family::histogram("app_polls", "Polls.");
    family.push_histogram([], Histogram::new([(1.0, 2)], 0, None));
    let text = openmetrics(std::slice::from_ref(&family)).unwrap();
    assert!(
        text.contains("app_polls_bucket{le=\"+Inf\"} 2\n# EOF"),
        "{text}"
    );
    let text = prometheus(&[family]).unwrap();
    assert!(
        text.ends_with("app_polls_count 2\napp_polls_sum NaN\n"),
        "{text}"
    );
}

#[test]
fn nothing_is_still_a_whole_text() {
    assert_eq!(openmetrics(&[]).unwrap(), "# EOF\n");
    assert_eq!(prometheus(&[]).unwrap(), "");
}

// One bad line loses the whole scrape, everybody else's metrics too.
#[test]
fn what_a_scraper_would_refuse_is_an_error() {
    let gauge = |name: &str| Family::gauge(name.to_owned(), "help");
    let with = |labels: &[(&'static str, &str)]| {
        let mut family = gauge("app_x");
        for label in labels {
            family.push([*label], 1.0);
        }
        family
    };
    let mut twice = gauge("app_x");
    twice.push([("a", "1"), ("a", "2")], 1.0);
    let mut negative = Family::counter("app_x", "help");
    negative.push([], -1.0);
    let mut unknown = Family::counter("app_x", "help");
    unknown.push([], f64::NAN);
    let mut bounds = Family::histogram("app_x", "help");
    bounds.push_histogram([], Histogram::new([(2.0, 1), (1.0, 1)], 0, None));
    let mut le = Family::histogram("app_x", "help");
    le.push_histogram([("le", "1")], Histogram::new([], 0, None));
    let mut other = Family::histogram("app_x", "help");
    other.push([], 1.0);
    for (families, why) in [
        (vec![gauge("")], "has a name that is not letters"),
        (vec![gauge("9lives")], "has a name that is not letters"),
        (vec![gauge("a b")], "has a name that is not letters"),
        (vec![gauge("a\n# EOF")], "has a name that is not letters"),
        (vec![gauge("app_x_total")], "has a name with an ending"),
        (
            vec![gauge("app_x").unit("seconds")],
            "does not end in its unit",
        ),
        (
            vec![gauge("appseconds").unit("seconds")],
            "does not end in its unit",
        ),
        (vec![gauge("app_x"), gauge("app_x")], "is there twice"),
        (vec![with(&[("a-b", "")])], "has a label named"),
        (vec![with(&[("__name__", "")])], "has a label named"),
        (
            vec![with(&[("a", "1"), ("a", "1")])],
            "two points with the same labels",
        ),
        (vec![twice], "one label twice"),
        (vec![negative], "negative or no number"),
        (vec![unknown], "negative or no number"),
        (vec![bounds], "do not ascend"),
        (vec![le], "has a label named"),
        (vec![other], "has a point of another kind"),
    ] {
        for result in [openmetrics(&families), prometheus(&families)] {
            let error = result.unwrap_err();
            assert!(error.is_write());
            assert!(error.to_string().contains(why), "{error}: {why}");
        }
    }
}

#[test]
fn no_name_of_the_corpus_ends_the_text_early() {
    let mut family = Family::gauge("app_things", "Things.");
    let names = corpus();
    for name in &names {
        family.push([("name", name)], 1.0);
    }
    let text = openmetrics(&[family]).unwrap();
    assert_eq!(text.split('\n').count(), names.len() + 4);
    assert_eq!(text.split('\n').filter(|line| *line == "# EOF").count(), 1);
}
