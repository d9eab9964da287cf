//! The page with the tasks: the filter, and a table of tasks or of groups.
//!
//! Not here: which tasks are in the table (`filter.rs`), the page of one task (`details.rs`).

use maud::{Markup, html};
use taskscope::TaskDump;

use super::filter::{Choices, GroupRow, Matches, label};
use super::query::{Grouping, ROWS, Sort, TaskQuery};
use super::snapshot::{Snapshot, View};
use crate::http::page::layout::{Page, Tab, age, count, place, plain, sentence, verdict};
use crate::http::page::links::Links;
use crate::tasks::{KnownStacks, comments};

/// Columns of the table of tasks.
const COLUMNS: usize = 10;
/// Groups that are shown; the others are counted.
const MAX_GROUPS: usize = 200;
/// Choices of one kind that are offered; others are found by text.
const MAX_CHOICES: usize = 200;

/// The page of a query, from a snapshot. `is_new`: the snapshot was taken for this page.
pub(super) fn html(links: &Links, snapshot: &Snapshot, query: &TaskQuery, is_new: bool) -> String {
    let show = |view: View<'_>| content(links, &view, query, is_new);
    let content = snapshot.with_page(query, show).unwrap_or_default();
    let page = Page {
        links,
        tab: Tab::Tasks,
        title: "",
        refresh: None,
    };
    page.html(&content)
}

fn content(links: &Links, view: &View<'_>, query: &TaskQuery, is_new: bool) -> Markup {
    let (head, matches) = (view.head, view.matches);
    let dump = &head.dump;
    html! {
        (filter(links, query, view.choices))
        p #count role="status" {
            strong { (matches.tasks) } " of " (count(head.counts.tasks, "task")) " with a record, " (dump.untracked()) " untracked; as of "
            time { (httpdate::fmt_http_date(dump.taken_at)) }
            ", taken in " (age(dump.took)) ". "
            a href=(links.to(&format!("page/tasks{}", TaskQuery { snapshot: None, from: 0, ..query.clone() }.to_url()))) { "Take a new snapshot" }
        }
        @if query.from > 0 && is_new {
            p.note { "This is a new snapshot: the one that the page belonged to has expired." }
        }
        @if query.grouping == Grouping::None {
            (rows(links, query, view))
        } @else {
            (groups(links, query, matches))
        }
        @let comments = comments(dump, &head.counts);
        @if !comments.is_empty() {
            h2 { "What could not be seen" }
            ul.notes { @for comment in &comments { li { (sentence(comment)) } } }
        }
    }
}

