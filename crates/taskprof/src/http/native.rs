//! The page of a source under its own name: strict about what stands behind the `?`.
//!
//! Not here: Go's names and their manners (`go.rs`), how a source looks (`source/`), how a format is written (`write/`).

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
use super::parameters::Endpoint;
use super::query::Query;
use super::response::{self, TEXT, WRITER};
use super::task_filter;
use super::{OwnRuntime, cpu_options, dump, end_captures, progress, watch_application};
use crate::cpu::{DEFAULT_DURATION, MAX_DURATION, RETENTION};
use crate::source::{Ask, Seconds, Source, TextView, What};
use crate::write::{FORMATS, Format};
use crate::{offload, tasks};

/// What is answered.
#[derive(Debug, Clone, Copy)]
enum View {
    Grouped,
    Listed,
    Dump,
    Profile(&'static Format),
    Text(&'static TextView),
}

/// A query, understood.
struct Asked {
    view: View,
    ask: Ask,
    /// How long it takes, if it takes time.
    takes: Option<Duration>,
    base: Option<Arc<StoredCapture>>,
    /// What the script of an SVG wants to find in the address again.
    state: Vec<(String, String)>,
}

pub(super) async fn get(
    source: &'static Source,
    admission: Arc<Admission>,
    parts: Parts,
) -> Result<Response, HttpError> {
    source.available()?;
    let asked = parse(source, &admission, parts.uri.query())?;
    let watched = watch_application(parts.extensions.get::<OwnRuntime>());
    match asked.view {
        View::Grouped | View::Listed | View::Dump => dump(&admission, asked).await,
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
            let Asked {
                ask,
                takes,
                base,
                state,
                ..
            } = asked;
            // What a moment's look makes is a scraper's more often than a person's.
            let rank = if takes.is_some() {
                Retention::Long
            } else {
                Retention::Brief
            };
            let capture = capture(&admission, source, ask, takes, rank, watched)?;
            if let Some(takes) = takes
                && wants_page(&parts.headers)
            {
                let address = async move {
                    let (kept, _look) = capture.await?;
                    Ok(address(&kept, format, base.as_deref(), &state))
                };
                return progress::page(source.name, takes, address);
            }
            let (kept, _look) = capture.await?;
            answer(&admission, &kept, format, base.as_deref(), &state).await
        }
    }
}

/// A capture that is kept; one that took no time comes with the right to look, for as long as the answer is made.
type Taken = Result<(Arc<StoredCapture>, Option<SnapshotPermit>), HttpError>;

/// Takes a capture and keeps it. Refused at once if too many go on;
/// nothing happens before it is polled.
pub(super) fn capture(
    admission: &Arc<Admission>,
    source: &'static Source,
    ask: Ask,
    takes: Option<Duration>,
    rank: Retention,
    watched: Option<RuntimeGuard>,
) -> Result<impl Future<Output = Taken> + Send + use<>, HttpError> {
    let permit = match takes {
        Some(_) => Some(admission.capture()?),
        None => None,
    };
    let admission = Arc::clone(admission);
    Ok(async move {
        let _held = (permit, watched);
        let (profile, look) = match takes {
            Some(_) => {
                let capture = async { Ok(ask.capture().await?) };
                (end_captures::or_ended(capture).await?, None)
            }
            None => {
                let look = admission.snapshot().await?;
                (ask.capture().await?, Some(look))
            }
        };
        Ok((admission.captures.insert(source, rank, profile), look))
    })
}

async fn answer(
    admission: &Admission,
    kept: &StoredCapture,
    format: &'static Format,
    base: Option<&StoredCapture>,
    state: &[(String, String)],
) -> Result<Response, HttpError> {
    let body = response::write(admission, kept, format, base).await?;
    let response = response::with(kept.source.name, format, body);
    Ok(response::located(
        response,
        &address(kept, format, base, state),
    ))
}

/// The headers that `get` would answer. Without this, axum would run a whole capture and throw it away.
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
async fn dump(admission: &Admission, asked: Asked) -> Result<Response, HttpError> {
    let (content_type, form) = match asked.view {
        View::Grouped => (TEXT, Form::Grouped),
        View::Listed => (TEXT, Form::Every(tasks::View::Text)),
        _ => ("application/json", Form::Every(tasks::View::Json)),
    };
    let body = dump::body(admission, asked.ask, form).await?;
    Ok(response::typed(content_type, "inline", body))
}

fn parse(
    source: &'static Source,
    admission: &Admission,
    query: Option<&str>,
) -> Result<Asked, HttpError> {
    let query = Query::parse(query);
    let page = Endpoint::of(source);
    let mut asked = Asked {
        view: View::Listed,
        ask: source.ask(),
        takes: None,
        base: None,
        state: Vec::new(),
    };
    if let What::Text(views) = source.what {
        let choices = views.iter().map(|view| (view.format, Some(view)));
        let view = query.choice("format", views.first(), choices)?;
        query.only_known(&page, false)?;
        asked.view = view
            .map(View::Text)
            .ok_or_else(|| HttpError::internal("a text without a view"))?;
        return Ok(asked);
    }
    let format = format(&query)?;
    query.only_known(&page, response::is_svg(format))?;
    asked.state = query.svg_state();
    asked.base = base(&query, admission)?;
    if let What::Cpu = source.what {
        asked.ask = asked.ask.with(cpu_options::parse(&query)?);
    }
    // The past is there already.
    let past = query.has("ago");
    let takes_time = !past && (query.has("seconds") || source.seconds == Seconds::Timed);
    if past {
        let most = RETENTION.as_secs();
        let seconds = query.integer("seconds", DEFAULT_DURATION.as_secs(), 1..=most)?;
        asked.ask = asked.ask.seconds(seconds);
    }
    if takes_time {
        let most = MAX_DURATION.as_secs();
        let takes = query.integer("seconds", DEFAULT_DURATION.as_secs(), 1..=most)?;
        asked.takes = Some(Duration::from_secs(takes));
        asked.ask = asked.ask.seconds(takes);
    }
    asked.view = View::Profile(format);
    // Of what is there at a moment there may be less in the end.
    let shrinks = takes_time && source.seconds == Seconds::Instantaneous;
    refuse_negative(format, asked.base.is_some() || shrinks)?;
    if let What::Tasks(..) = source.what {
        asked.ask = asked.ask.of(task_filter::options(&query, source)?);
        let plain = !takes_time && asked.base.is_none();
        match query.integer("debug", 0, 0..=2)? {
            0 if format.name == "json" && plain => asked.view = View::Dump,
            0 => {}
            _ if query.has("format") => {
                return Err(HttpError::bad_request(
                    "parameters debug and format exclude each other; debug=1 and debug=2 are text, format is that of a profile",
                ));
            }
            _ if !plain => {
                return Err(HttpError::bad_request(
                    "parameter debug excludes seconds and base; debug=1 and debug=2 show this moment",
                ));
            }
            1 => asked.view = View::Grouped,
            _ => asked.view = View::Listed,
        }
    }
    Ok(asked)
}

/// The format that a query asks for; the first of the table if it asks for none.
pub(super) fn format(query: &Query) -> Result<&'static Format, HttpError> {
    let formats = FORMATS.iter().map(|format| (format.name, Some(*format)));
    query
        .choice("format", FORMATS.first().copied(), formats)?
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
    if !query.has("base") {
        return Ok(None);
    }
    let id = query.integer("base", 0, 1..=u64::MAX)?;
    match admission.captures.get(id) {
        Some(kept) => Ok(Some(kept)),
        None => Err(HttpError::not_found(format!(
            "capture {id}, the base, is not kept here, or not any more; page/profiles lists what is"
        ))),
    }
}

/// Where a capture is kept, relative to the page of a source.
fn address(
    kept: &StoredCapture,
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
    format!("captures/{}?{}", kept.id, query.finish())
}

/// Whether a browser opens this as a page; not so an image in a page, nor a tool.
fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.to_ascii_lowercase().contains("text/html"))
}
