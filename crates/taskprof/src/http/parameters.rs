//! Every query parameter of the endpoint, in one table.
//!
//! Parsing takes names, ranges and words from here ([`Query`](super::query::Query)), and so do
//! error messages, the list at `page/addresses` and its test. A parameter that means different
//! things on different pages has a row for each meaning. Not here: what becomes of a value
//! (`task_filter.rs`, `cpu_options.rs`, `native.rs`, the pages for people).

use taskscope::Verdict;

use crate::cpu::{DEFAULT_DURATION, MAX_DURATION, RETENTION};
use crate::sampler::ThreadSampler;
use crate::source::{Seconds, Source, What};
use crate::write::FORMATS;

/// One parameter on the pages that share its meaning.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) values: Values,
    /// Result of leaving it out, in words; empty if that needs none.
    default: &'static str,
    pages: &'static [PageKind],
    /// One sentence, without its first capital and its period.
    summary: &'static str,
}

/// Permitted values.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Values {
    /// A whole number from the first to the second.
    Number(u64, u64),
    /// One of these words.
    Words(&'static [&'static str]),
    /// One of these words, or one of them behind a minus sign.
    Order(&'static [&'static str]),
    /// One of the verdicts, as a slug.
    Verdicts,
    /// One of the page's formats.
    Formats,
    /// The name of a source that has a profile.
    Sources,
    /// Any text that is not empty.
    Text,
}

/// Pages that take the same parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageKind {
    /// The source `tasks`.
    Tasks,
    /// The other sources of tasks, which have chosen their verdicts.
    ChosenTasks,
    Cpu,
    /// A source that shows a moment and is none of tasks.
    Moment,
    /// A source that adds up since it was switched on.
    Sum,
    /// A source that is text, with the names of its formats.
    Texts,
    /// The metrics for scrapers.
    Metrics,
    /// A stored capture.
    Capture,
    /// `page/tasks`, for people.
    TasksPage,
    /// `page/profiles`, for people.
    ProfilesPage,
    /// `page/capture`, for people.
    CapturePage,
    /// A page without parameters.
    Bare,
}

use PageKind::{
    Capture, CapturePage, ChosenTasks, Cpu, Metrics, Moment, ProfilesPage, Sum, Tasks, TasksPage,
    Texts,
};
use Values::{Formats, Number, Order, Sources, Text, Verdicts, Words};

/// The longest capture that takes time, in seconds.
pub(crate) const MAX_SECONDS: u64 = MAX_DURATION.as_secs();
/// `seconds` where none are given.
pub(crate) const DEFAULT_SECONDS: u64 = DEFAULT_DURATION.as_secs();
const PAST: u64 = RETENTION.as_secs();
const YEAR: u64 = 365 * 24 * 60 * 60;
const LEAST_HZ: u64 = *ThreadSampler::HZ.start() as u64;
const MOST_HZ: u64 = *ThreadSampler::HZ.end() as u64;

/// Makes a static of each row, and a list of all.
macro_rules! table {
    ($($id:ident = $name:literal, $values:expr, $default:literal, $pages:expr, $summary:literal;)*) => {
        $(pub(crate) static $id: Parameter = Parameter {
            name: $name,
            values: $values,
            default: $default,
            pages: &$pages,
            summary: $summary,
        };)*

        /// Every row. Its order is that of error messages and of `page/addresses`.
        pub(crate) static ALL: &[&Parameter] = &[$(&$id),*];
    };
}

