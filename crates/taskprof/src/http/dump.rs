//! Tasks as text or JSON, written while their client reads.
//!
//! Grouped, they are summed up before that; one by one, they are read a second time as they are written. How much may be held by all of them, whatever the askers and however slowly
//! they read, is the admission's business (`admission.rs`). Not here: how tasks look (`tasks/`).

use std::io;

use axum::body::Body;

use super::admission::Admission;
use super::error::HttpError;
use super::response::WRITER;
use super::stream;
use crate::source::{Ask, Line};
use crate::tasks::{Grouped, Listed, View};

/// Which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Grouped,
    Every(View),
}

/// Looks at tasks when it is one's turn, and writes them.
pub(super) async fn body(admission: &Admission, ask: Ask, form: Form) -> Result<Body, HttpError> {
    let look = admission.snapshot().await?;
    let no_tasks = || HttpError::internal("this is no source of tasks");
    let (tasks, pieces) = match form {
        Form::Grouped => {
            let grouped = ask
                .fold(Line::Usual, |chosen| Grouped::take(&chosen))
                .await?;
            let grouped = grouped.ok_or_else(no_tasks)?;
            (0, stream::pieces(WRITER, move |out| grouped.write(out))?)
        }
        Form::Every(view) => {
            let listed = ask.fold_alone(Listed::take).await?.ok_or_else(no_tasks)?;
            let tasks = listed.tasks();
            let write = move |out: &mut dyn io::Write| listed.write(view, out);
            (tasks, stream::pieces(WRITER, write)?)
        }
    };
    let (first, rest) = stream::first(pieces)
        .await
        .map_err(|why| HttpError::unavailable(why.to_string(), AGAIN))?;
    // From here on the client is waited for.
    drop(look);
    match rest {
        None => Ok(first.into()),
        Some(rest) => admission.written(tasks, first, rest),
    }
}

/// When there may be memory again, in seconds.
const AGAIN: u64 = 5;
