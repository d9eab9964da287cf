//! `symbol`: names of addresses, asked for in the query or in the body.
//!
//! Go's client asks in a POST. Not here: the lookup (`source/symbol.rs`).

use axum::body::Body;
use axum::extract::RawQuery;
use axum::response::Response;
use axum::routing::{MethodRouter, get};

use super::error::HttpError;
use super::response::{self, WRITER};
use crate::{offload, source};

pub(super) fn routes<S>() -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    get(async |RawQuery(query): RawQuery| look_up(query.unwrap_or_default()).await)
        .head(async || response::plain(Body::empty()))
        // axum has read the body and refuses more than 2 MB.
        .post(async |body: String| look_up(body).await)
}

async fn look_up(addresses: String) -> Result<Response, HttpError> {
    let text = offload::work(WRITER, move |_| source::symbols(&addresses)).await?;
    Ok(response::plain(text.into()))
}
