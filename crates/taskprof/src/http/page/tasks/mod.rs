//! The tab with the tasks: put together or one by one, filtered, sorted, page by page.
//!
//! All of it happens here and not in the browser, so that a hundred thousand tasks are as quick as a hundred. Not here: one task (`one.rs`).

mod filter;
mod list;
mod one;
mod query;
mod snapshot;

use std::sync::Arc;

use axum::extract::Path;
use axum::http::request::Parts;
use axum::response::Response;
use taskscope::{DumpOptions, Stacks};

pub(super) use self::filter::label;
use self::one::One;
pub(super) use self::one::pair;
use self::query::Wanted;
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
use crate::tasks::Chosen;

pub(super) async fn page(admission: Arc<Admission>, parts: Parts) -> Result<Response, HttpError> {
    let mut wanted = Wanted::parse(parts.uri.query())?;
    let links = Links::new(&parts, 2);
    let _permit = admission.snapshot().await?;
    let _watched = watch_application(parts.extensions.get::<OwnRuntime>());
    let kept = wanted.look.and_then(|id| admission.looks.get(id));
    let kept = kept.filter(|snapshot| snapshot.serves(&wanted));
    let is_new = kept.is_none();
    let snapshot = match kept {
        Some(snapshot) => snapshot,
        None => snapshot(&wanted).await?,
    };
    let looks = Arc::clone(&admission.looks);
    let html = offload::work(PAGE, move |_| {
        // Here, because to forget another one of very many tasks takes time.
        if is_new {
            wanted.look = looks.keep(Arc::clone(&snapshot));
        }
        list::html(&links, &snapshot, &wanted, is_new)
    })
    .await?;
    Ok(answer(html))
}

/// A look at all tasks, shared with others who ask for the same; or at those that are wanted, if all of them are too many.
async fn snapshot(wanted: &Wanted) -> Result<Arc<Snapshot>, HttpError> {
    let ask = || source::short::tasks().of(prompt().stacks(wanted.stacks));
    let few = ask()
        .fold(Line::Usual, Snapshot::of_few)
        .await?
        .ok_or_else(no_tasks)?;
    if few.is_there() {
        return Ok(few);
    }
    let wanted = wanted.clone();
    let part = ask().fold_alone(move |chosen| Snapshot::of_many(&chosen, &wanted));
    part.await?.map(Arc::new).ok_or_else(no_tasks)
}

fn no_tasks() -> HttpError {
    HttpError::internal("this is no source of tasks")
}

pub(super) async fn task(
    Path(id): Path<String>,
    admission: Arc<Admission>,
    parts: Parts,
) -> Result<Response, HttpError> {
    Query::parse(parts.uri.query()).only_known(&Endpoint::BARE, false)?;
    let Ok(id) = id.parse::<u64>() else {
        return Err(HttpError::bad_request(
            "the number of a task is a whole number",
        ));
    };
    let links = Links::new(&parts, 3);
    let _permit = admission.snapshot().await?;
    let _watched = watch_application(parts.extensions.get::<OwnRuntime>());
    let ask = source::short::tasks().of(prompt());
    let one = ask.fold_alone(move |chosen| One::take(&chosen, id));
    match one.await?.flatten() {
        Some(one) => {
            let html = offload::work(PAGE, move |_| one::html(&links, &one)).await?;
            Ok(answer(html))
        }
        None => Err(HttpError::not_found(format!(
            "task {id} is not there: it has ended, or never had a record"
        ))),
    }
}

/// What `make` makes of all tasks, as far as is known without asking any; shared with others who ask for the same.
pub(super) async fn glance<T: Send + Sync + 'static>(
    line: Line,
    make: fn(Chosen) -> Result<T, Error>,
) -> Result<Arc<T>, HttpError> {
    let ask = source::short::tasks().of(DumpOptions::new().stacks(Stacks::Cached));
    ask.fold(line, make).await?.ok_or_else(no_tasks)
}
