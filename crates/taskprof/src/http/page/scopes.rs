//! The tab with the scopes, as a tree by name.
//!
//! A service has a scope for each request, so scopes of the same name below the same names are one
//! line, with the oldest of them inside. Not here: the tasks of a scope (`tasks/`).

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::request::Parts;
use axum::response::Response;
use maud::{Markup, html};
use taskscope::heap::Held;
use taskscope::{CancelReason, ScopeInfo, TaskDump, Verdict};

use super::layout::{Page, Tab, age, count, plain, sentence, verdict};
use super::links::Links;
use super::tasks::{fold_unpolled, pair};
use super::{PAGE, answer};
use crate::error::Error;
use crate::http::admission::Admission;
use crate::http::error::HttpError;
use crate::http::parameters::Endpoint;
use crate::http::query::Query;
use crate::http::{OwnRuntime, watch_application};
use crate::offload;
use crate::source::Line;
use crate::tasks::{self, DumpQuery};

/// Scopes of one name that are listed, the oldest; the others are counted.
const SHOWN: usize = 10;
/// Scopes that are listed on the whole page.
const MAX_LISTED: usize = 300;
/// Names that are listed at one level, those with the most tasks; the others are counted.
const NAMES: usize = 200;
/// A level with at most this many names is unfolded at first.
const MAX_UNFOLDED: usize = 3;
/// Levels of the tree. Deeper scopes count for their ancestor at the last level.
const LEVELS: usize = 24;

pub(super) async fn page(admission: Arc<Admission>, parts: Parts) -> Result<Response, HttpError> {
    Query::parse(parts.uri.query()).only_known(Endpoint::BARE, false)?;
    let links = Links::new(&parts, 2);
    let _permit = admission.snapshot().await?;
    let _watched = watch_application(parts.extensions.get::<OwnRuntime>());
    let scopes = fold_unpolled(Line::Usual, Scopes::take).await?;
    let html = offload::work(PAGE, move |_| html(&links, &scopes)).await?;
    Ok(answer(html))
}

/// Different names at one level; further ones are counted together.
const MAX_NAMES: usize = 1024;
/// Different names on the whole page; further ones are counted together.
const MAX_NODES: usize = 8192;
/// Scopes of one name that are counted exactly.
const MAX_COUNTED: usize = 1 << 16;
/// The name of the scopes that are counted together.
const OTHERS: &str = "(other names)";

/// The tree of scopes, summed up while the tasks were read.
#[derive(Debug)]
struct Scopes {
    taken_at: SystemTime,
    root: Node,
    without: usize,
    tasks: usize,
}

/// The scopes of one name below the same names.
#[derive(Debug, Default)]
struct Node {
    /// The oldest ones, at most [`SHOWN`].
    scopes: Vec<Owner>,
    /// Hashes of all of them.
    known: HashSet<u64>,
    hashes: RandomState,
    ended: usize,
    below: BTreeMap<String, Node>,
    /// Tasks here and below.
    tasks: usize,
    suspects: usize,
    oldest: Duration,
    verdicts: BTreeMap<Verdict, usize>,
    resources: usize,
    /// Memory that their tasks hold, estimated from samples.
    held: Held,
}

/// A scope with the number of its own tasks.
#[derive(Debug)]
struct Owner {
    scope: ScopeInfo,
    tasks: usize,
}

impl Node {
    fn add(&mut self, task: &TaskDump, held: Held) {
        self.held += held;
        self.tasks += 1;
        self.suspects += usize::from(task.is_leak_suspect());
        self.oldest = self.oldest.max(task.age);
        *self.verdicts.entry(task.verdict).or_default() += 1;
    }

    /// The node of a scope, made if it is new. Calls `each` with every node on the way to it,
    /// outermost first.
    fn reach(
        &mut self,
        scope: &ScopeInfo,
        nodes: &mut usize,
        mut each: impl FnMut(&mut Node),
    ) -> &mut Node {
        let mut chain: Vec<ScopeInfo> =
            std::iter::successors(Some(scope.clone()), |scope| scope.parent()).collect();
        chain.reverse();
        let mut node = self;
        for scope in chain.into_iter().take(LEVELS) {
            let is_new = !node.below.contains_key(scope.name());
            let full = is_new && (node.below.len() >= MAX_NAMES || *nodes >= MAX_NODES);
            *nodes += usize::from(is_new && !full);
            let name = if full { OTHERS } else { scope.name() };
            node = node.below.entry(name.to_owned()).or_default();
            each(node);
            if full {
                break;
            }
        }
        node
    }

    /// Counts tasks for a scope of this node.
    fn own(&mut self, scope: &ScopeInfo, tasks: usize) {
        // Tasks of one scope mostly come one after the other.
        let known = self.scopes.iter_mut().rev().find(|it| it.scope == *scope);
        if let Some(owner) = known {
            owner.tasks += tasks;
            return;
        }
        let number = self.hashes.hash_one(scope);
        if self.known.contains(&number) || self.known.len() >= MAX_COUNTED {
            return;
        }
        self.known.insert(number);
        self.ended += usize::from(scope.ended().is_some());
        let owner = Owner {
            scope: scope.clone(),
            tasks,
        };
        if self.scopes.len() < SHOWN {
            self.scopes.push(owner);
            return;
        }
        let youngest = self.scopes.iter_mut().min_by_key(|it| it.scope.age());
        if let Some(youngest) = youngest.filter(|it| it.scope.age() < scope.age()) {
            *youngest = owner;
        }
    }
}

