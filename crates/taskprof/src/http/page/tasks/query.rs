//! Which tasks a page shows, in which order: the query, read and written.
//!
//! Strict as everywhere, but that an empty value counts as none: that is what a form sends. Not here: which tasks that are (`select.rs`).

use taskscope::text::{MAX_NAME, bounded};
use taskscope::{Stacks, Verdict};

use crate::http::error::HttpError;
use crate::http::parameters::Endpoint;
use crate::http::query::Query;
use crate::http::task_filter::STACKS;

/// How tasks are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Grouping {
    /// Same verdict, wait, spawn site and stack.
    #[default]
    Alike,
    Verdict,
    Wait,
    Scope,
    Site,
    Name,
    /// One by one.
    None,
}

impl Grouping {
    pub(super) const ALL: [(&'static str, Grouping, &'static str); 7] = [
        ("alike", Grouping::Alike, "tasks that are alike together"),
        ("verdict", Grouping::Verdict, "by verdict"),
        ("wait", Grouping::Wait, "by what they wait for"),
        ("scope", Grouping::Scope, "by scope"),
        ("site", Grouping::Site, "by spawn site"),
        ("name", Grouping::Name, "by name"),
        ("none", Grouping::None, "every task"),
    ];
}

/// What tasks are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Sort {
    #[default]
    Age,
    Since,
    Polls,
    Busy,
    Verdict,
    Name,
    Id,
}

impl Sort {
    pub(super) const ALL: [(&'static str, Sort); 7] = [
        ("age", Sort::Age),
        ("since", Sort::Since),
        ("polls", Sort::Polls),
        ("busy", Sort::Busy),
        ("verdict", Sort::Verdict),
        ("name", Sort::Name),
        ("id", Sort::Id),
    ];

    fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, sort)| *sort == self)
            .map_or("age", |(word, _)| word)
    }
}

/// Which tasks, in which order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Wanted {
    /// Somewhere in its names, labels, scope, places or stack; in lower case.
    pub(super) text: Option<String>,
    pub(super) verdict: Option<Verdict>,
    pub(super) wait: Option<String>,
    /// Of this scope or one below it.
    pub(super) scope: Option<String>,
    pub(super) site: Option<String>,
    pub(super) name: Option<String>,
    pub(super) suspects: bool,
    pub(super) grouping: Grouping,
    pub(super) sort: Sort,
    /// The other way round than what one mostly wants.
    pub(super) reversed: bool,
    /// Rows before the first one.
    pub(super) from: usize,
    pub(super) look: Option<u64>,
    pub(super) stacks: Stacks,
}

const PARAMETERS: [(&str, &str); 12] = [
    (
        "q",
        "only tasks with this text in their names, labels, scope, places or stack",
    ),
    ("verdict", "only tasks with this verdict"),
    ("wait", "only tasks that wait for this"),
    (
        "scope",
        "only tasks of scopes with this name, and of those below them",
    ),
    (
        "site",
        "only tasks that were spawned there: file:line:column",
    ),
    ("name", "only tasks with this name"),
    ("suspects", "1: only leak suspects"),
    (
        "group",
        "alike (the default), verdict, wait, scope, site, name, or none: every task",
    ),
    (
        "sort",
        "age (the default), since, polls, busy, verdict, name or id; with - in front the other way round",
    ),
    ("from", "rows to leave out at the beginning"),
    (
        "look",
        "the look at all tasks that this page is about; a new one if it is not kept any more",
    ),
    (
        "stacks",
        "fresh (the default), cached (poll nothing) or none",
    ),
];

/// Characters of a filter.
const MAX_FILTER: usize = 2048;
/// Filters that are names.
const NAMES: [&str; 2] = ["scope", "name"];

impl Wanted {
    pub(super) fn endpoint() -> Endpoint {
        Endpoint::taking(&PARAMETERS)
    }

