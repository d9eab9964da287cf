//! The first page: live tasks and how their number changed, busy workers, leak suspects, the
//! longest waits and polls.
//!
//! It polls no task: stacks are those of earlier captures. HTML for browsers, text for `curl`.
//!
//! * `model.rs`: the facts of the page
//! * `html.rs`, `text.rs`: its two forms; `chart.rs` and `cpu.rs` are parts of them
//!
//! Not here: the count of all tasks every few seconds (`taskscope::census`).

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

use self::model::{Overview, TaskTotals};
use super::links::Links;
use super::tasks::fold_unpolled;
use super::{PAGE, answer};
use crate::cpu_permit;
use crate::http::admission::Admission;
use crate::http::error::HttpError;
use crate::http::parameters::Endpoint;
use crate::http::query::Query;
use crate::http::response::{TEXT, typed};
use crate::http::{OwnRuntime, watch_application};
use crate::offload;
use crate::source::Line;

/// The shortest time between two refreshes of the page.
const MIN_REFRESH: Duration = Duration::from_secs(2);
/// The longest one, because old numbers help nobody; longer only where answers are very slow.
const MAX_REFRESH: Duration = Duration::from_secs(10);
/// Between those two, the time as a multiple of what an answer takes.
const REFRESH_FACTOR: u32 = 20;
/// The least multiple of what an answer takes.
const MIN_REFRESH_FACTOR: u32 = 5;

pub(in crate::http) async fn page(
    admission: Arc<Admission>,
    parts: Parts,
) -> Result<Response, HttpError> {
    Query::parse(parts.uri.query()).only_known(Endpoint::BARE, false)?;
    let links = Links::new(&parts, 0);
    let as_text = wants_text(&parts.headers);
    let began = Instant::now();
    let _permit = admission.prompt_snapshot().await?;
    let _watched = watch_application(parts.extensions.get::<OwnRuntime>());
    let tasks = fold_unpolled(Line::Prompt, TaskTotals::read).await?;
    let page = offload::run(PAGE, move |_| {
        let _permit = cpu_permit::PROMPT.acquire_blocking();
        let overview = Overview::new(tasks);
        if as_text {
            text::text(&overview)
        } else {
            html::html(&links, &overview, refresh(began.elapsed()))
        }
    })
    .await?;
    Ok(if as_text {
        typed(TEXT, "inline", Body::from(page))
    } else {
        answer(page)
    })
}

/// The time until the next refresh, after an answer that took this long.
fn refresh(took: Duration) -> Duration {
    (took * REFRESH_FACTOR)
        .clamp(MIN_REFRESH, MAX_REFRESH)
        .max(took * MIN_REFRESH_FACTOR)
}

/// Whether the client accepts something, but not HTML by name, as `curl` does.
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
    fn slow_answers_are_fetched_less_often_but_not_never() {
        for (took, then) in [(1, 2_000), (300, 6_000), (1_000, 10_000), (4_000, 20_000)] {
            let refresh = refresh(Duration::from_millis(took));
            assert_eq!(refresh, Duration::from_millis(then), "{took} ms");
        }
    }
}
