//! From a profile to an answer: the body in a format, and the headers that go with it.

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LOCATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};

use super::admission::Admission;
use super::capture_store::StoredCapture;
use super::error::HttpError;
use crate::offload;
use crate::write::{Format, RenderOptions};

/// The thread that writes an answer.
pub(super) const WRITER: &str = "taskprof-write";

/// Text that a browser shows.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// A capture in a format, alone or against another one.
pub(super) async fn write(
    admission: &Admission,
    stored: &StoredCapture,
    format: &'static Format,
    base: Option<&StoredCapture>,
) -> Result<Body, HttpError> {
    let mut title = format!("{}, capture {}", stored.source.name, stored.id);
    if let Some(base) = base {
        title.push_str(&format!(" against {}", base.id));
    }
    let mut options = RenderOptions::new().title(title);
    if let Some(base) = base {
        options = options.base(base.profile.clone());
    }
    let profile = stored.profile.clone();
    let body = offload::work(WRITER, move |_| (format.write)(&profile, &options)).await??;
    admission.bytes(body)
}

/// The headers of a format, and a body.
pub(super) fn with(name: &str, format: &Format, body: Body) -> Response {
    let disposition = if format.inline {
        "inline".to_owned()
    } else {
        format!("attachment; filename=\"{name}.{}\"", format.extension)
    };
    typed(format.content_type, &disposition, body)
}

/// A body of this type. `disposition`: what we have made, without a client's text.
pub(super) fn typed(content_type: &'static str, disposition: &str, body: Body) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(disposition) = HeaderValue::from_str(disposition) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    (headers, body).into_response()
}

/// Whether the answer is a picture whose script keeps its state in the address.
pub(super) fn is_svg(format: &Format) -> bool {
    format.content_type == "image/svg+xml"
}

/// Text without a disposition, as Go answers it.
pub(super) fn plain(body: Body) -> Response {
    ([(CONTENT_TYPE, TEXT)], body).into_response()
}

/// Adds the address of the stored capture, relative to the page of a source.
pub(super) fn located(mut response: Response, address: &str) -> Response {
    if let Ok(address) = HeaderValue::from_str(address) {
        response.headers_mut().insert(CONTENT_LOCATION, address);
    }
    response
}
