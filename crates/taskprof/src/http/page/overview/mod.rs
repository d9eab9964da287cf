//! The first page: what is alive and how that has changed, how busy the workers are, what looks leaked, who waits for longest.
//!
//! Nobody is asked for anything for it: stacks are those that are known already. As HTML for whoever asks for that, as text for `curl`.
//! Not here: the count of all tasks that is taken every other second, which is taskscope's.

mod chart;
mod html;
mod seen;
mod text;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::http::request::Parts;
use axum::response::Response;

use self::seen::Seen;
use super::links::Links;
use super::tasks::glance;
use super::{PAGE, answer};
use crate::http::answer::{TEXT, typed};
use crate::http::desk::Desk;
use crate::http::endpoint::Endpoint;
use crate::http::error::HttpError;
use crate::http::params::Query;
use crate::http::{OwnRuntime, watch_application};
use crate::{offload, warm};

/// How often the page may ask again at the most.
const EVERY: Duration = Duration::from_secs(2);
/// It rests so many times as long as an answer takes.
const REST: u32 = 50;

pub(in crate::http) async fn page(desk: Arc<Desk>, parts: Parts) -> Result<Response, HttpError> {
    Query::parse(parts.uri.query()).only_known(&Endpoint::BARE, false)?;
    let links = Links::new(&parts, 0);
    let as_text = wants_text(&parts.headers);
    let began = Instant::now();
    let _look = desk.look().await?;
    let _watched = watch_application(parts.extensions.get::<OwnRuntime>());
    // Whoever looks here asks for more in a moment.
    warm::all();
    let dump = glance().await?;
    let page = offload::work(PAGE, move |_| {
        let seen = Seen::new(dump);
        if as_text {
            text::text(&seen)
        } else {
            html::html(&links, &seen, EVERY.max(began.elapsed() * REST))
        }
    })
    .await?;
    Ok(if as_text {
        typed(TEXT, "inline", Body::from(page))
    } else {
        answer(page)
    })
}

/// Whether the client says what it takes, and that is anything or text but no page: `curl` does.
fn wants_text(headers: &HeaderMap) -> bool {
    let mut accepted = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .peekable();
    accepted.peek().is_some()
        && !accepted.any(|value| value.to_ascii_lowercase().contains("text/html"))
}
