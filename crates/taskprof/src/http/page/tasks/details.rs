//! The page of one task, with everything that is known of it.
//!
//! Not here: the list of tasks (`list.rs`), the same facts as text and JSON (`crate::tasks`).

use std::sync::Arc;
use std::time::SystemTime;

use maud::{Markup, html};
use taskscope::heap::Held;
use taskscope::{
    CancelReason, ScopeInfo, TaskDump, TaskKind,
    dump::{Branch, LongPoll, ResourceDump, State},
};

use super::filter::label;
use crate::error::Error;
use crate::http::page::layout::{Page, Tab, age, count, meaning, plain, sentence, verdict};
use crate::http::page::links::Links;
use crate::tasks::{self, CUT, DumpQuery};

/// Children that are listed; the others are counted.
const MAX_CHILDREN: usize = 50;
/// Ancestors that are listed.
const MAX_ANCESTORS: usize = 50;

/// One task with what it holds, its ancestors and its children.
#[derive(Debug)]
pub(super) struct TaskDetails {
    task: TaskDump,
    taken_at: SystemTime,
    holds: Vec<ResourceDump>,
    /// Memory that it holds, estimated from samples.
    memory: Held,
    /// Its parent, that task's parent and so on, up to the first without a record.
    ancestors: Vec<TaskDump>,
    /// The oldest of its live children.
    children: Vec<TaskDump>,
    /// The number of its live children.
    child_count: usize,
}

impl TaskDetails {
    /// Reads all tasks to find one and its children; `None` if it is not among them.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub(super) fn find(query: &DumpQuery, id: u64) -> Result<Option<TaskDetails>, Error> {
        let (mut found, mut children, mut child_count) = (None, Vec::new(), 0);
        tasks::hold(query, |mut held| {
            let head = tasks::visit(query, &mut held, &mut |at, task, held| {
                if task.parent == Some(id) {
                    child_count += 1;
                    children.push((at, task));
                    if children.len() > 2 * MAX_CHILDREN {
                        oldest(&mut children);
                    }
                } else if task.id == id {
                    found = Some((task, held.memory));
                }
            });
            oldest(&mut children);
            let (task, memory) = found?;
            let mut ancestors: Vec<TaskDump> = Vec::new();
            let mut next = task.parent;
            while let Some(parent) = next.filter(|_| ancestors.len() < MAX_ANCESTORS)
                && let Some(parent) = held.task(parent)
            {
                next = parent.parent;
                ancestors.push(parent);
            }
            let mut holds = head.dump.resources;
            holds.retain(|it| it.last_used_by.as_ref().is_some_and(|by| by.task == id));
            Some(TaskDetails {
                task,
                taken_at: head.dump.taken_at,
                holds,
                memory,
                ancestors,
                children: children.into_iter().map(|(_, task)| task).collect(),
                child_count,
            })
        })
    }
}

/// Keeps the oldest children only.
fn oldest(children: &mut Vec<(usize, TaskDump)>) {
    children.sort_unstable_by_key(|(at, _)| *at);
    children.truncate(MAX_CHILDREN);
}

pub(super) fn html(links: &Links, details: &TaskDetails) -> String {
    let task = &details.task;
    let id = task.id;
    let title = format!("Task {id}: {}", plain(label(task)));
    let content = html! {
        p.lead {
            (verdict(task.verdict)) ": " (meaning(task.verdict)) ". "
            @if task.is_leak_suspect() { strong { "It is a leak suspect. " } }
            "It has been " (sentence(&task.activity())) " for " (age(task.state.since())) "."
        }
        p.note { "What to do: " (task.verdict.advice()) "." }
        @if let Some(poll) = &task.long_poll { (long_poll(poll)) }
        section aria-labelledby="stack-head" {
            h2 #stack-head { "Stack" }
            div #stack { (stack(task)) }
        }
        section aria-labelledby="facts-head" {
            h2 #facts-head { "Facts" }
            (facts(links, details))
        }
        section aria-labelledby="scope-head" {
            h2 #scope-head { "Scope" }
            div #scope { (scopes(links, task)) }
        }
        section aria-labelledby="labels-head" {
            h2 #labels-head { "Labels" }
            div #labels { (labels(&task.labels)) }
        }
        section aria-labelledby="tree-head" {
            h2 #tree-head { "Spawn tree" }
            div #tree { (spawned(links, details)) }
        }
        section aria-labelledby="resources-head" {
            h2 #resources-head { "Resources" }
            div #resources { (resources(&details.holds)) }
        }
        p.note { "As of " (httpdate::fmt_http_date(details.taken_at)) "; reload the page for newer facts." }
    };
    let page = Page {
        links,
        tab: Tab::Tasks,
        title: &title,
        refresh: None,
    };
    page.html(&content)
}

