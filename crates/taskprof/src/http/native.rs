//! The page of a source under its own name: strict about what stands behind the `?`.
//!
//! Not here: Go's names and their manners (`go.rs`), how a source looks (`source/`), how a format
//! is written (`write/`).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::http::request::Parts;
use axum::response::Response;
use taskscope::RuntimeGuard;

use super::admission::{Admission, SnapshotPermit};
use super::capture_store::{Retention, StoredCapture};
use super::dump::Form;
use super::error::HttpError;
use super::parameters::{
    AGO, BASE, DEBUG, DEFAULT_SECONDS, Endpoint, FORMAT, SECONDS, SECONDS_OF_PAST,
};
use super::query::Query;
use super::response::{self, TEXT, WRITER};
use super::task_filter::{self, prompt};
use super::{OwnRuntime, cpu_options, dump, end_captures, progress, watch_application};
use crate::source::{CaptureRequest, Seconds, Source, TextView, What};
use crate::write::{FORMATS, Format};
use crate::{offload, tasks};

/// The form of an answer.
#[derive(Debug, Clone, Copy)]
enum View {
    Grouped,
    Listed,
    Dump,
    Profile(&'static Format),
    Text(&'static TextView),
}

/// A request, parsed.
struct NativeRequest {
    view: View,
    ask: CaptureRequest,
    /// How long it takes, if it takes time.
    takes: Option<Duration>,
    base: Option<Arc<StoredCapture>>,
    /// State that the script of an SVG wants to find in the address again.
    state: Vec<(String, String)>,
}

pub(super) async fn get(
    source: &'static Source,
    admission: Arc<Admission>,
    parts: Parts,
) -> Result<Response, HttpError> {
    source.available()?;
    let request = parse(source, &admission, parts.uri.query())?;
    let watched = watch_application(parts.extensions.get::<OwnRuntime>());
    match request.view {
        View::Grouped | View::Listed | View::Dump => dump(&admission, request).await,
        View::Text(view) => {
            let _permit = admission.snapshot().await?;
            let body = offload::run(WRITER, view.write).await??;
            Ok(response::typed(
                view.content_type,
                "inline",
                admission.bytes(body)?,
            ))
        }
        View::Profile(format) => {
            let NativeRequest {
                ask,
                takes,
                base,
                state,
                ..
            } = request;
            // A profile of a moment is a scraper's more often than a person's.
            let retention = if takes.is_some() {
                Retention::Long
            } else {
                Retention::Brief
            };
            let capture = capture(&admission, source, ask, takes, retention, watched)?;
            if let Some(takes) = takes
                && wants_page(&parts.headers)
            {
                let address = async move {
                    let (stored, _permit) = capture.await?;
                    Ok(address(&stored, format, base.as_deref(), &state))
                };
                return progress::page(source.name, takes, address);
            }
            let (stored, _permit) = capture.await?;
            answer(&admission, &stored, format, base.as_deref(), &state).await
        }
    }
}

/// A capture that is stored; one that took no time comes with its permit, for as long as the answer
/// is made.
type Taken = Result<(Arc<StoredCapture>, Option<SnapshotPermit>), HttpError>;

/// Takes a capture and stores it. Refused at once if too many go on; nothing happens before it is
/// polled.
pub(super) fn capture(
    admission: &Arc<Admission>,
    source: &'static Source,
    ask: CaptureRequest,
    takes: Option<Duration>,
    retention: Retention,
    watched: Option<RuntimeGuard>,
) -> Result<impl Future<Output = Taken> + Send + use<>, HttpError> {
    let running = match takes {
        Some(_) => Some(admission.capture()?),
        None => None,
    };
    let admission = Arc::clone(admission);
    Ok(async move {
        let _held = (running, watched);
        let (profile, permit) = match takes {
            Some(_) => {
                let capture = async { Ok(ask.capture().await?) };
                (end_captures::or_ended(capture).await?, None)
            }
            None => {
                let permit = admission.snapshot().await?;
                (ask.capture().await?, Some(permit))
            }
        };
        Ok((
            admission.captures.insert(source, retention, profile),
            permit,
        ))
    })
}

async fn answer(
    admission: &Admission,
    stored: &StoredCapture,
    format: &'static Format,
    base: Option<&StoredCapture>,
    state: &[(String, String)],
) -> Result<Response, HttpError> {
    let body = response::write(admission, stored, format, base).await?;
    let response = response::with(stored.source.name, format, body);
    Ok(response::located(
        response,
        &address(stored, format, base, state),
    ))
}

/// The headers that `get` would answer. Without this, axum would run a whole capture and throw it
/// away.
pub(super) async fn head(
    source: &'static Source,
    admission: Arc<Admission>,
    parts: Parts,
) -> Result<Response, HttpError> {
    source.available()?;
    let body = Body::empty();
    Ok(match parse(source, &admission, parts.uri.query())?.view {
        View::Grouped | View::Listed => response::typed(TEXT, "inline", body),
        View::Dump => response::typed("application/json", "inline", body),
        View::Text(view) => response::typed(view.content_type, "inline", body),
        View::Profile(format) => response::with(source.name, format, body),
    })
}

/// The views of a dump that are no profiles: written while the client reads.
async fn dump(admission: &Admission, request: NativeRequest) -> Result<Response, HttpError> {
    let (content_type, form) = match request.view {
        View::Grouped => (TEXT, Form::Grouped),
        View::Listed => (TEXT, Form::Every(tasks::View::Text)),
        _ => ("application/json", Form::Every(tasks::View::Json)),
    };
    let body = dump::body(admission, request.ask, form).await?;
    Ok(response::typed(content_type, "inline", body))
}

fn parse(
    source: &'static Source,
    admission: &Admission,
    query: Option<&str>,
) -> Result<NativeRequest, HttpError> {
    let query = Query::parse(query);
    let endpoint = Endpoint::of(source);
    let mut request = NativeRequest {
        view: View::Listed,
        ask: source.request(),
        takes: None,
        base: None,
        state: Vec::new(),
    };
    if let What::Text(views) = source.what {
        let choices = views.iter().map(|view| (view.format, view));
        let view = query.choice(&FORMAT, choices)?.or(views.first());
        query.only_known(endpoint, false)?;
        request.view = view
            .map(View::Text)
            .ok_or_else(|| HttpError::internal("a text without a view"))?;
        return Ok(request);
    }
    let format = format(&query)?;
    query.only_known(endpoint, response::is_svg(format))?;
    request.state = query.svg_state();
    request.base = base(&query, admission)?;
    if let What::Cpu = source.what {
        request.ask = request.ask.with(cpu_options::parse(&query)?);
    }
    // The past is there already.
    let past = query.has(AGO.name);
    let takes_time = !past && (query.has(SECONDS.name) || source.seconds == Seconds::Timed);
    if past {
        let seconds = query.number(&SECONDS_OF_PAST)?.unwrap_or(DEFAULT_SECONDS);
        request.ask = request.ask.seconds(seconds);
    }
    if takes_time {
        let takes = query.number(&SECONDS)?.unwrap_or(DEFAULT_SECONDS);
        request.takes = Some(Duration::from_secs(takes));
        request.ask = request.ask.seconds(takes);
    }
    request.view = View::Profile(format);
    // There may be less in the end than at the beginning.
    let shrinks = takes_time && source.seconds == Seconds::Instantaneous;
    refuse_negative(format, request.base.is_some() || shrinks)?;
    if let What::Tasks(..) = source.what {
        request.ask = request.ask.matching(prompt(), &task_filter::parse(&query)?);
        let plain = !takes_time && request.base.is_none();
        match query.number(&DEBUG)?.unwrap_or(0) {
            0 if format.name == "json" && plain => request.view = View::Dump,
            0 => {}
            _ if query.has(FORMAT.name) => {
                return Err(HttpError::bad_request(
                    "parameters debug and format exclude each other; debug=1 and debug=2 are text, format is that of a profile",
                ));
            }
            _ if !plain => {
                return Err(HttpError::bad_request(
                    "parameter debug excludes seconds and base; debug=1 and debug=2 show this moment",
                ));
            }
            1 => request.view = View::Grouped,
            _ => request.view = View::Listed,
        }
    }
    Ok(request)
}

/// The format that a query asks for; the first of the table if it asks for none.
pub(super) fn format(query: &Query) -> Result<&'static Format, HttpError> {
    let formats = FORMATS.iter().map(|format| (format.name, *format));
    query
        .choice(&FORMAT, formats)?
        .or(FORMATS.first().copied())
        .ok_or_else(|| HttpError::internal("there are no formats"))
}

/// Refuses a format that cannot show a difference, before anything is captured.
pub(super) fn refuse_negative(
    format: &'static Format,
    is_difference: bool,
) -> Result<(), HttpError> {
    if format.negative || !is_difference {
        return Ok(());
    }
    let others = FORMATS.iter().filter(|format| format.negative);
    let others: Vec<&str> = others.map(|format| format.name).collect();
    Err(HttpError::bad_request(format!(
        "format {} cannot show a difference, because it has no negative values; choose one of {}, or leave base and seconds out",
        format.name,
        others.join(", ")
    )))
}

/// The capture that a query wants to compare with.
pub(super) fn base(
    query: &Query,
    admission: &Admission,
) -> Result<Option<Arc<StoredCapture>>, HttpError> {
    let Some(id) = query.number(&BASE)? else {
        return Ok(None);
    };
    match admission.captures.get(id) {
        Some(stored) => Ok(Some(stored)),
        None => Err(HttpError::not_found(format!(
            "capture {id}, the base, is not kept here, or not any more; page/profiles lists what is"
        ))),
    }
}

/// The address of a stored capture, relative to the page of a source.
fn address(
    stored: &StoredCapture,
    format: &Format,
    base: Option<&StoredCapture>,
    state: &[(String, String)],
) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("format", format.name);
    if let Some(base) = base {
        query.append_pair("base", &base.id.to_string());
    }
    query.extend_pairs(state);
    format!("captures/{}?{}", stored.id, query.finish())
}

/// Whether a browser opens this as a page; not so an image in a page, nor a tool.
fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.to_ascii_lowercase().contains("text/html"))
}