// Name in code, name, permitted values, default in words, pages, meaning.
table! {
    DEBUG = "debug", Number(0, 2), "0", [Tasks, ChosenTasks],
        "1 is text with similar tasks together, 2 is text with every task, 0 is a profile";
    MODE = "mode", Words(&["cpu", "wall"]), "cpu", [Cpu],
        "cpu samples threads that run; wall samples all threads, running, waiting or blocked";
    HZ = "hz", Number(LEAST_HZ, MOST_HZ), "99", [Cpu],
        "samples per second of CPU time";
    AGO = "ago", Number(1, PAST), "", [Cpu],
        "samples of the past, from this many seconds ago on and for seconds; while always on";
    ROUTE = "route", Text, "", [Cpu],
        "only tasks that worked for this route";
    Q = "q", Text, "", [Tasks, ChosenTasks, TasksPage],
        "only tasks with this text in their names, labels, scope, places or stack";
    VERDICT = "verdict", Verdicts, "", [Tasks, TasksPage],
        "only tasks with this verdict";
    WAIT = "wait", Text, "", [Tasks, ChosenTasks, TasksPage],
        "only tasks that wait for this";
    SCOPE = "scope", Text, "", [Tasks, ChosenTasks, TasksPage],
        "only tasks of scopes with this name, and of those below them";
    SCOPE_OF_SAMPLES = "scope", Text, "", [Cpu],
        "only tasks of scopes with this name";
    SITE = "site", Text, "", [Tasks, ChosenTasks, TasksPage],
        "only tasks that were spawned at this file:line:column";
    NAME = "name", Text, "", [Tasks, ChosenTasks, TasksPage, Cpu],
        "only tasks with this name";
    SUSPECTS = "suspects", Number(0, 1), "0", [Tasks, ChosenTasks, TasksPage],
        "1 shows only leak suspects";
    MIN_AGE = "min_age", Number(0, YEAR), "0", [Tasks, ChosenTasks, TasksPage],
        "only tasks that were spawned at least this many seconds ago";
    // Not on the page for people, which shows rows page by page.
    LIMIT = "limit", Number(1, 10_000_000), "", [Tasks, ChosenTasks],
        "at most this many tasks, the oldest; the others are counted";
    STACKS = "stacks", Words(&["fresh", "cached", "none"]), "fresh", [Tasks, ChosenTasks, TasksPage],
        "cached polls nothing and shows stacks that are still true";
    BY = "by", Words(&["stack", "route", "task", "thread"]), "stack", [Cpu],
        "the frame at the root of every stack; stack adds none";
    RUNTIME = "runtime", Words(&["folded", "full"]), "folded", [Cpu, CapturePage],
        "frames of std and tokio at the root of a stack: folded is one frame for all, full shows every one";
    GROUP = "group", Words(&["alike", "verdict", "wait", "scope", "site", "name", "none"]), "alike", [TasksPage],
        "what tasks are grouped by; none lists every task";
    SORT = "sort", Order(&["age", "since", "polls", "busy", "verdict", "name", "id"]), "age", [TasksPage],
        "what tasks are sorted by";
    FROM = "from", Number(0, u32::MAX as u64), "0", [TasksPage],
        "rows to leave out at the beginning";
    SNAPSHOT = "snapshot", Number(0, u64::MAX), "a new one", [TasksPage],
        "the snapshot of all tasks that the page is about; a new one if it is not stored any more";
    SOURCE = "source", Sources, "", [CapturePage],
        "what to take a profile of";
    SECONDS = "seconds", Number(1, MAX_SECONDS), "30", [Cpu],
        "how long to sample";
    // Together with ago.
    SECONDS_OF_PAST = "seconds", Number(1, PAST), "30", [],
        "how long the part of the past is";
    SECONDS_OF_MOMENT = "seconds", Number(1, MAX_SECONDS), "this moment", [Tasks, ChosenTasks, Moment],
        "what there is more, or less, after this many seconds";
    SECONDS_OF_SUM = "seconds", Number(1, MAX_SECONDS), "everything so far", [Sum],
        "only what is added in this many seconds";
    SECONDS_OF_CAPTURE = "seconds", Number(1, MAX_SECONDS), "", [CapturePage],
        "how long the profile takes";
    FORMAT = "format", Formats, "the first", [Cpu, Moment, Sum, Texts, Metrics, Capture],
        "";
    FORMAT_OF_TASKS = "format", Formats, "the first", [Tasks, ChosenTasks],
        "json is every task, or with seconds or base the profile; not together with debug=1 or debug=2";
    OPEN = "open", Number(0, u64::MAX), "", [ProfilesPage],
        "the number of a stored capture, shown as a flame graph";
    BASE = "base", Number(1, u64::MAX), "", [Tasks, ChosenTasks, Cpu, Moment, Sum, Capture, ProfilesPage],
        "the number of a stored capture: what has become more or less since then";
}

/// A page of the router, with what may stand behind its `?`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endpoint {
    page: PageKind,
    source: Option<&'static Source>,
}

impl Endpoint {
    /// A page without any parameter.
    pub(crate) const BARE: Endpoint = Endpoint::page(PageKind::Bare);

    /// A page that is none of a source.
    pub(crate) const fn page(page: PageKind) -> Endpoint {
        Endpoint { page, source: None }
    }

    /// The page of a source.
    pub(crate) fn of(source: &'static Source) -> Endpoint {
        let page = match (&source.what, source.seconds) {
            (What::Tasks(..), _) if source.name == "tasks" => PageKind::Tasks,
            (What::Tasks(..), _) => PageKind::ChosenTasks,
            (What::Cpu, _) => PageKind::Cpu,
            (What::Profile(_), Seconds::Cumulative) => PageKind::Sum,
            (What::Profile(_), _) => PageKind::Moment,
            (What::Text(_), _) => PageKind::Texts,
            (What::Symbol, _) => PageKind::Bare,
        };
        Endpoint {
            page,
            source: Some(source),
        }
    }

