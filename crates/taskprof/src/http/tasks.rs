//! `GET tasks`: what is alive, as a profile, as text or as JSON.
//!
//! Not here: the dump (`taskscope`) and its views (`tasks/`).

use axum::Extension;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use taskscope::{DumpOptions, Stacks};

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
    let (view, stacks) = parse(query.as_deref())?;
    let _watched = watch_application(own.as_ref());
    let dump = offload::run("taskprof-tasks", move |_| {
        DumpOptions::new().stacks(stacks).capture_blocking()
    })
    .await?;
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

fn parse(query: Option<&str>) -> Result<(View, Stacks), HttpError> {
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
    Ok((view, stacks))
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
