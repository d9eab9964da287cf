//! Tasks in a table.

use maud::{Markup, html};
use taskscope::TaskDump;

use super::filter::{Choices, Known, Selected, Together, label};
use super::query::{Grouping, Sort, Wanted};
use super::snapshot::{Shown, Snapshot};
use crate::http::page::layout::{Page, Tab, age, count, place, plain, sentence, verdict};
use crate::http::page::links::Links;
use crate::tasks::remarks;

/// Rows of one page.
pub(super) const ROWS: usize = 100;
const COLUMNS: usize = 10;
/// Groups that are shown; more are counted.
const GROUPS: usize = 200;
/// Choices of one kind that are offered; more are found by text.
const CHOICES: usize = 200;

pub(super) fn html(links: &Links, snapshot: &Snapshot, wanted: &Wanted, is_new: bool) -> String {
    let show = |shown: Shown<'_>| content(links, &shown, wanted, is_new);
    let content = snapshot.with(wanted, show).unwrap_or_default();
    let page = Page {
        links,
        tab: Tab::Tasks,
        title: "",
        every: None,
    };
    page.html(&content)
}

fn content(links: &Links, shown: &Shown<'_>, wanted: &Wanted, is_new: bool) -> Markup {
    let (head, selected) = (shown.head, shown.selected);
    let dump = &head.dump;
    html! {
        (filter(links, wanted, shown.choices))
        p #count role="status" {
            strong { (selected.tasks) } " of " (count(head.counts.tasks, "task")) " with a record, " (dump.untracked()) " untracked; looked at "
            time { (httpdate::fmt_http_date(dump.taken_at)) }
            " in " (age(dump.took)) ". "
            a href=(links.to(&format!("page/tasks{}", Wanted { look: None, from: 0, ..wanted.clone() }.query()))) { "Look again" }
        }
        @if wanted.from > 0 && is_new {
            p.note { "The tasks were looked at again: what this page followed on is not kept any more." }
        }
        @if wanted.grouping == Grouping::None {
            (rows(links, wanted, shown))
        } @else {
            (groups(links, wanted, selected))
        }
        @let remarks = remarks(dump, &head.counts);
        @if !remarks.is_empty() {
            h2 { "What could not be seen" }
            ul.notes { @for remark in &remarks { li { (sentence(remark)) } } }
        }
    }
}

fn filter(links: &Links, wanted: &Wanted, choices: &Choices) -> Markup {
    let option = |value: &str, words: String, chosen: bool| {
        html! { option value=(plain(value)) selected[chosen] { (plain(&words)) } }
    };
    // What is chosen can be chosen again, also if no task has it any more.
    let many = |all: &[(String, usize)], chosen: &Option<String>| {
        let is_chosen = |value: &str| {
            chosen
                .as_deref()
                .is_some_and(|chosen| plain(chosen) == plain(value))
        };
        let listed = all.iter().take(CHOICES);
        let missing = chosen.as_deref().filter(|chosen| {
            !all.iter()
                .take(CHOICES)
                .any(|(value, _)| plain(value) == plain(chosen))
        });
        html! {
            option value="" { "any" }
            @if let Some(missing) = missing { (option(missing, missing.to_owned(), true)) }
            @for (value, count) in listed { (option(value, format!("{value} ({count})"), is_chosen(value))) }
        }
    };
    let filtered = wanted.filters();
    html! {
        form #filter method="get" action=(links.to("page/tasks")) role="search" aria-label="Filter tasks" {
            label { span { "Text" } input type="search" name="q" value=[wanted.text.as_deref().map(plain)] placeholder="name, scope, label, function, file" maxlength="200"; }
            label { span { "Verdict" }
                select name="verdict" {
                    option value="" { "any" }
                    @for each in taskscope::Verdict::ALL {
                        @let number = choices.verdicts.get(&each).copied().unwrap_or(0);
                        (option(each.slug(), format!("{each} ({number})"), wanted.verdict == Some(each)))
                    }
                }
            }
            label { span { "Waits for" } select name="wait" { (many(&choices.waits(), &wanted.wait)) } }
            label { span { "Scope" } select name="scope" { (many(&choices.scopes(), &wanted.scope)) } }
            label { span { "Show" }
                select name="group" {
                    @for (word, by, words) in Grouping::ALL { (option(word, words.to_owned(), by == wanted.grouping)) }
                }
            }
            label.check { input type="checkbox" name="suspects" value="1" checked[wanted.suspects]; span { "leak suspects only" } }
            @if let Some(site) = &wanted.site { (fixed("site", "Spawned at", site)) }
            @if let Some(name) = &wanted.name { (fixed("name", "Name", name)) }
            @if let Some(look) = wanted.look { input type="hidden" name="look" value=(look); }
            span.buttons {
                button { "Show" }
                @if filtered {
                    " " a href=(links.to(&format!("page/tasks{}", Wanted { grouping: wanted.grouping, look: wanted.look, ..Wanted::default() }.query()))) { "All tasks" }
                }
            }
        }
    }
}

