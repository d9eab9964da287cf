//! The headers of every response, whatever its status.
//!
//! Not here: what a body is (`Content-Type` stands where the body is made).

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

/// Inline style and script only, nothing from any host, not even this one, and no frame around it.
/// A page that needs more has a policy of its own.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// A flame graph carries its own style and script, and stands in a frame of our own pages.
const OF_SVG: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
);

const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    // A profile is true for one moment, and names what should stay in the house.
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

pub(crate) async fn set(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    let is_svg = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == "image/svg+xml");
    let policy = if is_svg { OF_SVG } else { POLICY };
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(policy);
    response
}
