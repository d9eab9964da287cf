//! From an error to an answer: a status and one sentence of plain text.
//!
//! `X-Go-Pprof` is what makes `go tool pprof` show the sentence and not only the status (source:
//! `net/http/pprof`, `serveError`, and `cmd/pprof`, `fetch`). Not here: the sentences of the
//! library (`error.rs` at the top).

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use taskscope::text::OneLine;
use taskscope::text::bounded;

use crate::error::Error;

/// The header that Go's client asks for before it prints a message.
const X_GO_PPROF: HeaderName = HeaderName::from_static("x-go-pprof");

/// Characters of a sentence; the longest of ours lists the formats.
const MAX_SENTENCE: usize = 2000;

/// Seconds after which to ask again for a sampler that is in use.
const BUSY_RETRY_AFTER: u64 = 5;

/// A status and a sentence.
#[derive(Debug)]
pub(crate) struct HttpError {
    status: StatusCode,
    text: String,
    /// Seconds after which to ask again.
    retry_after: Option<u64>,
}

impl HttpError {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        HttpError {
            status,
            // Much of it may be a client's.
            text: OneLine(bounded(&text.into(), MAX_SENTENCE)).to_string(),
            retry_after: None,
        }
    }

    /// Too much at the same time; ask again after this many seconds.
    pub(crate) fn too_many(text: impl Into<String>, retry_after: u64) -> Self {
        crate::metrics::counters::refused();
        HttpError {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, text)
        }
    }

    /// No room; ask again after this many seconds.
    pub(crate) fn unavailable(text: impl Into<String>, retry_after: u64) -> Self {
        crate::metrics::counters::refused();
        HttpError {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
        }
    }

    /// The sentence.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    pub(crate) fn unauthorized(text: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, text)
    }

    pub(crate) fn forbidden(text: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, text)
    }

    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    pub(crate) fn method_not_allowed(text: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, text)
    }

    pub(crate) fn internal(text: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    }
}

impl From<taskprof_format::Error> for HttpError {
    fn from(error: taskprof_format::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<Error> for HttpError {
    fn from(error: Error) -> Self {
        let status = if error.is_busy() {
            crate::metrics::counters::refused();
            StatusCode::TOO_MANY_REQUESTS
        } else if error.is_out_of_memory() {
            crate::metrics::counters::refused();
            StatusCode::SERVICE_UNAVAILABLE
        } else if error.is_unavailable() {
            StatusCode::NOT_FOUND
        } else if error.is_invalid_argument() {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        };
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        HttpError {
            retry_after: (error.is_busy() || error.is_out_of_memory()).then_some(BUSY_RETRY_AFTER),
            ..Self::new(status, text)
        }
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let mut response = (
            self.status,
            [
                (CONTENT_TYPE, "text/plain; charset=utf-8"),
                (X_GO_PPROF, "1"),
            ],
            self.text + "\n",
        )
            .into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}
