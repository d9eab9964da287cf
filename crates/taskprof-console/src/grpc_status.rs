//! Errors as gRPC has them, for clients that speak it.
//!
//! A gRPC client takes a sentence of plain text for a broken message, and shows nothing of it. Not
//! here: who is refused and why (`serve/`, `guard/` and `http/` of taskprof).

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

const GRPC: &str = "application/grpc";

/// The longest sentence that is read, in bytes; none is as long.
const LONGEST: usize = 4096;

/// Middleware around everything that may refuse: translates a refusal for a client that asked in
/// gRPC.
pub async fn in_grpc(request: Request, next: Next) -> Response {
    let asks_in_grpc = is_grpc(request.headers());
    let response = next.run(request).await;
    if asks_in_grpc && !is_grpc(response.headers()) {
        translate(response).await
    } else {
        response
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type.is_some_and(|value| value.starts_with(GRPC.as_bytes()))
}

/// A gRPC status in the headers, without a message.
async fn translate(response: Response) -> Response {
    let code = code(response.status());
    let (mut head, body) = response.into_parts();
    // A sentence that cannot be read is left out: the code says the most.
    let sentence = to_bytes(body, LONGEST).await.unwrap_or_default();
    head.status = StatusCode::OK;
    head.headers.remove(CONTENT_LENGTH);
    head.headers
        .insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
    head.headers.insert("grpc-status", code.into());
    if let Ok(sentence) = HeaderValue::try_from(escaped(sentence.trim_ascii_end())) {
        head.headers.insert("grpc-message", sentence);
    }
    (head, ()).into_response()
}

/// The code by gRPC's "HTTP to gRPC status code mapping".
fn code(status: StatusCode) -> u16 {
    match status {
        StatusCode::BAD_REQUEST => 13,
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::FORBIDDEN => 7,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => 12,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => 14,
        _ => 2,
    }
}

/// Percent-encodes everything that may not be in a header as it is.
fn escaped(sentence: &[u8]) -> String {
    let mut escaped = String::with_capacity(sentence.len());
    for &byte in sentence {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(content_type: &str) -> Response {
        let refuse = async || (StatusCode::UNAUTHORIZED, "100 % no\u{fc}\n").into_response();
        let app: Router = Router::new().fallback(refuse).layer(from_fn(in_grpc));
        let request = Request::post("/").header(CONTENT_TYPE, content_type);
        app.oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_refusal_is_translated_for_grpc_clients_only() {
        let response = ask("application/grpc+proto").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_TYPE], GRPC);
        assert_eq!(response.headers()["grpc-status"], "16");
        assert_eq!(response.headers()["grpc-message"], "100 %25 no%C3%BC");
        assert!(to_bytes(response.into_body(), 1).await.unwrap().is_empty());

        let response = ask("text/plain").await;
        assert_eq!(response.status(), 401);
        assert!(!response.headers().contains_key("grpc-status"));
    }
}
