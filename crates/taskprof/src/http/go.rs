//! Go's names, for clients that know no others: `net/http/pprof` as such a client sees it.
//!
//! Defaults, content types, dispositions, the words of errors and the names of columns are Go's
//! (source: `net/http/pprof`, `runtime/pprof`, Go 1.27). So are its manners: parameters that it
//! does not know are ignored, and `profile` takes a wrong `seconds` for the default. What is
//! different is meant: `seconds` has an upper end, a HEAD collects nothing, and simultaneous CPU
//! captures share one sampler.
//!
//! A path that both we and Go have (`block`, `cmdline`, `symbol`) is Go's, unless a parameter is
//! there that only we know: `format` or `base`. Then it is ours, and strict.

use std::num::IntErrorKind;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::response::Response;

use super::admission::Admission;
use super::capture_store::Retention;
use super::dump::Form;
use super::error::HttpError;
use super::parameters::MAX_SECONDS;
use super::query::Query;
use super::response::{self, WRITER};
use super::task_filter;
use super::{OwnRuntime, dump, end_captures, watch_application};
use crate::cpu::{Cpu, DEFAULT_DURATION};
use crate::offload;
use crate::profile::{Profile, SampleType};
use crate::source::{self, Source};
use crate::tasks::View;
use crate::write::{self, RenderOptions};

/// One of Go's names.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) name: &'static str,
    what: What,
}

