//! `GET cpu`: captures a CPU profile while the client waits.
//!
//! Not here: the capture itself (`cpu.rs` at the top), the formats (`write/`).

use std::time::Duration;

use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::endpoint::{Endpoint, Parameter};
use super::error::HttpError;
use super::params::Query;
use crate::cpu::MAX_DURATION;
use crate::error::Error;
use crate::offload;
use crate::profile::Profile;
use crate::write::{self, SvgOptions};

/// How long a capture takes if nobody says; what Go's endpoint does.
const DEFAULT_SECONDS: u64 = 30;

pub(super) static ENDPOINT: Endpoint = Endpoint {
    path: "/cpu",
    summary: "Where the process spends CPU time: samples its running threads for some seconds, one capture at a time.",
    parameters: &[
        Parameter {
            name: "seconds",
            summary: "how long to sample, 1 to 300; 30 if absent",
        },
        Parameter {
            name: "format",
            summary: "pprof (gzipped protobuf, the default), svg (flame graph) or folded (text)",
        },
    ],
    examples: &[
        ("flame graph, 5 s", "seconds=5&format=svg"),
        ("folded text, 5 s", "seconds=5&format=folded"),
        ("pprof file, 30 s", "seconds=30"),
    ],
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Pprof,
    Svg,
    Folded,
}

const FORMATS: [(&str, Format); 3] = [
    ("pprof", Format::Pprof),
    ("svg", Format::Svg),
    ("folded", Format::Folded),
];

/// Ends early when the client goes away: the server then drops this future, and with it the capture.
pub(super) async fn get(RawQuery(query): RawQuery) -> Result<Response, HttpError> {
    let (duration, format) = parse(query.as_deref())?;
    let profile = crate::cpu::capture(duration).await?;
    let body = offload::run("taskprof-write", move |_| render(&profile, format)).await??;
    Ok(respond(format, body.into()))
}

/// The headers that `get` would answer. Without this, axum would run a whole capture and throw it away.
pub(super) async fn head(RawQuery(query): RawQuery) -> Result<Response, HttpError> {
    let (_, format) = parse(query.as_deref())?;
    Ok(respond(format, Body::empty()))
}

fn parse(query: Option<&str>) -> Result<(Duration, Format), HttpError> {
    let query = Query::parse(query);
    let format = query.choice("format", Format::Pprof, &FORMATS)?;
    query.only_known(&ENDPOINT, format == Format::Svg)?;
    let seconds = query.integer("seconds", DEFAULT_SECONDS, 1..=MAX_DURATION.as_secs())?;
    Ok((Duration::from_secs(seconds), format))
}

fn render(profile: &Profile, format: Format) -> Result<Vec<u8>, Error> {
    match format {
        Format::Pprof => write::pprof(profile),
        Format::Svg => {
            let options = SvgOptions::new().title("CPU time").sample_type("samples");
            write::svg(profile, &options).map(String::into_bytes)
        }
        Format::Folded => write::folded(profile, Some("samples")).map(String::into_bytes),
    }
}

fn respond(format: Format, body: Body) -> Response {
    let (content_type, disposition) = match format {
        // Scrapers (Grafana Alloy) take nothing else for a profile.
        Format::Pprof => (
            "application/octet-stream",
            "attachment; filename=\"cpu.pb.gz\"",
        ),
        Format::Svg => ("image/svg+xml", "inline"),
        Format::Folded => ("text/plain; charset=utf-8", "inline"),
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
