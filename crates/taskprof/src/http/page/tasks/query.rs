//! Which tasks a page shows, in which order: the query, read and written.
//!
//! Strict as everywhere, but that an empty value counts as none: that is what a form sends. Not here: which tasks that are (`select.rs`).

use crate::http::error::HttpError;
use crate::http::parameters::{Endpoint, FROM, GROUP, PageKind, SNAPSHOT, SORT};
use crate::http::query::Query;
use crate::http::task_filter;
use crate::tasks::TaskFilter;

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
    pub(super) filter: TaskFilter,
    pub(super) grouping: Grouping,
    pub(super) sort: Sort,
    /// The other way round than what one mostly wants.
    pub(super) reversed: bool,
    /// Rows before the first one.
    pub(super) from: usize,
    pub(super) look: Option<u64>,
}

impl Wanted {
    pub(super) fn parse(query: Option<&str>) -> Result<Self, HttpError> {
        let query = Query::parse(query).without_empty();
        query.only_known(Endpoint::page(PageKind::TasksPage), false)?;
        let groupings = Grouping::ALL.iter().map(|(word, by, _)| (*word, *by));
        let (sort, reversed) = query.order(&SORT, Sort::ALL)?.unwrap_or_default();
        let from = query.number(&FROM)?.unwrap_or(0);
        Ok(Wanted {
            filter: task_filter::parse(&query)?,
            grouping: query.choice(&GROUP, groupings)?.unwrap_or_default(),
            sort,
            reversed,
            from: usize::try_from(from).unwrap_or(usize::MAX),
            look: query.number(&SNAPSHOT)?,
        })
    }

    /// The query that asks for this, with its `?`.
    pub(super) fn query(&self) -> String {
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
        if let Some(look) = self.look {
            query.append_pair(SNAPSHOT.name, &look.to_string());
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
    fn what_is_asked_for_is_written_as_it_was_read() {
        for query in [
            "",
            "?q=a+b%26c&verdict=cancel-slow&wait=mpsc+recv&scope=POST+%2Forders&min_age=60&group=none&sort=-polls&from=300&look=7",
            "?site=src%2Fmain.rs%3A1%3A2&name=x&suspects=1&stacks=cached&group=site&sort=id",
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
    }
}
