//! `GET tasks`: what is alive, as a profile, as text or as JSON.
//!
//! Not here: the dump (`taskscope`) and its views (`tasks/`).

use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use taskscope::{DumpOptions, Stacks, Verdict};

use super::endpoint::{Endpoint, Parameter};
use super::error::HttpError;
use super::params::Query;
use super::{OwnRuntime, stream, watch_application};
use crate::error::Error;
use crate::profile::Profile;
use crate::write::{self, SvgOptions};
use crate::{offload, tasks};

pub(super) static ENDPOINT: Endpoint = Endpoint {
    path: "/tasks",
    summary: "Every live task with a record: what it waits for, since when, for which scope, and its async stack. \
              Each idle task is polled once more to find its stack, unless it has not been polled since the last time.",
    parameters: &[
        Parameter {
            name: "debug",
            summary: "1: text, tasks that are alike together; 2: text, every task; 0: as without",
        },
        Parameter {
            name: "format",
            summary: "pprof (gzipped protobuf, the default), svg (flame graph), folded (text) or json; not together with debug=1 or debug=2",
        },
        Parameter {
            name: "stacks",
            summary: "fresh (the default), cached (poll nothing, show stacks that are still true) or none",
        },
        Parameter {
            name: "verdict",
            summary: "only tasks with this verdict: stuck, blocking, spinning, cancel-ignored, cancel-slow, outlived, idle or active",
        },
        Parameter {
            name: "scope",
            summary: "only tasks of scopes with this name, and of those below them",
        },
        Parameter {
            name: "name",
            summary: "only tasks with this name",
        },
        Parameter {
            name: "min_age",
            summary: "only tasks that were spawned at least so many seconds ago, at most 31536000",
        },
        Parameter {
            name: "limit",
            summary: "at most so many tasks, the oldest, from 1 to 10000000; the rest is counted",
        },
    ],
    examples: &[
        ("grouped", "debug=1"),
        ("every task", "debug=2"),
        ("flame graph", "format=svg"),
        ("JSON", "format=json"),
        ("pprof file", ""),
    ],
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Grouped,
    Listed,
    Pprof,
    Svg,
    Folded,
    Json,
}

const FORMATS: [(&str, View); 4] = [
    ("pprof", View::Pprof),
    ("svg", View::Svg),
    ("folded", View::Folded),
    ("json", View::Json),
];

const STACKS: [(&str, Stacks); 3] = [
    ("fresh", Stacks::Fresh),
    ("cached", Stacks::Cached),
    ("none", Stacks::None),
];

/// The thread that writes an answer.
const WRITER: &str = "taskprof-write";

pub(super) async fn get(
    own: Option<Extension<OwnRuntime>>,
    RawQuery(query): RawQuery,
) -> Result<Response, HttpError> {
    let (view, options) = parse(query.as_deref())?;
    let _watched = watch_application(own.as_ref());
    let dump = offload::run("taskprof-tasks", move |_| options.capture_blocking()).await?;
    let body = match view {
        View::Grouped => stream::body(WRITER, move |out| tasks::grouped(&dump, out))?,
        View::Listed => stream::body(WRITER, move |out| tasks::listed(&dump, out))?,
        View::Json => stream::body(WRITER, move |out| tasks::json(&dump, out))?,
        // As small as the number of distinct stacks.
        View::Pprof | View::Svg | View::Folded => offload::run(WRITER, move |_| {
            let profile = tasks::profile(&dump);
            drop(dump);
            render(&profile, view)
        })
        .await??
        .into(),
    };
    Ok(respond(view, body))
}

/// The headers that `get` would answer, without a dump.
pub(super) async fn head(RawQuery(query): RawQuery) -> Result<Response, HttpError> {
    let (view, _) = parse(query.as_deref())?;
    Ok(respond(view, Body::empty()))
}

fn parse(query: Option<&str>) -> Result<(View, DumpOptions), HttpError> {
    let query = Query::parse(query);
    let format = query.choice("format", View::Pprof, &FORMATS)?;
    query.only_known(&ENDPOINT, format == View::Svg)?;
    let stacks = query.choice("stacks", Stacks::Fresh, &STACKS)?;
    let view = match query.integer("debug", 0, 0..=2)? {
        0 => format,
        _ if query.has("format") => {
            return Err(HttpError::bad_request(
                "parameters debug and format exclude each other; debug=1 and debug=2 are text, format is pprof, svg, folded or json",
            ));
        }
        1 => View::Grouped,
        _ => View::Listed,
    };
    Ok((view, filter(&query, DumpOptions::new().stacks(stacks))?))
}

/// Which tasks are asked for.
fn filter(query: &Query, mut options: DumpOptions) -> Result<DumpOptions, HttpError> {
    const YEAR: u64 = 365 * 24 * 60 * 60;
    const MOST: u64 = 10_000_000;
    let words: Vec<(String, Verdict)> = Verdict::ALL
        .iter()
        .map(|verdict| (verdict.name().replace(' ', "-"), *verdict))
        .collect();
    let choices: Vec<(&str, Option<Verdict>)> = words
        .iter()
        .map(|(word, verdict)| (word.as_str(), Some(*verdict)))
        .collect();
    if let Some(verdict) = query.choice("verdict", None, &choices)? {
        options = options.verdict(verdict);
    }
    if let Some(scope) = query.text("scope")? {
        options = options.scope_named(scope);
    }
    if let Some(name) = query.text("name")? {
        options = options.named(name);
    }
    if query.has("limit") {
        let limit = query.integer("limit", MOST, 1..=MOST)?;
        options = options.limit(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    let min_age = query.integer("min_age", 0, 0..=YEAR)?;
    Ok(options.min_age(Duration::from_secs(min_age)))
}

fn render(profile: &Profile, view: View) -> Result<Vec<u8>, Error> {
    match view {
        View::Svg => {
            let options = SvgOptions::new().title("Live tasks");
            write::svg(profile, &options).map(String::into_bytes)
        }
        View::Folded => write::folded(profile, None).map(String::into_bytes),
        _ => write::pprof(profile),
    }
}

fn respond(view: View, body: Body) -> Response {
    let (content_type, disposition) = match view {
        View::Pprof => (
            "application/octet-stream",
            "attachment; filename=\"tasks.pb.gz\"",
        ),
        View::Svg => ("image/svg+xml", "inline"),
        View::Json => ("application/json", "inline"),
        View::Grouped | View::Listed | View::Folded => ("text/plain; charset=utf-8", "inline"),
    };
    (
        [
            (CONTENT_TYPE, content_type),
            (CONTENT_DISPOSITION, disposition),
        ],
        body,
    )
        .into_response()
}
