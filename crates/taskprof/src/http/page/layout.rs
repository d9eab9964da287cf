//! The layout that all pages share: head, navigation and footer; and small parts that several of
//! them use.
//!
//! Not here: the content (each page's own file), style and script (`page.css`, `page.js`).

use std::borrow::Cow;
use std::panic::Location;
use std::time::Duration;

use maud::{DOCTYPE, Markup, html};
use taskscope::text::lines;
use taskscope::{
    Verdict, Watchdog,
    text::{Age, OneLine, Plain},
};

use super::links::Links;

/// A tab of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Overview,
    Tasks,
    Scopes,
    Profiles,
    /// Linked from the foot of every page instead of the navigation.
    Addresses,
}

impl Tab {
    const ALL: [Tab; 4] = [Tab::Overview, Tab::Tasks, Tab::Scopes, Tab::Profiles];

    fn name(self) -> &'static str {
        match self {
            Tab::Overview => "Overview",
            Tab::Tasks => "Tasks",
            Tab::Scopes => "Scopes",
            Tab::Profiles => "Profiles",
            Tab::Addresses => "All addresses",
        }
    }

    fn link(self, links: &Links) -> String {
        match self {
            Tab::Overview => links.home().to_owned(),
            Tab::Tasks => links.to("page/tasks"),
            Tab::Scopes => links.to("page/scopes"),
            Tab::Profiles => links.to("page/profiles"),
            Tab::Addresses => links.to("page/addresses"),
        }
    }
}

/// A page without its content.
pub(super) struct Page<'a> {
    pub(super) links: &'a Links,
    pub(super) tab: Tab,
    /// The heading; if empty, the name of the tab.
    pub(super) title: &'a str,
    /// How often the script fetches the page again to update its live parts; never if absent.
    pub(super) refresh: Option<Duration>,
}

impl Page<'_> {
    /// The whole page around its content.
    pub(super) fn html(&self, content: &Markup) -> String {
        let links = self.links;
        let title = if self.title.is_empty() {
            self.tab.name()
        } else {
            self.title
        };
        let process = process();
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width,initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " · " (process) }
                    link rel="stylesheet" href=(links.to("page/page.css"));
                    link rel="icon" href="data:,";
                    script src=(links.to("page/page.js")) defer {}
                }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    header {
                        p.process { (process) " " span.pid { "pid " (std::process::id()) } }
                        nav aria-label="Views" {
                            ul {
                                @for tab in Tab::ALL {
                                    li {
                                        a href=(tab.link(links)) aria-current=[(tab == self.tab).then_some("page")] { (tab.name()) }
                                    }
                                }
                            }
                        }
                        p #live role="status" {}
                    }
                    main #main tabindex="-1" data-refresh=[self.refresh.map(|refresh| refresh.as_millis())] {
                        h1 { (title) }
                        (content)
                    }
                    footer {
                        a href=(Tab::Addresses.link(links)) aria-current=[(self.tab == Tab::Addresses).then_some("page")] { "All addresses and formats" }
                        " · Taskscope " (env!("CARGO_PKG_VERSION"))
                    }
                }
            }
        };
        // Escapes the characters that cannot be seen, wherever they are from.
        lines(&page.into_string()).into_owned()
    }
}

/// The file name of the program.
pub(super) fn process() -> String {
    let name = std::env::current_exe().ok().and_then(|path| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some(name)
    });
    Plain(name.unwrap_or_else(|| "this process".to_owned())).to_string()
}

/// A name that the program made up, on one line and with hidden characters escaped.
pub(super) fn plain(name: &str) -> String {
    Plain(name).to_string()
}

/// A sentence on one line, whose names are escaped already.
pub(super) fn sentence(text: &str) -> String {
    OneLine(text).to_string()
}

/// A length of time, rounded for people.
pub(super) fn age(time: Duration) -> String {
    Age(time).to_string()
}

/// A verdict with its colour and its meaning.
pub(super) fn verdict(verdict: Verdict) -> Markup {
    html! { span.verdict data-verdict=(verdict.slug()) title=(meaning(verdict)) { (verdict) } }
}

/// The meaning of a verdict, with the limit that is in force in this process.
pub(super) fn meaning(verdict: Verdict) -> Cow<'static, str> {
    match verdict {
        Verdict::Blocking => {
            let threshold = Watchdog::active_threshold();
            format!("in one poll for more than {threshold:?}").into()
        }
        other => other.meaning().into(),
    }
}

/// A place in the source: the end of its path, with all of it as the title.
pub(super) fn place(site: &Location<'_>) -> Markup {
    let all = plain(&site.to_string());
    html! { span.place title=(all) { (short(site)) } }
}

/// The last two segments of the path, with line and column.
pub(super) fn short(site: &Location<'_>) -> String {
    let file = site.file();
    let from = file.rmatch_indices('/').nth(1).map_or(0, |(at, _)| at + 1);
    format!("{}:{}:{}", Plain(&file[from..]), site.line(), site.column())
}

/// A number with its noun: `1 task`, `2 tasks`.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
