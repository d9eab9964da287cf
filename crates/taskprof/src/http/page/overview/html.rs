//! The first page as HTML.
//!
//! Not here: its facts (`model.rs`), the parts that it shares with other pages (`layout.rs`).

use std::time::Duration;

use maud::{Markup, html};
use taskscope::census::WorkerLoad;
use taskscope::{TaskDump, Verdict, growth::SiteGrowth};

use super::chart::{self, chart, spark};
use super::cpu;
use super::model::{LONG_POLL, MAX_ROWS, Overview, Suspect};
use crate::http::page::layout::{Page, Tab, age, count, meaning, place, plain, sentence, verdict};
use crate::http::page::links::Links;
use crate::http::page::tasks::{label, pair};
use crate::tasks::comments;

pub(super) fn html(links: &Links, overview: &Overview, refresh: Duration) -> String {
    let content = html! {
        div.beside {
            (verdicts(links, overview))
            div {
                (history(overview))
                (workers(overview))
            }
        }
        (suspects(links, overview))
        @if let Some(recent) = &overview.cpu { (cpu::html(links, recent)) }
        (oldest(links, overview))
        (longest(links, overview))
        (notes(overview))
    };
    let page = Page {
        links,
        tab: Tab::Overview,
        title: "",
        refresh: Some(refresh),
    };
    page.html(&content)
}

fn verdicts(links: &Links, overview: &Overview) -> Markup {
    let head = &overview.tasks.head;
    html! {
        section #verdicts data-live aria-labelledby="verdicts-head" {
            h2 #verdicts-head { "Tasks now" }
            p {
                strong.big { (head.counts.tasks) } " with a record, " strong { (head.dump.untracked()) } " untracked; "
                time { (httpdate::fmt_http_date(head.dump.taken_at)) } "."
            }
            div.wide {
                table {
                    caption.hidden { "Tasks by verdict" }
                    thead { tr { th scope="col" { "verdict" } th.n scope="col" { "tasks" } th.n scope="col" { "longest" } th.wordy scope="col" { "meaning" } } }
                    tbody { @for each in Verdict::ALL { (verdict_row(links, overview, each)) } }
                }
            }
        }
    }
}

fn verdict_row(links: &Links, overview: &Overview, each: Verdict) -> Markup {
    let counts = &overview.tasks.head.counts;
    let (number, longest) = (counts.with(each), counts.longest(each));
    html! {
        tr data-verdict=(each.slug()) class=[(number == 0).then_some("none")] {
            th scope="row" { a href=(links.to(&format!("page/tasks?verdict={}", each.slug()))) { (verdict(each)) } }
            td.n { (number) }
            td.n { @if let Some(longest) = longest { (age(longest)) } }
            td.wordy { (meaning(each)) }
        }
    }
}

fn history(overview: &Overview) -> Markup {
    let (picture, top) = chart(&overview.history);
    let since = overview.history[0].ago;
    html! {
        section #history data-live aria-labelledby="history-head" {
            h2 #history-head { "The last " (chart::SPAN / 60) " minutes" }
            figure {
                div.chart { span.top { (count(top, "task")) } (picture) }
                div.axis aria-hidden="true" { span { "-" (chart::SPAN / 60) " min" } span { "-" (chart::SPAN / 120) " min" } span { "now" } }
                figcaption {
                    @if overview.history.len() < 2 { "There is no earlier count, because the endpoint is new. " }
                    @else {
                        "In " (age(since)) ": "
                        @for (at, (each, first, last)) in overview.changes().iter().enumerate() {
                            @if at > 0 { ", " }
                            (verdict(*each)) " " (first) " → " (last)
                        }
                        "."
                    }
                }
            }
        }
    }
}