fn stack(task: &TaskDump) -> Markup {
    let trace = match &task.trace {
        Ok(trace) => trace,
        Err(why) => return html! { p { (why) "." } },
    };
    let branches = trace.branches();
    html! {
        @for (at, branch) in branches.iter().enumerate() {
            @if branches.len() > 1 { h3 { "Branch " (at + 1) " of " (branches.len()) ": waits for " (sentence(&branch.wait.to_string())) } }
            (frames(branch))
        }
        @if task.branches_dropped > 0 { p.note { (count(task.branches_dropped as usize, "more branch")) " not kept." } }
        @if task.branches_cut > 0 {
            p.note { "Frames at the root are missing in " (task.branches_cut) " of them: the stack is too deep, or has code without unwind tables." }
        }
    }
}

fn frames(branch: &Branch) -> Markup {
    html! {
        @if branch.wait.kinds.iter().any(|kind| kind.ends_trace()) {
            p.note { "The trace ends here: the future polls others with wakers of its own." }
        }
        ol.frames {
            @for frame in &branch.frames {
                li {
                    code { (plain(&frame.function)) }
                    @if let Some(file) = frame.short_file() {
                        " " span.file { (plain(file)) @if let Some(line) = frame.line { ":" (line) } }
                    }
                }
            }
        }
    }
}

fn long_poll(poll: &LongPoll) -> Markup {
    html! {
        section aria-labelledby="blocked-head" {
            h2 #blocked-head { "Blocked its thread" }
            p {
                "For " (age(poll.lasted))
                @if poll.over { ", " (age(poll.ago)) " ago" } @else { ", and goes on" }
                "."
            }
            @match &poll.trace {
                Ok(trace) => {
                    @for branch in trace.branches() { (frames(branch)) }
                    @if trace.is_cut() { p.note { (CUT) } }
                }
                Err(why) => p.note { "No stack of the thread: " (sentence(why)) "." },
            }
        }
    }
}

fn facts(links: &Links, details: &TaskDetails) -> Markup {
    let task = &details.task;
    let fact = |name: &str, value: Markup| html! { dt { (name) } dd { (value) } };
    html! {
        dl #facts {
            @if let Some(name) = &task.name {
                (fact("Name", html! { a href=(links.to(&format!("page/tasks?{}", pair("name", name)))) { (plain(name)) } }))
            }
            (fact("Future", html! { code { (plain(task.future)) } }))
            (fact("State", html! {
                (task.state.name()) " for " (age(task.state.since()))
                @if let State::Running { thread: Some(thread), .. } = &task.state { " on thread " (plain(&thread.name)) " (" (thread.os_id) ")" }
            }))
            (fact("Kind", html! { (kind(task.kind)) @if task.background { ", declared a background task" } }))
            (fact("Spawned", html! {
                (age(task.age)) " ago at "
                a href=(links.to(&format!("page/tasks?{}", pair("site", &task.site.to_string())))) { code { (plain(&task.site.to_string())) } }
            }))
            (fact("Polls", html! { (task.polls) ", busy for " (age(task.busy)) " in all" }))
            @if task.kind != TaskKind::Observed {
                (fact("Wakers", html! { (task.wakers) @if task.wakers == 0 { " exist: nothing can wake it, unless it is running or about to" } @else if task.wakers == 1 { " exists" } @else { " exist" } }))
            }
            (fact("JoinHandle", html! { @match task.detached { Some(ago) => { "dropped " (age(ago)) " ago: nobody waits for it" } None => "not dropped" } }))
            @if !details.memory.is_nothing() { (fact("Memory", html! { "holds " (details.memory) " (sampled)" })) }
            (fact("Runtime", html! { (task.runtime) }))
        }
    }
}

fn kind(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Blocking => "a call on the blocking pool",
        TaskKind::Driven => "a future that other code drives",
        TaskKind::Observed => "spawned with tokio's own function, seen by the runtime's hooks",
        TaskKind::Local => "a local task",
        _ => "a task",
    }
}

