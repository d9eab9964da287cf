//! The form's target: captures a profile and shows its progress, as a page or as lines of JSON for
//! the script.
//!
//! Lines: `{"done":0.4}` now and then, at the end `{"open":7}` with the number of the capture, or
//! `{"error":"…"}`. Not here: the form (`profiles.rs`), how a profile is captured (`source/`).

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{ACCEPT, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::profiles::has_profile;
use crate::http::admission::Admission;
use crate::http::capture_store::Retention;
use crate::http::cpu_options;
use crate::http::error::HttpError;
use crate::http::native;
use crate::http::parameters::{
    DEFAULT_SECONDS, Endpoint, PageKind, SECONDS, SECONDS_OF_CAPTURE, SOURCE,
};
use crate::http::progress;
use crate::http::query::Query;
use crate::http::{OwnRuntime, watch_application};
use crate::source::{self, CaptureRequest, Seconds, Source, What};

pub(super) const LINES: &str = "application/x-ndjson";

/// A capture as the form asks for it.
struct CaptureForm {
    source: &'static Source,
    request: CaptureRequest,
    /// How long it takes; `None` for one of this moment.
    takes: Option<Duration>,
}

fn parse(parts: &Parts) -> Result<CaptureForm, HttpError> {
    let query = Query::parse(parts.uri.query()).without_empty();
    query.only_known(Endpoint::page(PageKind::CapturePage), false)?;
    let sources = source::ALL.iter().filter(|source| has_profile(source));
    let sources = sources.map(|source| (source.name, *source));
    let Some(source) = query.choice(&SOURCE, sources)? else {
        return Err(HttpError::bad_request(
            "parameter source is missing: what to take a profile of",
        ));
    };
    source.available()?;
    let takes_time = query.has(SECONDS.name) || source.seconds == Seconds::Timed;
    let seconds = query
        .number(&SECONDS_OF_CAPTURE)?
        .unwrap_or(DEFAULT_SECONDS);
    let mut request = source.request();
    // The form sends this for every source; only profiles of the CPU have frames of the runtime.
    if matches!(source.what, What::Cpu) {
        request = request.with(cpu_options::parse(&query)?);
    }
    Ok(match takes_time {
        true => CaptureForm {
            source,
            request: request.seconds(seconds),
            takes: Some(Duration::from_secs(seconds)),
        },
        false => CaptureForm {
            source,
            request,
            takes: None,
        },
    })
}

pub(super) async fn get(admission: Arc<Admission>, parts: Parts) -> Result<Response, HttpError> {
    let CaptureForm {
        source,
        request,
        takes,
    } = parse(&parts)?;
    let as_lines = parts
        .headers
        .get_all(ACCEPT)
        .iter()
        .any(|accepted| accepted.as_bytes() == LINES.as_bytes());
    let watched = watch_application(parts.extensions.get::<OwnRuntime>());
    let capture = native::capture(&admission, source, request, takes, Retention::Long, watched)?;
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

/// Answers HEAD; without this, axum would run a whole capture and drop it.
pub(super) async fn head(parts: Parts) -> Result<Response, HttpError> {
    parse(&parts)?;
    Ok(StatusCode::OK.into_response())
}