fn suspects(links: &Links, overview: &Overview) -> Markup {
    let suspects = &overview.tasks.suspects;
    let tasks: usize = suspects.iter().map(|suspect| suspect.tasks).sum();
    html! {
        section #suspects data-live aria-labelledby="suspects-head" {
            h2 #suspects-head { "Leak suspects" }
            @if suspects.is_empty() { p { "None. No task has outlived its scope, ignores that it was cancelled, or can never be woken, and no spawn site only grows." } }
            @else {
                p {
                    @if tasks > 0 { a href=(links.to("page/tasks?suspects=1")) { (count(tasks, "task")) } " in " (count(suspects.len(), "place")) "." }
                    @else { "Spawn sites where the number of tasks only grows." }
                }
                div.wide {
                    table {
                        caption.hidden { "Leak suspects, the most first" }
                        thead { tr {
                            th.n scope="col" { "tasks" } th scope="col" { "what" } th scope="col" { "trend of the spawn site" }
                            th scope="col" { "verdict" } th.n scope="col" { "oldest" }
                            @if overview.tasks.head.samples_memory { th.n scope="col" { "holds (sampled)" } }
                            th scope="col" { "scope" } th scope="col" { "spawned at" }
                        } }
                        tbody { @for suspect in suspects.iter().take(MAX_ROWS) { (suspect_row(links, overview, suspect)) } }
                    }
                }
                @if suspects.len() > MAX_ROWS { p.note { "and " (count(suspects.len() - MAX_ROWS, "more place")) } }
            }
        }
    }
}

fn suspect_row(links: &Links, overview: &Overview, suspect: &Suspect) -> Markup {
    let what = plain(&suspect.label);
    let mut query = pair("site", &suspect.site.to_string());
    if suspect.tasks > 0 {
        query.push_str("&suspects=1");
    }
    html! {
        tr {
            td.n { @if suspect.tasks == 0 { "–" } @else { (suspect.tasks) } }
            th scope="row" { a href=(links.to(&format!("page/tasks?{query}"))) title=(what) { (what) } }
            td { @match &suspect.trend { Some(trend) => (grew(trend)), None => "not counted yet" } }
            td { @for each in &suspect.verdicts { (verdict(*each)) " " } }
            td.n { @if let Some(oldest) = suspect.oldest { (age(oldest)) } }
            @if overview.tasks.head.samples_memory {
                td.n { @if !suspect.memory.is_nothing() { (suspect.memory) } }
            }
            td { @if let Some(scope) = &suspect.scope { (plain(scope)) } }
            td { (place(suspect.site)) }
        }
    }
}

fn grew(trend: &SiteGrowth) -> Markup {
    let since = trend
        .samples
        .first()
        .map(|(ago, _)| *ago)
        .unwrap_or_default();
    let first = trend.samples.first().map_or(0, |(_, alive)| *alive);
    html! {
        (spark(trend)) " "
        @if trend.only_grows() { strong.bad { "only grows: " } }
        (first) " → " (trend.alive()) " in " (age(since))
    }
}

fn workers(overview: &Overview) -> Markup {
    html! {
        section #workers data-live aria-labelledby="workers-head" {
            h2 #workers-head { "Workers" }
            @if overview.now.runtimes.is_empty() { p { "No runtime is known. A runtime is listed after its first task from " code { "taskscope::spawn" } "." } }
            @for runtime in &overview.now.runtimes {
                h3 { "Runtime " (runtime.number) @if let Some(name) = &runtime.name { " " (plain(name)) } }
                p {
                    (runtime.flavor) ", " (runtime.tracked) " tracked and " (runtime.untracked) " untracked tasks, "
                    strong { (runtime.global_queue) } " in the global queue"
                }
                ul.workers {
                    @for (at, worker) in runtime.workers.iter().enumerate() { li { (busy(at, worker)) } }
                }
                @if !runtime.over.is_zero() { p.note { "Busy is the share of the last " (age(runtime.over)) "." } }
            }
        }
    }
}