#[derive(Debug)]
enum What {
    /// The CPU profile.
    Cpu,
    /// A named profile that is one of our sources, with the column called as the profile.
    Counted(&'static str),
    /// A named profile that is one of our sources, as it is.
    Same(&'static str),
    /// The arguments of the process.
    Cmdline,
    /// Answered elsewhere (`symbol.rs`).
    Symbol,
    /// Not to be had in this process, with the reason.
    Missing(&'static str),
}

const NO_TRACE: &str = "execution traces are a thing of Go's runtime, and tokio has none; tasks?debug=2 shows what every task does";

/// Everything that Go has, in the order of its own list.
pub(super) static NAMES: &[Name] = &[
    name("allocs", What::Same("allocs")),
    name("block", What::Same("block")),
    name("cmdline", What::Cmdline),
    name("goroutine", What::Counted("tasks")),
    name("goroutineleak", What::Counted("leaks")),
    name("heap", What::Same("heap")),
    name("mutex", What::Same("lock")),
    name("profile", What::Cpu),
    name("symbol", What::Symbol),
    name("threadcreate", What::Counted("threads")),
    name("trace", What::Missing(NO_TRACE)),
];

const fn name(name: &'static str, what: What) -> Name {
    Name { name, what }
}

/// The name by which a request to a path that both know is meant for Go.
pub(super) fn asks(source: &Source, parts: &Parts) -> Option<&'static Name> {
    let name = NAMES.iter().find(|name| name.name == source.name)?;
    let query = Query::parse(parts.uri.query());
    let ours = query.has("format") || query.has("base");
    (!ours).then_some(name)
}

/// A request in Go's manner, parsed.
enum GoRequest {
    Cpu(Duration),
    /// The change in that time.
    Delta(&'static Source, Duration),
    Now(&'static Source),
    /// Tasks that are alike together.
    Grouped(&'static Source),
    /// Each task.
    Listed(&'static Source),
    /// A profile as text.
    Text(&'static Source),
    Cmdline,
}

fn parse(name: &Name, parts: &Parts) -> Result<GoRequest, HttpError> {
    let query = Query::parse(parts.uri.query());
    let (source, of_tasks) = match name.what {
        What::Missing(why) => return Err(HttpError::not_found(format!("{}: {why}", name.name))),
        What::Cmdline | What::Symbol => return Ok(GoRequest::Cmdline),
        What::Cpu => {
            let seconds = match integer(&query, "seconds") {
                Ok(seconds) if seconds > 0 => range(seconds)?,
                _ => DEFAULT_DURATION,
            };
            return Ok(GoRequest::Cpu(seconds));
        }
        What::Counted(source) => (source, source != "threads"),
        What::Same(source) => (source, false),
    };
    let source = source::named(source)
        .ok_or_else(|| HttpError::internal(format!("there is no source {source}")))?;
    source.available()?;
    let debug = match integer(&query, "debug") {
        Ok(debug) => debug,
        // Go takes such a number for the largest there is.
        Err(IntErrorKind::PosOverflow) => i64::MAX,
        Err(_) => 0,
    };
    if query.get("seconds").is_some_and(|text| !text.is_empty()) {
        let seconds = match integer(&query, "seconds") {
            Ok(seconds) if seconds > 0 => range(seconds)?,
            _ => {
                return Err(HttpError::bad_request(
                    "invalid value for \"seconds\" - must be a positive integer",
                ));
            }
        };
        if debug != 0 {
            return Err(HttpError::bad_request(
                "seconds and debug params are incompatible",
            ));
        }
        return Ok(GoRequest::Delta(source, seconds));
    }
    Ok(match debug {
        0 => GoRequest::Now(source),
        _ if !of_tasks => GoRequest::Text(source),
        2.. => GoRequest::Listed(source),
        _ => GoRequest::Grouped(source),
    })
}

/// As Go reads a number: the first value, with a sign or without.
fn integer(query: &Query, name: &str) -> Result<i64, IntErrorKind> {
    let text = query.get(name).unwrap_or_default();
    text.parse().map_err(|e: std::num::ParseIntError| *e.kind())
}

/// Go has no upper end; we have.
fn range(seconds: i64) -> Result<Duration, HttpError> {
    let most = MAX_SECONDS;
    match u64::try_from(seconds) {
        Ok(seconds) if seconds <= most => Ok(Duration::from_secs(seconds)),
        _ => Err(HttpError::bad_request(format!(
            "parameter seconds must be a whole number from 1 to {most}, not \"{seconds}\""
        ))),
    }
}

pub(super) async fn get(
    name: &'static Name,
    admission: Arc<Admission>,
    parts: Parts,
) -> Result<Response, HttpError> {
    let request = parse(name, &parts)?;
    let _watched = watch_application(parts.extensions.get::<OwnRuntime>());
    let profile = match &request {
        GoRequest::Cpu(duration) => {
            let _permit = admission.capture()?;
            // Stores make a series of each distinct label.
            let cpu = Cpu::new().without_request_ids().duration(*duration);
            end_captures::or_ended(async { Ok(cpu.capture().await?) }).await?
        }
        GoRequest::Delta(source, duration) => {
            let _permit = admission.capture()?;
            let ask = source
                .request()
                .of(task_filter::prompt())
                .duration(*duration);
            let mut profile = end_captures::or_ended(async { Ok(ask.capture().await?) }).await?;
            // Go gives the time of the second profile.
            profile.time += profile.duration;
            profile
        }
        GoRequest::Now(source) | GoRequest::Text(source) => {
            let _permit = admission.snapshot().await?;
            source.request().of(task_filter::prompt()).capture().await?
        }
        GoRequest::Grouped(source) => return dump(source, &admission, Form::Grouped).await,
        GoRequest::Listed(source) => {
            return dump(source, &admission, Form::Every(View::Text)).await;
        }
        GoRequest::Cmdline => return Ok(typed(name, &request, source::cmdline().into())),
    };
    let source = match &request {
        GoRequest::Delta(source, _) | GoRequest::Now(source) | GoRequest::Text(source) => {
            Some(*source)
        }
        _ => source::named("cpu"),
    };
    // A profile that is made in a moment can be made again in a moment, and is not stored.
    let profile = match (&request, source) {
        (GoRequest::Cpu(_) | GoRequest::Delta(..), Some(source)) => admission
            .captures
            .insert(source, Retention::Brief, profile)
            .profile
            .clone(),
        _ => Arc::new(profile),
    };
    let counted = matches!(name.what, What::Counted(_));
    let written = matches!(request, GoRequest::Text(_));
    let called = name.name;
    let body = offload::work(WRITER, move |_| {
        let profile = if counted {
            &called_as(called, &profile)
        } else {
            &*profile
        };
        if !written {
            return write::pprof(profile);
        }
        write::text(profile, &RenderOptions::new().title(called)).map(String::into_bytes)
    })
    .await??;
    Ok(typed(name, &request, admission.bytes(body)?))
}

/// The headers that `get` would answer. Go collects everything for a HEAD, too, which helps nobody.
pub(super) async fn head(name: &'static Name, parts: Parts) -> Result<Response, HttpError> {
    Ok(typed(name, &parse(name, &parts)?, Body::empty()))
}

async fn dump(
    source: &'static Source,
    admission: &Admission,
    form: Form,
) -> Result<Response, HttpError> {
    let body = dump::body(admission, source.request().of(task_filter::prompt()), form).await?;
    Ok(response::plain(body))
}

fn typed(name: &Name, request: &GoRequest, body: Body) -> Response {
    let suffix = match request {
        GoRequest::Cpu(_) | GoRequest::Now(_) => "",
        GoRequest::Delta(..) => "-delta",
        GoRequest::Grouped(_) | GoRequest::Listed(_) | GoRequest::Text(_) | GoRequest::Cmdline => {
            return response::plain(body);
        }
    };
    let disposition = format!("attachment; filename=\"{}{suffix}\"", name.name);
    response::typed("application/octet-stream", &disposition, body)
}

/// Go names the column of such a profile after the profile.
fn called_as(name: &'static str, profile: &Profile) -> Profile {
    let mut profile = profile.clone();
    let column = SampleType::new(name, "count");
    profile.sample_types = vec![column.clone()];
    profile.period_type = Some(column);
    profile.period = 1;
    profile
}