    pub(super) fn parse(query: Option<&str>) -> Result<Self, HttpError> {
        let query = Query::parse(query).without_empty();
        query.only_known(&Self::endpoint(), false)?;
        let verdicts = Verdict::ALL
            .iter()
            .map(|verdict| (verdict.slug(), Some(*verdict)));
        let groupings = Grouping::ALL.iter().map(|(word, by, _)| (*word, *by));
        let sorts: Vec<(String, (Sort, bool))> = Sort::ALL
            .iter()
            .flat_map(|&(word, by)| {
                [
                    (word.to_owned(), (by, false)),
                    (format!("-{word}"), (by, true)),
                ]
            })
            .collect();
        let sorts = sorts.iter().map(|(word, by)| (word.as_str(), *by));
        let (sort, reversed) = query.choice("sort", (Sort::Age, false), sorts)?;
        let most = u64::from(u32::MAX);
        // All of it is repeated in every link of the page.
        if let Some((name, _)) = PARAMETERS.iter().find(|(name, _)| {
            let value = query.get(name).unwrap_or_default();
            value.chars().nth(MAX_FILTER).is_some() && !NAMES.contains(name)
        }) {
            return Err(HttpError::bad_request(format!(
                "parameter {name} is longer than {MAX_FILTER} characters; give it shorter"
            )));
        }
        let text = |name| query.get(name).map(str::to_owned);
        // Names were cut when they were made.
        let name_of = |name| {
            let name = query.get(name)?;
            Some(bounded(name, MAX_NAME).into_owned())
        };
        Ok(Wanted {
            text: query.get("q").map(str::to_lowercase),
            verdict: query.choice("verdict", None, verdicts)?,
            wait: text("wait"),
            scope: name_of("scope"),
            site: text("site"),
            name: name_of("name"),
            suspects: query.integer("suspects", 0, 0..=1)? == 1,
            grouping: query.choice("group", Grouping::default(), groupings)?,
            sort,
            reversed,
            from: usize::try_from(query.integer("from", 0, 0..=most)?).unwrap_or(usize::MAX),
            look: match query.has("look") {
                true => Some(query.integer("look", 0, 0..=u64::MAX)?),
                false => None,
            },
            stacks: query.choice("stacks", Stacks::Fresh, STACKS.iter().copied())?,
        })
    }

    /// The query that asks for this, with its `?`.
    pub(super) fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let verdict = self.verdict.map(|verdict| verdict.slug().to_owned());
        for (name, value) in [
            ("q", &self.text),
            ("verdict", &verdict),
            ("wait", &self.wait),
            ("scope", &self.scope),
            ("site", &self.site),
            ("name", &self.name),
        ] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        if self.suspects {
            query.append_pair("suspects", "1");
        }
        if self.grouping != Grouping::default() {
            let word = Grouping::ALL.iter().find(|(_, by, _)| *by == self.grouping);
            query.append_pair("group", word.map_or("alike", |(word, ..)| word));
        }
        if (self.sort, self.reversed) != (Sort::default(), false) {
            let minus = if self.reversed { "-" } else { "" };
            query.append_pair("sort", &format!("{minus}{}", self.sort.word()));
        }
        if self.from > 0 {
            query.append_pair("from", &self.from.to_string());
        }
        if let Some(look) = self.look {
            query.append_pair("look", &look.to_string());
        }
        if self.stacks != Stacks::Fresh {
            let word = STACKS.iter().find(|(_, stacks)| *stacks == self.stacks);
            query.append_pair("stacks", word.map_or("fresh", |(word, _)| word));
        }
        let query = query.finish();
        if query.is_empty() {
            query
        } else {
            format!("?{query}")
        }
    }

    /// The same without the place of the reader.
    pub(super) fn question(&self) -> Wanted {
        Wanted {
            from: 0,
            look: None,
            ..self.clone()
        }
    }

    /// Whether anything is left out.
    pub(super) fn filters(&self) -> bool {
        let texts = [&self.text, &self.wait, &self.scope, &self.site, &self.name];
        self.suspects || self.verdict.is_some() || texts.iter().any(|text| text.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_written_as_it_was_read() {
        for query in [
            "",
            "?q=a+b%26c&verdict=cancel-slow&wait=mpsc+recv&scope=POST+%2Forders&group=none&sort=-polls&from=300&look=7",
            "?site=src%2Fmain.rs%3A1%3A2&name=x&suspects=1&group=site&sort=id&stacks=cached",
        ] {
            let wanted = Wanted::parse(query.strip_prefix('?')).unwrap();
            assert_eq!(wanted.query(), query);
        }
    }

    #[test]
    fn an_empty_value_is_none_and_what_is_not_known_is_refused() {
        let form = "q=&verdict=&wait=&scope=&group=alike";
        assert_eq!(Wanted::parse(Some(form)).unwrap(), Wanted::default());
        for bad in [
            "verdict=sad",
            "sort=size",
            "group=all",
            "from=-1",
            "x=1",
            "q=1&q=2",
        ] {
            assert!(Wanted::parse(Some(bad)).is_err(), "{bad}");
        }
        for name in ["q", "site", "wait"] {
            let text = |chars| format!("{name}={}", "x".repeat(chars));
            assert!(Wanted::parse(Some(&text(MAX_FILTER))).is_ok(), "{name}");
            assert!(
                Wanted::parse(Some(&text(MAX_FILTER + 1))).is_err(),
                "{name}"
            );
        }
        let long = format!("name={}", "x".repeat(100_000));
        let name = Wanted::parse(Some(&long)).unwrap().name.unwrap();
        assert!(name.ends_with(" more characters)") && name.chars().count() <= MAX_NAME);
    }
}
