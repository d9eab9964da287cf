//! The tab with the tasks: grouped or listed, filtered, sorted, page by page.
//!
//! All of that happens here and not in the browser, so that a hundred thousand tasks are as quick
//! as a hundred.
//!
//! * `query.rs`: the query of a page, from and to its URL
//! * `snapshot.rs`: the tasks that several pages are about
//! * `filter.rs`: which tasks of a snapshot a query finds; `choices.rs`: what the form offers
//! * `list.rs`: the page with the tasks
//! * `details.rs`: the page of one task
//!
//! Not here: how long a snapshot is stored (`snapshots.rs`), the filter of tasks
//! (`crate::tasks::TaskFilter`).

mod choices;
mod details;
mod filter;
mod list;
mod query;
mod snapshot;

use std::sync::Arc;

use axum::extract::Path;
use axum::http::request::Parts;
use axum::response::Response;
use taskscope::{DumpOptions, Stacks};

use self::details::TaskDetails;
pub(super) use self::details::pair;
pub(super) use self::filter::label;
use self::query::TaskQuery;
pub(super) use self::snapshot::Snapshot;
use super::links::Links;
use super::{PAGE, answer};
use crate::error::Error;
use crate::http::admission::Admission;
use crate::http::error::HttpError;
use crate::http::parameters::Endpoint;
use crate::http::query::Query;
use crate::http::task_filter::prompt;
use crate::http::{OwnRuntime, watch_application};
use crate::offload;
use crate::source::{self, Line};
use crate::tasks::DumpQuery;

/// Answers with the page of the tasks, from the snapshot that the query names or from a new one.
pub(super) async fn page(admission: Arc<Admission>, parts: Parts) -> Result<Response, HttpError> {
    let mut query = TaskQuery::parse(parts.uri.query())?;
    let links = Links::new(&parts, 2);
    let _permit = admission.snapshot().await?;
    let _watched = watch_application(parts.extensions.get::<OwnRuntime>());
    let stored = query.snapshot.and_then(|id| admission.snapshots.get(id));
    let stored = stored.filter(|snapshot| snapshot.answers(&query));
    let is_new = stored.is_none();
    let snapshot = match stored {
        Some(snapshot) => snapshot,
        None => take_snapshot(&query).await?,
    };
    let snapshots = Arc::clone(&admission.snapshots);
    let html = offload::work(PAGE, move |_| {
        // On this thread, because it may remove another snapshot, and dropping very many tasks
        // takes time.
        if is_new {
            query.snapshot = snapshots.insert(Arc::clone(&snapshot));
        }
        list::html(&links, &snapshot, &query, is_new)
    })
    .await?;
    Ok(answer(html))
}

/// Takes a snapshot of all tasks, shared with other requests for the same; or of the tasks that the
/// query finds, if all of them are too many.
async fn take_snapshot(query: &TaskQuery) -> Result<Arc<Snapshot>, HttpError> {
    let ask = || source::short::tasks().of(prompt().stacks(query.filter.stacks));
    let few = ask()
        .fold(Line::Usual, Snapshot::of_few)
        .await?
        .ok_or_else(no_tasks)?;
    if !few.is_empty() {
        return Ok(few);
    }
    let query = query.clone();
    let matches = ask().fold_alone(move |dumped| Snapshot::of_many(&dumped, &query));
    matches.await?.map(Arc::new).ok_or_else(no_tasks)
}

fn no_tasks() -> HttpError {
    HttpError::internal("this is no source of tasks")
}

/// Answers with the page of one task.
pub(super) async fn task(
    Path(id): Path<String>,
    admission: Arc<Admission>,
    parts: Parts,
) -> Result<Response, HttpError> {
    Query::parse(parts.uri.query()).only_known(Endpoint::BARE, false)?;
    let Ok(id) = id.parse::<u64>() else {
        return Err(HttpError::bad_request(
            "the number of a task is a whole number",
        ));
    };
    let links = Links::new(&parts, 3);
    let _permit = admission.snapshot().await?;
    let _watched = watch_application(parts.extensions.get::<OwnRuntime>());
    let ask = source::short::tasks().of(prompt());
    let details = ask.fold_alone(move |query| TaskDetails::find(&query, id));
    match details.await?.flatten() {
        Some(details) => {
            let html = offload::work(PAGE, move |_| details::html(&links, &details)).await?;
            Ok(answer(html))
        }
        None => Err(HttpError::not_found(format!(
            "task {id} is not there: it has ended, or never had a record"
        ))),
    }
}

/// Folds all tasks without polling any: their stacks are those of earlier captures. The result is
/// shared with other requests for the same.
pub(super) async fn fold_unpolled<T: Send + Sync + 'static>(
    line: Line,
    make: fn(DumpQuery) -> Result<T, Error>,
) -> Result<Arc<T>, HttpError> {
    let ask = source::short::tasks().of(DumpOptions::new().stacks(Stacks::Cached));
    ask.fold(line, make).await?.ok_or_else(no_tasks)
}
