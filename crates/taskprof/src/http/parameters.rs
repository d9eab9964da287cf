//! What may stand behind the `?` of each page, made from the sources and the formats: `page/addresses` prints it, and the parser of parameters takes
//! its names from it.

use crate::source::{Seconds, Source, What};
use crate::write::FORMATS;

/// A page of the router.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Everything that may stand behind the `?`.
    pub(crate) parameters: Vec<Parameter>,
    /// Queries worth a link of their own: what it shows, and the text behind the `?`.
    pub(crate) examples: Vec<(String, String)>,
}

/// A query parameter.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    /// Values, range and default, for people.
    pub(crate) summary: String,
}

fn parameter(name: &'static str, summary: impl Into<String>) -> Parameter {
    Parameter {
        name,
        summary: summary.into(),
    }
}

impl Endpoint {
    /// A page without any.
    pub(crate) const BARE: Endpoint = Endpoint {
        parameters: Vec::new(),
        examples: Vec::new(),
    };

    /// A page for people with these parameters.
    pub(crate) fn taking(parameters: &[(&'static str, &str)]) -> Endpoint {
        let parameters = parameters.iter();
        Endpoint {
            parameters: parameters
                .map(|(name, summary)| parameter(name, *summary))
                .collect(),
            examples: Vec::new(),
        }
    }

    /// The page of a source.
    pub(crate) fn of(source: &Source) -> Endpoint {
        let mut page = Endpoint::BARE;
        match source.what {
            What::Tasks(..) => {
                page.dump(source);
                page.profile(source);
            }
            What::Cpu => {
                page.sampling();
                page.profile(source);
            }
            What::Profile(_) => page.profile(source),
            What::Text(views) => {
                let names: Vec<&str> = views.iter().map(|view| view.format).collect();
                page.parameters.push(parameter(
                    "format",
                    format!("{}; the first if absent", names.join(" or ")),
                ));
                for name in names {
                    page.example(name, format!("format={name}"));
                }
            }
            What::Symbol => {}
        }
        page
    }

    /// The page for scrapers.
    #[cfg(feature = "metrics")]
    pub(crate) fn of_metrics() -> Endpoint {
        let mut page = Endpoint::BARE;
        page.parameters.push(parameter(
            "format",
            "openmetrics or prometheus; by the header Accept if absent, openmetrics if that names neither",
        ));
        page
    }

    /// The page of a finished capture.
    pub(crate) fn of_capture() -> Endpoint {
        let mut page = Endpoint::BARE;
        page.formats("");
        page.base();
        page
    }

    fn example(&mut self, what: impl Into<String>, query: impl Into<String>) {
        self.examples.push((what.into(), query.into()));
    }

    /// Which tasks, and the views that are no profiles.
    fn dump(&mut self, source: &Source) {
        self.parameters.extend([
            parameter("debug", "1: text, tasks that are alike together; 2: text, every task; 0: as without"),
            parameter("stacks", "fresh (the default), cached (poll nothing, show stacks that are still true) or none"),
        ]);
        if takes_verdict(source) {
            self.parameters.push(parameter(
                "verdict",
                "only tasks with this verdict: stuck, blocking, spinning, cancel-ignored, cancel-slow, outlived, idle or active",
            ));
        }
        self.parameters.extend([
            parameter(
                "scope",
                "only tasks of scopes with this name, and of those below them",
            ),
            parameter("name", "only tasks with this name"),
            parameter(
                "min_age",
                "only tasks that were spawned at least so many seconds ago, at most 31536000",
            ),
            parameter(
                "limit",
                "at most so many tasks, the oldest, from 1 to 10000000; the rest is counted",
            ),
        ]);
        self.example("grouped", "debug=1");
        self.example("every task", "debug=2");
    }

    /// How the CPU is sampled, and whose samples are shown.
    fn sampling(&mut self) {
        self.parameters.extend([
            parameter(
                "mode",
                "wall: all threads at all times, running, waiting or blocked; cpu, running ones only, if absent",
            ),
            parameter("hz", "samples per second of CPU time, 1 to 1000; 99 if absent"),
            parameter(
                "ago",
                "what was sampled in the past: so many seconds ago it begins, 1 to 600, and lasts for seconds; only while sampling is always on",
            ),
            parameter("route", "only tasks that worked for this route"),
            parameter("scope", "only tasks of scopes with this name"),
            parameter("name", "only tasks with this name"),
            parameter(
                "by",
                "route, task or thread: what stands at the root of every stack; stack (nothing) if absent",
            ),
        ]);
        self.example("by route, 5 s", "seconds=5&format=svg&by=route");
        self.example("all threads, 5 s", "seconds=5&format=svg&mode=wall");
    }

    fn profile(&mut self, source: &Source) {
        let seconds = match source.seconds {
            Seconds::Timed => "how long to sample, 1 to 300; 30 if absent",
            Seconds::Cumulative => {
                "only what is added in so many seconds, 1 to 300; everything so far if absent"
            }
            _ => {
                "what there is more, or less, after so many seconds, 1 to 300; this moment if absent"
            }
        };
        self.parameters.push(parameter("seconds", seconds));
        let also = match source.what {
            What::Tasks(..) => {
                "; json is every task, or with seconds or base the profile; not together with debug=1 or debug=2"
            }
            _ => "",
        };
        self.formats(also);
        self.base();
        let timed = source.seconds == Seconds::Timed;
        for format in FORMATS {
            let name = format.name;
            if timed {
                self.example(format!("{name}, 5 s"), format!("seconds=5&format={name}"));
            } else {
                self.example(name, format!("format={name}"));
            }
        }
    }

    fn formats(&mut self, also: &str) {
        let listed: Vec<String> = FORMATS
            .iter()
            .map(|format| format!("{} ({})", format.name, format.summary))
            .collect();
        self.parameters.push(parameter(
            "format",
            format!("{}; the first if absent{also}", listed.join(", ")),
        ));
    }

    fn base(&mut self) {
        self.parameters.push(parameter(
            "base",
            "the number of a capture that is kept: what has become more or less since then",
        ));
    }
}

/// The other sources of tasks have chosen theirs.
pub(super) fn takes_verdict(source: &Source) -> bool {
    source.name == "tasks"
}