fn busy(at: usize, worker: &WorkerLoad) -> Markup {
    let Some(busy) = worker.busy else {
        return html! { span { "worker " (at) } span { "not known yet" } };
    };
    let percent = format!("{:.0} %", busy * 100.0);
    html! {
        span { "worker " (at) }
        meter min="0" max="1" high="0.9" low="0.7" optimum="0" value=(format!("{busy:.3}")) aria-label={ "worker " (at) " busy" } { (percent) }
        span.n { (percent) }
        @if worker.in_one_poll { strong.bad { "in one poll all the time" } }
    }
}

/// The cells that identify a task.
fn task_cells(links: &Links, task: &TaskDump) -> Markup {
    let name = plain(label(task));
    html! {
        th scope="row" { a href=(links.to(&format!("page/tasks/{}", task.id))) title=(name) { (task.id) " " (name) } }
        td { @if let Some(scope) = &task.scope { (plain(scope.name())) } }
        td { (place(task.site)) }
    }
}

fn oldest(links: &Links, overview: &Overview) -> Markup {
    let waits = &overview.tasks.waits;
    html! {
        section #oldest data-live aria-labelledby="oldest-head" {
            h2 #oldest-head { "Oldest waits" }
            @if waits.is_empty() { p { "No task waits, except background tasks." } }
            @else {
                div.wide {
                    table {
                        caption.hidden { "Tasks with the longest waits" }
                        thead { tr {
                            th.n scope="col" { "for" } th.n scope="col" { "and alike" } th scope="col" { "verdict" } th scope="col" { "waits for" } th scope="col" { "task" }
                            th scope="col" { "scope" } th scope="col" { "spawned at" }
                        } }
                        tbody {
                            @for group in waits.iter().take(MAX_ROWS) {
                                @let (task, alike) = (group.longest(), group.tasks - 1);
                                tr {
                                    td.n { (age(task.state.since())) }
                                    td.n { @if alike > 0 { "+" (alike) } }
                                    td { (verdict(task.verdict)) }
                                    td { (waits_for(task)) }
                                    (task_cells(links, task))
                                }
                            }
                        }
                    }
                }
                @if waits.len() > MAX_ROWS { p.note { "and " (count(waits.len() - MAX_ROWS, "more kind")) } }
                p.note { "Similar tasks have one row, with the one that has waited longest. Background tasks are left out. " a href=(links.to("page/tasks?group=none&sort=since")) { "All tasks by their waits" } }
            }
        }
    }
}

fn waits_for(task: &TaskDump) -> String {
    match task.wait_reason().to_string().as_str() {
        "unknown" => "not looked at yet".to_owned(),
        wait => sentence(wait),
    }
}

fn longest(links: &Links, overview: &Overview) -> Markup {
    let polls = &overview.tasks.polls;
    html! {
        section #longest data-live aria-labelledby="longest-head" {
            h2 #longest-head { "Longest polls" }
            @if polls.is_empty() { p { "No live task was seen in a poll of " (format!("{LONG_POLL:?}")) " or more." } }
            @else {
                div.wide {
                    table {
                        caption.hidden { "Long polls" }
                        thead { tr {
                            th.n scope="col" { "took" } th scope="col" { "when" } th scope="col" { "task" } th scope="col" { "scope" } th scope="col" { "spawned at" }
                        } }
                        tbody {
                            @for poll in polls {
                                tr {
                                    td.n { (age(poll.lasted)) }
                                    td { @match poll.ago { Some(ago) => { (age(ago)) " ago" } None => strong.bad { "goes on" } } }
                                    (task_cells(links, &poll.task))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn notes(overview: &Overview) -> Markup {
    // This page never asks for new stacks, so they are not missing.
    let comments: Vec<String> = comments(&overview.tasks.head.dump, &overview.tasks.head.counts)
        .into_iter()
        .filter(|comment| !comment.ends_with("not asked for one"))
        .collect();
    html! {
        section #unseen data-live aria-labelledby="notes-head" {
            @if !comments.is_empty() {
                h2 #notes-head { "What could not be seen" }
                ul.notes { @for comment in &comments { li { (sentence(comment)) } } }
            }
        }
    }
}
