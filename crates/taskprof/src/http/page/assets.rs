//! The style sheet and the script of the pages, compiled into the program.
//!
//! Not here: the pages that use them (each in its own file), their policy (`mod.rs`).

use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use crate::http::error::HttpError;
use crate::http::parameters::Endpoint;
use crate::http::query::Query;

pub(super) async fn style(parts: Parts) -> Result<Response, HttpError> {
    answer(&parts, "text/css; charset=utf-8", include_str!("page.css"))
}

pub(super) async fn script(parts: Parts) -> Result<Response, HttpError> {
    answer(
        &parts,
        "text/javascript; charset=utf-8",
        include_str!("page.js"),
    )
}

fn answer(parts: &Parts, kind: &'static str, text: &'static str) -> Result<Response, HttpError> {
    Query::parse(parts.uri.query()).only_known(Endpoint::BARE, false)?;
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}