/// A filter that a link has set, to be taken away by hand.
fn fixed(name: &str, words: &str, value: &str) -> Markup {
    html! { label { span { (words) } input type="text" name=(name) value=(plain(value)) size="30"; } }
}

/// The column's head, which sorts by it.
fn sorter(links: &Links, wanted: &Wanted, by: Sort, words: &str) -> Markup {
    let is_it = wanted.sort == by;
    let other = Wanted {
        sort: by,
        reversed: is_it && !wanted.reversed,
        from: 0,
        ..wanted.clone()
    };
    // What comes first by itself is the most, or the first of the alphabet.
    let falls = !matches!(by, Sort::Name | Sort::Id | Sort::Verdict);
    let order = match falls == wanted.reversed {
        true => "ascending",
        false => "descending",
    };
    html! {
        th scope="col" class=(class(by)) aria-sort=[is_it.then_some(order)] {
            a href=(links.to(&format!("page/tasks{}", other.query()))) { (words) }
        }
    }
}

fn class(by: Sort) -> &'static str {
    match by {
        Sort::Age | Sort::Since | Sort::Polls | Sort::Busy => "n",
        _ => "",
    }
}

fn rows(links: &Links, wanted: &Wanted, shown: &Shown<'_>) -> Markup {
    let all = shown.selected.order.len();
    let without_memory = shown.selected.tasks.saturating_sub(all);
    let mut known = Known::default();
    let from = wanted.from.min(all);
    let next = Wanted {
        from: 0,
        ..wanted.clone()
    };
    html! {
        div.wide {
            // The script loads the rows between as they come into view.
            table #tasks data-rows=(all) data-size=(ROWS) data-look=[wanted.look] data-next=(links.to(&format!("page/tasks{}", next.query())))
                aria-rowcount=(all + 1) {
                caption.hidden { "Tasks" }
                thead {
                    tr {
                        (sorter(links, wanted, Sort::Id, "task"))
                        (sorter(links, wanted, Sort::Name, "name"))
                        (sorter(links, wanted, Sort::Verdict, "verdict"))
                        th scope="col" { "doing" }
                        (sorter(links, wanted, Sort::Since, "for"))
                        (sorter(links, wanted, Sort::Age, "age"))
                        (sorter(links, wanted, Sort::Polls, "polls"))
                        (sorter(links, wanted, Sort::Busy, "busy"))
                        th scope="col" { "scope" }
                        th scope="col" { "spawned at" }
                    }
                }
                tbody data-from=(from) {
                    @for (at, task) in (from..).zip(&shown.rows) {
                        @match task {
                            Some(task) => (row(links, task, at, &mut known)),
                            None => (ended(at)),
                        }
                    }
                }
            }
        }
        @if shown.rows.is_empty() { p.note { "No task is like that." } }
        (pages(links, wanted, from, all))
        @if without_memory > 0 {
            p.note { "and " (count(without_memory, "more task")) ": there was no memory for so many rows. A filter shows them." }
        }
    }
}

fn row(links: &Links, task: &TaskDump, at: usize, known: &mut Known) -> Markup {
    let name = plain(label(task));
    html! {
        tr data-id=(task.id) aria-rowindex=(at + 2) {
            td { a href=(links.to(&format!("page/tasks/{}", task.id))) { (task.id) } }
            th scope="row" title=(name) { (name) }
            td { (verdict(task.verdict)) }
            td { (sentence(&doing(task, known))) }
            td.n { (age(task.state.since())) }
            td.n { (age(task.age)) }
            td.n { (task.polls) }
            td.n { (age(task.busy)) }
            td { @if let Some(scope) = &task.scope { (plain(scope.name())) } }
            td { (place(task.site)) }
        }
    }
}

