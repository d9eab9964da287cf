//! Tasks as text or JSON, written while their client reads.
//!
//! Grouped, they are summed up before that; one by one, they are read a second time as they are
//! written. How much all of them may hold, however many ask and however slowly they read, is
//! decided elsewhere (`admission.rs`, `downloads.rs`). Not here: how tasks look (`tasks/`).

use std::io;

use axum::body::Body;

use super::admission::Admission;
use super::error::HttpError;
use super::response::WRITER;
use super::stream;
use crate::source::{CaptureRequest, Line};
use crate::tasks::{Grouped, Listed, View};

/// The form of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Grouped,
    Every(View),
}

/// Takes a dump when it is admitted, and writes it.
pub(super) async fn body(
    admission: &Admission,
    ask: CaptureRequest,
    form: Form,
) -> Result<Body, HttpError> {
    let permit = admission.snapshot().await?;
    let no_tasks = || HttpError::internal("this is no source of tasks");
    let (tasks, chunks) = match form {
        Form::Grouped => {
            let grouped = ask
                .fold(Line::Usual, |chosen| Grouped::take(&chosen))
                .await?;
            let grouped = grouped.ok_or_else(no_tasks)?;
            (0, stream::chunks(WRITER, move |out| grouped.write(out))?)
        }
        Form::Every(view) => {
            let listed = ask.fold_alone(Listed::take).await?.ok_or_else(no_tasks)?;
            let tasks = listed.tasks();
            let write = move |out: &mut dyn io::Write| listed.write(view, out);
            (tasks, stream::chunks(WRITER, write)?)
        }
    };
    let (first, rest) = stream::first(chunks)
        .await
        .map_err(|why| HttpError::unavailable(why.to_string(), RETRY_AFTER))?;
    // From here on the client is waited for.
    drop(permit);
    match rest {
        None => Ok(first.into()),
        Some(rest) => admission.written(tasks, first, rest),
    }
}

/// Seconds after which there may be memory again.
const RETRY_AFTER: u64 = 5;
