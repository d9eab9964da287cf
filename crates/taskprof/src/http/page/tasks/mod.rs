//! The tab with the tasks: put together or one by one, filtered, sorted, page by page.
//!
//! All of it happens here and not in the browser, so that a hundred thousand tasks are as quick as a hundred. Not here: one task (`one.rs`).

mod list;
mod one;
mod select;
mod wanted;

use std::sync::Arc;

use axum::extract::Path;
use axum::http::request::Parts;
use axum::response::Response;
use taskscope::{Dump, DumpOptions, Stacks};

pub(super) use self::one::pair;
pub(super) use self::select::label;
use self::wanted::Wanted;
use super::links::Links;
use super::{PAGE, answer};
use crate::http::choose::prompt;
use crate::http::desk::Desk;
use crate::http::endpoint::Endpoint;
use crate::http::error::HttpError;
use crate::http::params::Query;
use crate::http::{OwnRuntime, watch_application};
use crate::{offload, source};

pub(super) async fn page(desk: Arc<Desk>, parts: Parts) -> Result<Response, HttpError> {
    let mut wanted = Wanted::parse(parts.uri.query())?;
    let links = Links::new(&parts, 2);
    let _look = desk.look().await?;
    let _watched = watch_application(parts.extensions.get::<OwnRuntime>());
    let kept = wanted.look.and_then(|id| desk.looks.get(id));
    let is_new = kept.is_none();
    let dump = match kept {
        Some(dump) => dump,
        None => {
            let dump = dump(prompt().stacks(wanted.stacks)).await?;
            wanted.look = desk.looks.keep(Arc::clone(&dump));
            dump
        }
    };
    let html = offload::work(PAGE, move |_| list::html(&links, &dump, &wanted, is_new)).await?;
    Ok(answer(html))
}

pub(super) async fn task(
    Path(id): Path<String>,
    desk: Arc<Desk>,
    parts: Parts,
) -> Result<Response, HttpError> {
    Query::parse(parts.uri.query()).only_known(&Endpoint::BARE, false)?;
    let Ok(id) = id.parse::<u64>() else {
        return Err(HttpError::bad_request(
            "the number of a task is a whole number",
        ));
    };
    let links = Links::new(&parts, 3);
    let _look = desk.look().await?;
    let _watched = watch_application(parts.extensions.get::<OwnRuntime>());
    let dump = dump(prompt()).await?;
    let html = offload::work(PAGE, move |_| one::html(&links, &dump, id)).await?;
    match html {
        Some(html) => Ok(answer(html)),
        None => Err(HttpError::not_found(format!(
            "task {id} is not there: it has ended, or never had a record"
        ))),
    }
}

/// Of all tasks, shared with others who ask for the same.
pub(super) async fn dump(options: DumpOptions) -> Result<Arc<Dump>, HttpError> {
    let dump = source::short::tasks().of(options).dump().await?;
    dump.ok_or_else(|| HttpError::internal("this is no source of tasks"))
}

/// Of all tasks, as far as is known without asking any.
pub(super) async fn glance() -> Result<Arc<Dump>, HttpError> {
    dump(DumpOptions::new().stacks(Stacks::Cached)).await
}