fn filter(links: &Links, query: &TaskQuery, choices: &Choices) -> Markup {
    let option = |value: &str, words: String, chosen: bool| {
        html! { option value=(plain(value)) selected[chosen] { (plain(&words)) } }
    };
    // The present choice is offered even if no task has it any more.
    let many = |all: &[(String, usize)], chosen: &Option<String>| {
        let is_chosen = |value: &str| {
            chosen
                .as_deref()
                .is_some_and(|chosen| plain(chosen) == plain(value))
        };
        let listed = all.iter().take(MAX_CHOICES);
        let missing = chosen.as_deref().filter(|chosen| {
            !all.iter()
                .take(MAX_CHOICES)
                .any(|(value, _)| plain(value) == plain(chosen))
        });
        html! {
            option value="" { "any" }
            @if let Some(missing) = missing { (option(missing, missing.to_owned(), true)) }
            @for (value, count) in listed { (option(value, format!("{value} ({count})"), is_chosen(value))) }
        }
    };
    let is_filtered = query.is_filtered();
    html! {
        form #filter method="get" action=(links.to("page/tasks")) role="search" aria-label="Filter tasks" {
            label { span { "Text" } input type="search" name="q" value=[query.filter.text.as_deref().map(plain)] placeholder="name, scope, label, function, file" maxlength="200"; }
            label { span { "Verdict" }
                select name="verdict" {
                    option value="" { "any" }
                    @for each in taskscope::Verdict::ALL {
                        @let number = choices.verdicts.get(&each).copied().unwrap_or(0);
                        (option(each.slug(), format!("{each} ({number})"), query.filter.verdict == Some(each)))
                    }
                }
            }
            label { span { "Waits for" } select name="wait" { (many(&choices.waits(), &query.filter.wait)) } }
            label { span { "Scope" } select name="scope" { (many(&choices.scopes(), &query.filter.scope)) } }
            label { span { "Show" }
                select name="group" {
                    @for (word, by, words) in Grouping::ALL { (option(word, words.to_owned(), by == query.grouping)) }
                }
            }
            label.check { input type="checkbox" name="suspects" value="1" checked[query.filter.suspects]; span { "leak suspects only" } }
            @if let Some(site) = &query.filter.site { (fixed("site", "Spawned at", site)) }
            @if let Some(name) = &query.filter.name { (fixed("name", "Name", name)) }
            @if !query.filter.min_age.is_zero() { (fixed("min_age", "Seconds old", &query.filter.min_age.as_secs().to_string())) }
            @if let Some(snapshot) = query.snapshot { input type="hidden" name="snapshot" value=(snapshot); }
            span.buttons {
                button { "Show" }
                @if is_filtered {
                    " " a href=(links.to(&format!("page/tasks{}", TaskQuery { grouping: query.grouping, snapshot: query.snapshot, ..TaskQuery::default() }.to_url()))) { "All tasks" }
                }
            }
        }
    }
}

/// A text field for a filter that a link has set; the reader can empty it.
fn fixed(name: &str, words: &str, value: &str) -> Markup {
    html! { label { span { (words) } input type="text" name=(name) value=(plain(value)) size="30"; } }
}

/// The head of a column, a link that sorts by it.
fn sorter(links: &Links, query: &TaskQuery, by: Sort, words: &str) -> Markup {
    let is_it = query.sort == by;
    let other = TaskQuery {
        sort: by,
        reversed: is_it && !query.reversed,
        from: 0,
        ..query.clone()
    };
    // Numbers begin with the largest, texts with the first of the alphabet.
    let falls = !matches!(by, Sort::Name | Sort::Id | Sort::Verdict);
    let order = match falls == query.reversed {
        true => "ascending",
        false => "descending",
    };
    html! {
        th scope="col" class=(class(by)) aria-sort=[is_it.then_some(order)] {
            a href=(links.to(&format!("page/tasks{}", other.to_url()))) { (words) }
        }
    }
}

fn class(by: Sort) -> &'static str {
    match by {
        Sort::Age | Sort::Since | Sort::Polls | Sort::Busy => "n",
        _ => "",
    }
}

fn rows(links: &Links, query: &TaskQuery, view: &View<'_>) -> Markup {
    let all = view.matches.order.len();
    let without_memory = view.matches.tasks.saturating_sub(all);
    let mut stacks = KnownStacks::default();
    let from = query.from.min(all);
    let next = TaskQuery {
        from: 0,
        ..query.clone()
    };
    html! {
        div.wide {
            // The script loads further rows as they come into view.
            table #tasks data-rows=(all) data-size=(ROWS) data-snapshot=[query.snapshot] data-next=(links.to(&format!("page/tasks{}", next.to_url())))
                aria-rowcount=(all + 1) {
                caption.hidden { "Tasks" }
                thead {
                    tr {
                        (sorter(links, query, Sort::Id, "task"))
                        (sorter(links, query, Sort::Name, "name"))
                        (sorter(links, query, Sort::Verdict, "verdict"))
                        th scope="col" { "doing" }
                        (sorter(links, query, Sort::Since, "for"))
                        (sorter(links, query, Sort::Age, "age"))
                        (sorter(links, query, Sort::Polls, "polls"))
                        (sorter(links, query, Sort::Busy, "busy"))
                        th scope="col" { "scope" }
                        th scope="col" { "spawned at" }
                    }
                }
                tbody data-from=(from) {
                    @for (at, task) in (from..).zip(&view.rows) {
                        @match task {
                            Some(task) => (row(links, task, at, &mut stacks)),
                            None => (ended(at)),
                        }
                    }
                }
            }
        }
        @if view.rows.is_empty() { p.note { "No task matches." } }
        (pages(links, query, from, all))
        @if without_memory > 0 {
            p.note { "and " (count(without_memory, "more task")) ", for whose rows there was no memory; a filter shows them" }
        }
    }
}

