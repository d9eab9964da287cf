//! Refuses requests that a page of another site makes a browser send.
//!
//! Without CORS such a page cannot read the answer, but the answer is made: a capture costs CPU
//! time, and a browser that knows the password of HTTP Basic sends it along. So what browsers say
//! about the origin of a request is heeded:
//!
//! * `Sec-Fetch-Site`, which every browser of today sends to https and to loopback. `same-site` is
//!   another origin, too: any other port of localhost.
//! * `Origin`, which older ones send at least with a POST.
//!
//! Neither comes with an image that is fetched over plain HTTP from another machine; there the
//! token is what is left, if the browser does not know it, and otherwise the limits on how much is
//! made at once.
//!
//! What is let through is a link that somebody follows, in a chat or a wiki: a top-level GET. It
//! replaces the page that made it, so whoever forges it does so once and in plain view. Tools send
//! none of these headers.

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Method, Uri};

use crate::http::HttpError;

/// Refuses a request that a page of another site has made, unless it is a link that somebody
/// follows.
pub(super) fn check(request: &Request) -> Result<(), HttpError> {
    let headers = request.headers();
    let is_ours = match value(headers, "sec-fetch-site") {
        Some(b"same-origin" | b"none") => true,
        Some(_) => is_followed_link(request.method(), headers),
        None => is_own_origin(headers, request.uri()),
    };
    if is_ours {
        Ok(())
    } else {
        Err(HttpError::forbidden(
            "a page of another site asked for this; open the address yourself, or follow a link to it",
        ))
    }
}

fn is_followed_link(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::GET
        && value(headers, "sec-fetch-mode") == Some(b"navigate")
        // Not a frame.
        && value(headers, "sec-fetch-dest") == Some(b"document")
        // Not fetched in case that somebody follows it.
        && value(headers, "sec-purpose").is_none()
}

/// Schemes are not compared: a proxy that speaks TLS for us changes them. HTTP/2 has no `Host`, its
/// `:authority` is in the address.
fn is_own_origin(headers: &HeaderMap, uri: &Uri) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let authority = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"))
        .map(|(_, authority)| authority.as_bytes());
    let host = headers
        .get(HOST)
        .map(|host| host.as_bytes())
        .or_else(|| uri.authority().map(|host| host.as_str().as_bytes()));
    authority
        .zip(host)
        .is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    headers.get(name).map(|value| value.as_bytes())
}
