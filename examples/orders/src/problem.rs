//! The answers to requests that cannot be served: a status and one sentence.

use std::borrow::Cow;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::order_id::OrderId;

#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    sentence: Cow<'static, str>,
}

impl Problem {
    /// The request is well-formed, but the shop does not take it.
    pub(crate) fn refused(sentence: impl Into<Cow<'static, str>>) -> Problem {
        Problem {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            sentence: sentence.into(),
        }
    }

    pub(crate) fn no_such_order(id: OrderId) -> Problem {
        Problem {
            status: StatusCode::NOT_FOUND,
            sentence: format!("there is no order {id}").into(),
        }
    }

    /// The shop's own fault.
    pub(crate) fn internal(sentence: &'static str) -> Problem {
        Problem {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            sentence: sentence.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, format!("{}\n", self.sentence)).into_response()
    }
}