fn row(links: &Links, task: &TaskDump, at: usize, stacks: &mut KnownStacks) -> Markup {
    let name = plain(label(task));
    html! {
        tr data-id=(task.id) aria-rowindex=(at + 2) {
            td { a href=(links.to(&format!("page/tasks/{}", task.id))) { (task.id) } }
            th scope="row" title=(name) { (name) }
            td { (verdict(task.verdict)) }
            td { (sentence(&doing(task, stacks))) }
            td.n { (age(task.state.since())) }
            td.n { (age(task.age)) }
            td.n { (task.polls) }
            td.n { (age(task.busy)) }
            td { @if let Some(scope) = &task.scope { (plain(scope.name())) } }
            td { (place(task.site)) }
        }
    }
}

/// The row of a task that has ended since the snapshot, with as many cells as the others.
fn ended(at: usize) -> Markup {
    html! {
        tr aria-rowindex=(at + 2) {
            td {}
            th scope="row" { "ended" }
            @for _ in 2..COLUMNS { td {} }
        }
    }
}

/// The activity of a task, in few words.
fn doing(task: &TaskDump, stacks: &mut KnownStacks) -> String {
    match task.state {
        taskscope::dump::State::Running { .. } => "running".to_owned(),
        taskscope::dump::State::Scheduled { .. } => "about to run".to_owned(),
        _ => match &*stacks.wait(task) {
            "unknown" => "waiting".to_owned(),
            wait => wait.to_owned(),
        },
    }
}

/// Links to the other pages of rows, for browsers without the script.
fn pages(links: &Links, query: &TaskQuery, from: usize, all: usize) -> Markup {
    if all <= ROWS {
        return html! {};
    }
    let last = (all - 1) / ROWS * ROWS;
    let to = |from: usize, words: &str| {
        let query = TaskQuery {
            from,
            ..query.clone()
        }
        .to_url();
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

fn groups(links: &Links, query: &TaskQuery, matches: &Matches) -> Markup {
    let groups = &matches.groups;
    let mut stacks = KnownStacks::default();
    let alike = query.grouping == Grouping::Alike;
    html! {
        div.wide {
            table #groups {
                caption.hidden { "Tasks, " (Grouping::ALL.iter().find(|(_, by, _)| *by == query.grouping).map_or("", |(.., words)| words)) }
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
                tbody { @for group in groups.iter().take(MAX_GROUPS) { (group_row(links, query, group, alike, &mut stacks)) } }
            }
        }
        @if groups.is_empty() { p.note { "No task matches." } }
        @if groups.len() > MAX_GROUPS { p.note { "and " (count(groups.len() - MAX_GROUPS, "more group")) } }
        @if matches.left_out > 0 { p.note { "and " (count(matches.left_out, "task")) " in further groups" } }
    }
}

fn group_row(
    links: &Links,
    query: &TaskQuery,
    group: &GroupRow,
    alike: bool,
    stacks: &mut KnownStacks,
) -> Markup {
    let summary = &group.summary;
    let (first, verdicts) = (&summary.oldest, &summary.verdicts);
    let (scopes, without_scope) = (&summary.first_scopes, summary.without_scope);
    let query = TaskQuery {
        snapshot: query.snapshot,
        ..group.query.clone()
    }
    .to_url();
    let what = if alike {
        format!("{}, {}", label(first), doing(first, stacks))
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
