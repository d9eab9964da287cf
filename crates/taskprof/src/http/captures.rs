//! `GET captures/<id>`: a capture that is over, in any format, alone or against another one.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Path;
use axum::http::request::Parts;
use axum::response::Response;

use super::admission::Admission;
use super::capture_store::{MAX_STORED, StoredCapture};
use super::error::HttpError;
use super::native;
use super::parameters::{Endpoint, PageKind};
use super::query::Query;
use super::response;
use crate::write::Format;

type Asked = (
    Arc<StoredCapture>,
    &'static Format,
    Option<Arc<StoredCapture>>,
);

pub(super) async fn get(
    Path(id): Path<String>,
    admission: Arc<Admission>,
    parts: Parts,
) -> Result<Response, HttpError> {
    let (stored, format, base) = parse(&id, &admission, parts.uri.query())?;
    let _permit = admission.snapshot().await?;
    let body = response::write(&admission, &stored, format, base.as_deref()).await?;
    Ok(response::with(&name(&stored), format, body))
}

/// The headers that `get` would answer.
pub(super) async fn head(
    Path(id): Path<String>,
    admission: Arc<Admission>,
    parts: Parts,
) -> Result<Response, HttpError> {
    let (stored, format, _) = parse(&id, &admission, parts.uri.query())?;
    Ok(response::with(&name(&stored), format, Body::empty()))
}

/// Whether there is less of something.
fn is_negative(stored: &StoredCapture) -> bool {
    let mut values = stored
        .profile
        .samples
        .iter()
        .flat_map(|sample| &sample.values);
    values.any(|value| *value < 0)
}

fn name(stored: &StoredCapture) -> String {
    format!("{}-{}", stored.source.name, stored.id)
}

fn parse(id: &str, admission: &Admission, query: Option<&str>) -> Result<Asked, HttpError> {
    let stored = id.parse().ok().and_then(|id| admission.captures.get(id));
    let Some(stored) = stored else {
        return Err(HttpError::not_found(format!(
            "there is no such capture, or it is not kept any more: {MAX_STORED} are kept at the most, and page/profiles lists them"
        )));
    };
    let query = Query::parse(query);
    let format = native::format(&query)?;
    query.only_known(Endpoint::page(PageKind::Capture), response::is_svg(format))?;
    let base = native::base(&query, admission)?;
    native::refuse_negative(
        format,
        base.is_some() || stored.profile.is_difference && is_negative(&stored),
    )?;
    Ok((stored, format, base))
}