    /// Its parameters, in the order of the table.
    pub(crate) fn parameters(self) -> impl Iterator<Item = &'static Parameter> + Clone {
        ALL.iter()
            .copied()
            .filter(move |parameter| parameter.pages.contains(&self.page))
    }

    /// The names of its formats, the default one first.
    pub(crate) fn formats(self) -> Vec<&'static str> {
        match (self.page, self.source.map(|source| &source.what)) {
            (PageKind::Metrics, _) => vec!["openmetrics", "prometheus"],
            (_, Some(What::Text(views))) => views.iter().map(|view| view.format).collect(),
            _ => FORMATS.iter().map(|format| format.name).collect(),
        }
    }

    /// A parameter's meaning, values and default, in one sentence for people.
    pub(crate) fn help(self, parameter: &Parameter) -> String {
        let words = match parameter.values {
            Values::Number(_, u64::MAX) | Values::Text | Values::Sources => String::new(),
            Values::Number(least, most) => format!("{least} to {most}"),
            Values::Words(words) => words.join(", "),
            Values::Order(words) => {
                format!("{}, each with - in front for the reverse", words.join(", "))
            }
            Values::Verdicts => verdicts().collect::<Vec<_>>().join(", "),
            Values::Formats => self.help_of_formats(),
        };
        let default = match parameter.default {
            "" => String::new(),
            default => format!("{default} if absent"),
        };
        let parts = [parameter.summary.to_owned(), words, default];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("; ")
    }

    fn help_of_formats(self) -> String {
        if matches!(self.page, PageKind::Texts | PageKind::Metrics) {
            return self.formats().join(", ");
        }
        let formats = FORMATS
            .iter()
            .map(|format| format!("{} ({})", format.name, format.summary));
        formats.collect::<Vec<_>>().join(", ")
    }

    /// Queries worth a link of their own: what each shows, and the text behind the `?`.
    pub(crate) fn examples(self) -> Vec<(String, String)> {
        let pair = |what: &str, query: &str| (what.to_owned(), query.to_owned());
        let mut examples = match self.page {
            PageKind::Tasks | PageKind::ChosenTasks => {
                vec![pair("grouped", "debug=1"), pair("every task", "debug=2")]
            }
            PageKind::Cpu => vec![
                pair("by route, 5 s", "seconds=5&format=svg&by=route"),
                pair("all threads, 5 s", "seconds=5&format=svg&mode=wall"),
            ],
            PageKind::Bare => return Vec::new(),
            _ => Vec::new(),
        };
        examples.extend(self.formats().into_iter().map(|name| match self.page {
            PageKind::Cpu => (format!("{name}, 5 s"), format!("seconds=5&format={name}")),
            _ => (name.to_owned(), format!("format={name}")),
        }));
        examples
    }
}

/// The verdicts as slugs, in their order.
pub(crate) fn verdicts() -> impl Iterator<Item = &'static str> {
    Verdict::ALL.into_iter().map(Verdict::slug)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::DEFAULT_HZ;
    use crate::source;

    /// Every page that takes parameters.
    fn endpoints() -> Vec<Endpoint> {
        let pages = [Metrics, Capture, TasksPage, ProfilesPage, CapturePage];
        let sources = source::ALL.iter().map(|source| Endpoint::of(source));
        pages
            .into_iter()
            .map(Endpoint::page)
            .chain(sources)
            .collect()
    }

    #[test]
    fn a_page_has_each_of_its_parameters_once_and_each_parameter_is_of_a_page() {
        let mut used = std::collections::HashSet::new();
        for endpoint in endpoints() {
            let mut names = std::collections::HashSet::new();
            for parameter in endpoint.parameters() {
                assert!(
                    names.insert(parameter.name),
                    "{endpoint:?}: {}",
                    parameter.name
                );
                assert!(!endpoint.help(parameter).is_empty());
                used.insert(std::ptr::from_ref(parameter));
            }
        }
        let unused = ALL
            .iter()
            .filter(|parameter| !used.contains(&std::ptr::from_ref(**parameter)))
            .filter(|parameter| !parameter.pages.is_empty());
        assert_eq!(unused.count(), 0);
    }

    #[test]
    fn defaults_in_words_are_the_defaults() {
        assert_eq!(HZ.default, DEFAULT_HZ.to_string());
        for seconds in [&SECONDS, &SECONDS_OF_PAST] {
            assert_eq!(seconds.default, DEFAULT_SECONDS.to_string());
        }
        assert_eq!(
            Endpoint::of(source::ALL[0]).help(&MIN_AGE),
            "only tasks that were spawned at least this many seconds ago; 0 to 31536000; 0 if absent"
        );
    }

    #[test]
    fn the_readme_names_every_parameter_of_the_pages_for_tools() {
        let readme = include_str!("../../README.md");
        for source in source::ALL {
            for parameter in Endpoint::of(source).parameters() {
                let name = parameter.name;
                let is_named = ["`", "=", "&", "?"]
                    .iter()
                    .any(|before| readme.contains(&format!("{before}{name}")));
                assert!(is_named, "{name} is not in crates/taskprof/README.md");
            }
        }
    }
}
