//! The first page: what is alive and how that has changed, how busy the workers are, what looks leaked, who waits for longest.
//!
//! Nobody is asked for anything for it: stacks are those that are known already. As HTML for whoever asks for that, as text for `curl`.
//! Not here: the count of all tasks that is taken every other second, which is taskscope's.

mod chart;
mod cpu;
mod html;
mod model;
mod text;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::http::request::Parts;
use axum::response::Response;

use self::model::{Seen, Tasks};
use super::links::Links;
use super::tasks::glance;
use super::{PAGE, answer};
use crate::cpu_permit::CpuPermit;
use crate::http::admission::Admission;
use crate::http::error::HttpError;
use crate::http::parameters::Endpoint;
use crate::http::query::Query;
use crate::http::response::{TEXT, typed};
use crate::http::{OwnRuntime, watch_application};
use crate::offload;
use crate::source::Line;

/// How often the page may ask again at the most, and at the least: what is old helps nobody.
const EVERY: Duration = Duration::from_secs(2);
const AT_LEAST_EVERY: Duration = Duration::from_secs(10);
/// Between these two it rests so many times as long as an answer takes, and in any case so many times.
const REST: u32 = 20;
const LEAST_REST: u32 = 5;

pub(in crate::http) async fn page(
    admission: Arc<Admission>,
    parts: Parts,
) -> Result<Response, HttpError> {
    Query::parse(parts.uri.query()).only_known(&Endpoint::BARE, false)?;
    let links = Links::new(&parts, 0);
    let as_text = wants_text(&parts.headers);
    let began = Instant::now();
    let _permit = admission.prompt_snapshot().await?;
    let _watched = watch_application(parts.extensions.get::<OwnRuntime>());
    let tasks = glance(Line::Prompt, Tasks::take).await?;
    let page = offload::run(PAGE, move |_| {
        let _turn = CpuPermit::take_promptly();
        let seen = Seen::new(tasks);
        if as_text {
            text::text(&seen)
        } else {
            html::html(&links, &seen, every(began.elapsed()))
        }
    })
    .await?;
    Ok(if as_text {
        typed(TEXT, "inline", Body::from(page))
    } else {
        answer(page)
    })
}

/// How long the page waits before it asks again, after an answer that took so long.
fn every(took: Duration) -> Duration {
    (took * REST)
        .clamp(EVERY, AT_LEAST_EVERY)
        .max(took * LEAST_REST)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_longer_is_asked_for_less_often_and_what_is_slow_not_never() {
        for (took, then) in [(1, 2_000), (300, 6_000), (1_000, 10_000), (4_000, 20_000)] {
            let every = every(Duration::from_millis(took));
            assert_eq!(every, Duration::from_millis(then), "{took} ms");
        }
    }
}