/// The row of a task that has ended since the look, with as many cells as the others.
fn ended(at: usize) -> Markup {
    html! {
        tr aria-rowindex=(at + 2) {
            td {}
            th scope="row" { "ended" }
            @for _ in 2..COLUMNS { td {} }
        }
    }
}

/// What it is doing, in few words.
fn doing(task: &TaskDump, known: &mut Known) -> String {
    match task.state {
        taskscope::State::Running { .. } => "running".to_owned(),
        taskscope::State::Scheduled { .. } => "about to run".to_owned(),
        _ => match &*known.wait(task) {
            "unknown" => "waiting".to_owned(),
            wait => wait.to_owned(),
        },
    }
}

/// The way to the other pages, for whoever has no script.
fn pages(links: &Links, wanted: &Wanted, from: usize, all: usize) -> Markup {
    if all <= ROWS {
        return html! {};
    }
    let last = (all - 1) / ROWS * ROWS;
    let to = |from: usize, words: &str| {
        let query = Wanted {
            from,
            ..wanted.clone()
        }
        .query();
        html! { li { a href=(links.to(&format!("page/tasks{query}"))) { (words) } } }
    };
    html! {
        nav.pages aria-label="Pages" {
            ul {
                @if from > 0 {
                    (to(0, "first"))
                    (to(from.saturating_sub(ROWS), "previous"))
                }
                li { (from + 1) " to " (all.min(from + ROWS)) " of " (all) }
                @if from < last {
                    (to(from + ROWS, "next"))
                    (to(last, "last"))
                }
            }
        }
    }
}

fn groups(links: &Links, wanted: &Wanted, selected: &Selected) -> Markup {
    let groups = &selected.groups;
    let mut known = Known::default();
    let alike = wanted.grouping == Grouping::Alike;
    html! {
        div.wide {
            table #groups {
                caption.hidden { "Tasks, " (Grouping::ALL.iter().find(|(_, by, _)| *by == wanted.grouping).map_or("", |(.., words)| words)) }
                thead {
                    tr {
                        th.n scope="col" { "tasks" }
                        th scope="col" { "what" }
                        th scope="col" { "verdict" }
                        th.n scope="col" { "longest" }
                        th.n scope="col" { "oldest" }
                        th scope="col" { "scope" }
                        th scope="col" { "spawned at" }
                    }
                }
                tbody { @for group in groups.iter().take(GROUPS) { (group_row(links, wanted, group, alike, &mut known)) } }
            }
        }
        @if groups.is_empty() { p.note { "No task is like that." } }
        @if groups.len() > GROUPS { p.note { "and " (count(groups.len() - GROUPS, "more group")) } }
        @if selected.left_out > 0 { p.note { "and " (count(selected.left_out, "task")) " of more groups than are kept" } }
    }
}

fn group_row(
    links: &Links,
    wanted: &Wanted,
    group: &Together,
    alike: bool,
    known: &mut Known,
) -> Markup {
    let summary = &group.summary;
    let (first, verdicts) = (&summary.oldest, &summary.verdicts);
    let (scopes, without_scope) = (&summary.first_scopes, summary.without_scope);
    let query = Wanted {
        look: wanted.look,
        ..group.wanted.clone()
    }
    .query();
    let what = if alike {
        format!("{}, {}", label(first), doing(first, known))
    } else {
        group.common.clone()
    };
    html! {
        tr {
            td.n { (summary.tasks) }
            th scope="row" { a href=(links.to(&format!("page/tasks{query}"))) title=(plain(&what)) { (plain(&what)) } }
            td {
                @for (at, (each, count)) in verdicts.iter().enumerate() {
                    @if at > 0 { " " }
                    (verdict(*each))
                    @if verdicts.len() > 1 { " " (count) }
                }
            }
            td.n { (age(summary.since.1)) }
            td.n { (age(summary.age.1)) }
            td {
                @for (at, scope) in scopes.iter().take(3).enumerate() { @if at > 0 { ", " } (plain(scope)) }
                @if scopes.len() > 3 { ", …" }
                @if without_scope && !scopes.is_empty() { ", and none" }
            }
            td { @if summary.several_sites { "several places" } @else { (place(first.site)) } }
        }
    }
}