/// One parameter of a URL with its value, escaped.
pub(in crate::http::page) fn pair(name: &str, value: &str) -> String {
    form_urlencoded::Serializer::new(String::new())
        .append_pair(name, value)
        .finish()
}

fn labels(labels: &[(Arc<str>, Arc<str>)]) -> Markup {
    html! {
        @if labels.is_empty() { p { "It has none of its own." } }
        @else { dl { @for (key, value) in labels { dt { (plain(key)) } dd { (plain(value)) } } } }
    }
}

/// The scope of the task and those above it, outermost first.
fn scopes(links: &Links, task: &TaskDump) -> Markup {
    let mut chain: Vec<ScopeInfo> =
        std::iter::successors(task.scope.clone(), |scope| scope.parent()).collect();
    chain.reverse();
    html! {
        @if chain.is_empty() { p { "It belongs to no scope." } }
        ol.chain {
            @for scope in &chain {
                li {
                    a href=(links.to(&format!("page/tasks?{}", pair("scope", scope.name())))) { (plain(scope.name())) }
                    " opened " (age(scope.age())) " ago"
                    @if let Some(ago) = scope.ended() {
                        ", ended " (age(ago)) " ago"
                        @if scope.end_reason() == Some(CancelReason::ClientGone) { " (client gone)" }
                    } @else { ", open" }
                    ", " (count(scope.tasks(), "live task"))
                    @if let Some(cancellation) = scope.cancellation() { ", cancelled (" (sentence(&cancellation.to_string())) ")" }
                    @if let Some(left) = scope.remaining() {
                        @if left.is_zero() { ", its deadline has passed" } @else { ", deadline in " (age(left)) }
                    }
                    @let labels = scope.labels();
                    @if !labels.is_empty() {
                        ul.labels { @for (key, value) in &labels { li { code { (plain(key)) "=" (plain(value)) } } } }
                    }
                }
            }
        }
        @if task.scope_cancelled.is_some() {
            p { @match task.token_polled {
                Some((_, last)) => { "It last looked at the scope's token " (age(last)) " ago." }
                None => "It never looked at the scope's token.",
            } }
        }
    }
}

/// Names a request, with a link to the tasks of its scope.
fn request(links: &Links, scope: &ScopeInfo) -> Markup {
    html! {
        "the request "
        a href=(links.to(&format!("page/tasks?{}", pair("scope", scope.name())))) { (plain(scope.name())) }
    }
}

fn spawned(links: &Links, details: &TaskDetails) -> Markup {
    let (task, children, child_count) = (&details.task, &details.children, details.child_count);
    let ancestors: Vec<&TaskDump> = details.ancestors.iter().rev().collect();
    let root = ancestors.first().copied().unwrap_or(task);
    let link = |task: &TaskDump| {
        html! {
            a href=(links.to(&format!("page/tasks/{}", task.id))) { "task " (task.id) } " " (plain(label(task))) " " (verdict(task.verdict))
        }
    };
    html! {
        ol.chain {
            @if let Some(parent) = root.parent {
                li {
                    @match root.parent_request() {
                        Some(scope) => (request(links, &scope)),
                        None => { "task " (parent) ", which has ended or has no record" }
                    }
                }
            }
            @for (at, each) in ancestors.iter().enumerate() {
                @let child = ancestors.get(at + 1).copied().unwrap_or(task);
                li {
                    @match child.parent_request() {
                        Some(scope) => {
                            (request(links, &scope)) ", "
                            a href=(links.to(&format!("page/tasks/{}", each.id))) { "its record" } " " (verdict(each.verdict))
                        }
                        None => (link(each)),
                    }
                }
            }
            li aria-current="true" { strong { "task " (task.id) " " (plain(label(task))) } }
        }
        @if child_count == 0 { p { "It has spawned no task that is still alive." } }
        @else {
            p { "It has spawned " (count(child_count, "task")) " that " @if child_count == 1 { "is" } @else { "are" } " alive:" }
            ul { @for child in children { li { (link(child)) } } }
            @if child_count > children.len() { p.note { "and " (child_count - children.len()) " more" } }
        }
    }
}

fn resources(held: &[ResourceDump]) -> Markup {
    html! {
        @if held.is_empty() { p { "It holds no tracked resource." } }
        @else { ul { @for resource in held { li { (sentence(&resource.to_string())) } } } }
    }
}
