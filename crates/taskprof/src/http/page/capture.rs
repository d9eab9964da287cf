//! Takes a profile for a person, and tells how far it is: as a page, or as lines of JSON for the script.
//!
//! Lines: `{"done":0.4}` now and then, at the end `{"open":7}` with the number of the capture, or `{"error":"…"}`. Not here: how it is taken (`source/`).

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{ACCEPT, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::profiles::has_profile;
use crate::cpu::{DEFAULT_DURATION, MAX_DURATION};
use crate::http::admission::Admission;
use crate::http::capture_store::Retention;
use crate::http::error::HttpError;
use crate::http::native;
use crate::http::parameters::Endpoint;
use crate::http::progress;
use crate::http::query::Query;
use crate::http::{OwnRuntime, watch_application};
use crate::source::{self, Ask, Seconds, Source};

const PARAMETERS: [(&str, &str); 2] = [
    ("source", "what to take a profile of"),
    ("seconds", "for how long"),
];

pub(super) const LINES: &str = "application/x-ndjson";

struct Asked {
    source: &'static Source,
    ask: Ask,
    /// How long it takes, if it takes time.
    takes: Option<Duration>,
}

fn parse(parts: &Parts) -> Result<Asked, HttpError> {
    let query = Query::parse(parts.uri.query()).without_empty();
    query.only_known(&Endpoint::taking(&PARAMETERS), false)?;
    let sources = source::ALL.iter().filter(|source| has_profile(source));
    let sources = sources.map(|source| (source.name, Some(*source)));
    let Some(source) = query.choice("source", None, sources)? else {
        return Err(HttpError::bad_request(
            "parameter source is missing: what to take a profile of",
        ));
    };
    source.available()?;
    let most = MAX_DURATION.as_secs();
    let takes_time = query.has("seconds") || source.seconds == Seconds::Timed;
    let seconds = query.integer("seconds", DEFAULT_DURATION.as_secs(), 1..=most)?;
    let ask = source.ask();
    Ok(match takes_time {
        true => Asked {
            source,
            ask: ask.seconds(seconds),
            takes: Some(Duration::from_secs(seconds)),
        },
        false => Asked {
            source,
            ask,
            takes: None,
        },
    })
}

pub(super) async fn get(admission: Arc<Admission>, parts: Parts) -> Result<Response, HttpError> {
    let Asked { source, ask, takes } = parse(&parts)?;
    let as_lines = parts
        .headers
        .get_all(ACCEPT)
        .iter()
        .any(|accepted| accepted.as_bytes() == LINES.as_bytes());
    let watched = watch_application(parts.extensions.get::<OwnRuntime>());
    let capture = native::capture(&admission, source, ask, takes, Retention::Long, watched)?;
    match (as_lines, takes) {
        (true, takes) => {
            let number = async move { Ok(capture.await?.0.id) };
            progress::lines(takes.unwrap_or_default(), number)
        }
        (false, Some(takes)) => {
            let address = async move { Ok(format!("profiles?open={}", capture.await?.0.id)) };
            progress::page(source.name, takes, address)
        }
        (false, None) => {
            let address = format!("profiles?open={}", capture.await?.0.id);
            let mut response = StatusCode::SEE_OTHER.into_response();
            if let Ok(address) = HeaderValue::from_str(&address) {
                response.headers_mut().insert(LOCATION, address);
            }
            Ok(response)
        }
    }
}

/// Without this, axum would run a whole capture and throw it away.
pub(super) async fn head(parts: Parts) -> Result<Response, HttpError> {
    parse(&parts)?;
    Ok(StatusCode::OK.into_response())
}