impl Scopes {
    /// Reads all tasks, without polling any.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    fn take(query: DumpQuery) -> Result<Scopes, Error> {
        let (mut root, mut without, mut nodes) = (Node::default(), 0, 0);
        let head = tasks::fold(&query, &mut |_, task, held| match &task.scope {
            Some(scope) => root
                .reach(scope, &mut nodes, |node| node.add(&task, held.memory))
                .own(scope, 1),
            None => without += 1,
        })?;
        for resource in &head.dump.resources {
            if let Some(scope) = &resource.scope {
                root.reach(scope, &mut nodes, |node| node.resources += 1)
                    .own(scope, 0);
            }
        }
        Ok(Scopes {
            taken_at: head.dump.taken_at,
            root,
            without,
            tasks: head.counts.tasks,
        })
    }
}

fn html(links: &Links, scopes: &Scopes) -> String {
    let (root, without) = (&scopes.root, scopes.without);
    let content = html! {
        p { (count(scopes.tasks - without, "task")) " in scopes, " (without) " in none; as of " (httpdate::fmt_http_date(scopes.taken_at)) "." }
        p.note { "A scope is listed while a task or a tracked resource belongs to it." }
        div #scopes {
            @if root.below.is_empty() { p { "No live task belongs to a scope." } }
            @else { (level(links, root, 0, &Cell::new(MAX_LISTED))) }
        }
    };
    let page = Page {
        links,
        tab: Tab::Scopes,
        title: "",
        refresh: None,
    };
    page.html(&content)
}

fn level(links: &Links, node: &Node, depth: usize, room: &Cell<usize>) -> Markup {
    let mut names: Vec<(&String, &Node)> = node.below.iter().collect();
    names.sort_by(|one, other| {
        other
            .1
            .tasks
            .cmp(&one.1.tasks)
            .then_with(|| one.0.cmp(other.0))
    });
    html! {
        ul.tree {
            @for (name, node) in names.iter().take(NAMES) { li { (branch(links, name, node, depth, room, names.len() <= MAX_UNFOLDED)) } }
            @if names.len() > NAMES { li { "and " (count(names.len() - NAMES, "more name")) } }
        }
    }
}

fn branch(
    links: &Links,
    name: &str,
    node: &Node,
    depth: usize,
    room: &Cell<usize>,
    is_open: bool,
) -> Markup {
    let mut scopes: Vec<&Owner> = node.scopes.iter().collect();
    scopes.sort_by_key(|owner| std::cmp::Reverse(owner.scope.age()));
    let (all, ended) = (node.known.len(), node.ended);
    let shown = scopes.len().min(SHOWN).min(room.get());
    room.set(room.get() - shown);
    html! {
        details open[is_open || (depth < 2 && !node.below.is_empty())] {
            summary {
                strong { (plain(name)) }
                " " (count(node.tasks, "task"))
                @if node.suspects > 0 { ", " strong.bad { (count(node.suspects, "leak suspect")) } }
                @if node.tasks > 0 { ", oldest " (age(node.oldest)) }
                @if node.resources > 0 { ", " (count(node.resources, "resource")) }
                @if !node.held.is_nothing() { ", holds " (node.held) " (sampled)" }
                "; " @if all >= MAX_COUNTED { "at least " } (count(all, "scope")) @if ended > 0 { ", " (ended) " ended" }
            }
            p {
                a href=(links.to(&format!("page/tasks?{}", pair("scope", name)))) { "Its tasks" } ": "
                @for (at, (each, number)) in node.verdicts.iter().enumerate() {
                    @if at > 0 { ", " }
                    (number) " " (verdict(*each))
                }
                @if node.verdicts.is_empty() { "none" }
            }
            @if !node.below.is_empty() { (level(links, node, depth + 1, room)) }
            @if shown > 0 {
                // Nothing in it may take the focus, and it may be wider than the page.
                div.wide tabindex="0" role="region" aria-label={ "The oldest scopes named " (plain(name)) } {
                    table {
                        caption { "The oldest scopes of this name" }
                        thead { tr { th.n scope="col" { "opened" } th scope="col" { "state" } th.n scope="col" { "own tasks" } th scope="col" { "labels" } } }
                        tbody { @for owner in scopes.iter().take(shown) { (one(links, owner)) } }
                    }
                }
            }
            @if shown > 0 && all > shown { p.note { "and " (all - shown) " younger ones" } }
        }
    }
}

fn one(links: &Links, owner: &Owner) -> Markup {
    let scope = &owner.scope;
    html! {
        tr {
            td.n { (age(scope.age())) " ago" }
            td {
                @match scope.ended() { Some(ago) => { "ended " (age(ago)) " ago" } None => "open" }
                @if scope.end_reason() == Some(CancelReason::ClientGone) { " (" (CancelReason::ClientGone) ")" }
                @if let Some(cancellation) = scope.cancellation() { ", cancelled (" (sentence(&cancellation.to_string())) ")" }
                @if let Some(left) = scope.remaining() {
                    @if left.is_zero() { ", deadline passed" } @else { ", deadline in " (age(left)) }
                }
            }
            td.n { (owner.tasks) }
            td {
                @for (key, value) in scope.labels() {
                    a href=(links.to(&format!("page/tasks?{}&group=none", pair("q", &value)))) { code { (plain(&key)) "=" (plain(&value)) } } " "
                }
            }
        }
    }
}
