//! `metrics`: the figures of this process for a scraper, in the format that it asks for.
//!
//! Not here: which metrics there are (`metrics/`), how they are written (`write/`).

use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::{MethodRouter, get};

use super::admission::Admission;
use super::error::HttpError;
use super::parameters::{Endpoint, FORMAT, PageKind};
use super::query::Query;
use super::response;
use super::{OwnRuntime, watch_application};
use crate::write::{OPENMETRICS_TYPE, PROMETHEUS_TYPE};
use crate::{metrics, offload};

/// The page, below the router.
pub(super) const PATH: &str = "/metrics";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    OpenMetrics,
    Prometheus,
}

impl Format {
    fn content_type(self) -> &'static str {
        match self {
            Format::OpenMetrics => OPENMETRICS_TYPE,
            Format::Prometheus => PROMETHEUS_TYPE,
        }
    }
}

pub(super) fn routes<S>(admission: &Arc<Admission>) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let admission = Arc::clone(admission);
    get(move |parts: Parts| answer(Arc::clone(&admission), parts)).head(async |parts: Parts| {
        let format = parse(&parts)?;
        Ok::<_, HttpError>(response::typed(
            format.content_type(),
            "inline",
            Body::empty(),
        ))
    })
}

async fn answer(admission: Arc<Admission>, parts: Parts) -> Result<Response, HttpError> {
    let format = parse(&parts)?;
    let _watched = watch_application(parts.extensions.get::<OwnRuntime>());
    let _permit = admission.prompt_snapshot().await?;
    let body = offload::run("taskprof-scrape", move |cancel| {
        metrics::write(format == Format::Prometheus, cancel)
    })
    .await??;
    Ok(response::typed(
        format.content_type(),
        "inline",
        body.into(),
    ))
}

fn parse(parts: &Parts) -> Result<Format, HttpError> {
    let query = Query::parse(parts.uri.query());
    query.only_known(Endpoint::page(PageKind::Metrics), false)?;
    let choices = [
        ("openmetrics", Format::OpenMetrics),
        ("prometheus", Format::Prometheus),
    ];
    let format = query.choice(&FORMAT, choices)?;
    Ok(format.unwrap_or_else(|| accepted(&parts.headers)))
}

/// OpenMetrics, unless the client takes only the older text.
fn accepted(headers: &HeaderMap) -> Format {
    let accepts = |wanted: &str| {
        let values = headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut ranges = values.flat_map(|value| value.split(','));
        ranges.any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_it = parts
                .next()
                .is_some_and(|kind| kind.eq_ignore_ascii_case(wanted));
            // `q=0`: anything but that.
            let refused = |part: &str| {
                let q = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="));
                q.and_then(|q| q.parse::<f64>().ok())
                    .is_some_and(|q| q <= 0.0)
            };
            is_it && !parts.any(refused)
        })
    };
    if !accepts("application/openmetrics-text") && accepts("text/plain") {
        Format::Prometheus
    } else {
        Format::OpenMetrics
    }
}
