//! Dumps that are written while their client reads.
//!
//! A dump is in memory until then. How much all of them may take together, whatever the askers and however slowly they read, is the desk's
//! business (`desk.rs`). Not here: how a dump looks (`tasks/`).

use std::io;

use axum::body::Body;
use taskscope::Dump;

use super::answer::WRITER;
use super::desk::Desk;
use super::error::HttpError;
use super::stream;
use crate::source::Ask;

/// One way to write a dump.
pub(super) type Write = fn(&Dump, &mut dyn io::Write) -> io::Result<()>;

/// Takes a dump when it is one's turn, and writes it.
pub(super) async fn body(desk: &Desk, ask: Ask, write: Write) -> Result<Body, HttpError> {
    let look = desk.look().await?;
    let Some(dump) = ask.dump().await? else {
        return Err(HttpError::internal("this is no source of tasks"));
    };
    let reading = look.over(dump.tasks.len())?;
    Ok(stream::body(WRITER, move |out| {
        let _reading = reading;
        write(&dump, out)
    })?)
}
