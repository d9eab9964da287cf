//! The query of the tab with the tasks: which tasks, how they are grouped and sorted, and which
//! page of them.
//!
//! Strict as everywhere, except that an empty value counts as absent: a form sends its empty fields
//! too. Not here: the filter within the query (`http/task_filter.rs`), which tasks it finds
//! (`filter.rs`).

use crate::http::error::HttpError;
use crate::http::parameters::{Endpoint, FROM, GROUP, PageKind, SNAPSHOT, SORT};
use crate::http::query::Query;
use crate::http::task_filter;
use crate::tasks::TaskFilter;

/// Rows on one page.
pub(super) const ROWS: usize = 100;

/// The property that tasks are grouped by.
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
    /// Every task has a row of its own.
    None,
}

impl Grouping {
    /// The word in a URL, the grouping, and its name for people.
    pub(super) const ALL: [(&'static str, Grouping, &'static str); 7] = [
        ("alike", Grouping::Alike, "similar tasks together"),
        ("verdict", Grouping::Verdict, "by verdict"),
        ("wait", Grouping::Wait, "by what they wait for"),
        ("scope", Grouping::Scope, "by scope"),
        ("site", Grouping::Site, "by spawn site"),
        ("name", Grouping::Name, "by name"),
        ("none", Grouping::None, "every task"),
    ];
}

/// The order of the rows.
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
    /// The word in a URL, and the order.
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

/// Which tasks a page shows, and how.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct TaskQuery {
    pub(super) filter: TaskFilter,
    pub(super) grouping: Grouping,
    pub(super) sort: Sort,
    /// Reverses the usual direction of the order.
    pub(super) reversed: bool,
    /// The number of rows before the first one of the page.
    pub(super) from: usize,
    /// The number of the snapshot that the reader is in.
    pub(super) snapshot: Option<u64>,
}

impl TaskQuery {
    /// Reads the part of a URL behind its `?`.
    ///
    /// # Errors
    ///
    /// For a parameter that is not known, given twice or not understood.
    pub(super) fn parse(query: Option<&str>) -> Result<Self, HttpError> {
        let query = Query::parse(query).without_empty();
        query.only_known(Endpoint::page(PageKind::TasksPage), false)?;
        let groupings = Grouping::ALL.iter().map(|(word, by, _)| (*word, *by));
        let (sort, reversed) = query.order(&SORT, Sort::ALL)?.unwrap_or_default();
        let from = query.number(&FROM)?.unwrap_or(0);
        Ok(TaskQuery {
            filter: task_filter::parse(&query)?,
            grouping: query.choice(&GROUP, groupings)?.unwrap_or_default(),
            sort,
            reversed,
            from: usize::try_from(from).unwrap_or(usize::MAX),
            snapshot: query.number(&SNAPSHOT)?,
        })
    }

    /// Writes this as the end of a URL, with its `?`; empty if everything is as by default.
    pub(super) fn to_url(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        task_filter::append(&self.filter, &mut query);
        if self.grouping != Grouping::default() {
            let word = Grouping::ALL.iter().find(|(_, by, _)| *by == self.grouping);
            query.append_pair(GROUP.name, word.map_or("alike", |(word, ..)| word));
        }
        if (self.sort, self.reversed) != (Sort::default(), false) {
            let minus = if self.reversed { "-" } else { "" };
            query.append_pair(SORT.name, &format!("{minus}{}", self.sort.word()));
        }
        if self.from > 0 {
            query.append_pair(FROM.name, &self.from.to_string());
        }
        if let Some(snapshot) = self.snapshot {
            query.append_pair(SNAPSHOT.name, &snapshot.to_string());
        }
        let query = query.finish();
        if query.is_empty() {
            query
        } else {
            format!("?{query}")
        }
    }

    /// This query without the reader's position: queries that find the same tasks in the same order
    /// are equal.
    pub(super) fn without_position(&self) -> TaskQuery {
        TaskQuery {
            from: 0,
            snapshot: None,
            ..self.clone()
        }
    }

    /// Whether it leaves out any task.
    pub(super) fn is_filtered(&self) -> bool {
        let everything = TaskFilter {
            stacks: self.filter.stacks,
            ..TaskFilter::default()
        };
        self.filter != everything
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_written_as_it_was_read() {
        for query in [
            "",
            "?q=a+b%26c&verdict=cancel-slow&wait=mpsc+recv&scope=POST+%2Forders&min_age=60&group=none&sort=-polls&from=300&snapshot=7",
            "?site=src%2Fmain.rs%3A1%3A2&name=x&suspects=1&stacks=cached&group=site&sort=id",
        ] {
            let parsed = TaskQuery::parse(query.strip_prefix('?')).unwrap();
            assert_eq!(parsed.to_url(), query);
        }
    }

    #[test]
    fn an_empty_value_counts_as_absent_and_an_unknown_one_is_refused() {
        let form = "q=&verdict=&wait=&scope=&group=alike";
        assert_eq!(TaskQuery::parse(Some(form)).unwrap(), TaskQuery::default());
        for bad in [
            "verdict=sad",
            "sort=size",
            "group=all",
            "from=-1",
            "x=1",
            "q=1&q=2",
        ] {
            assert!(TaskQuery::parse(Some(bad)).is_err(), "{bad}");
        }
    }
}
