//! A layer that lets in only requests that show a token.
//!
//! Not here: the token itself (`token.rs`), other ways to tell who asks (the application).
//!
//! The server has it ([`bearer_token`](crate::ServerBuilder::bearer_token)), and an application
//! that nests [`router`](crate::router()) can put it around the pages:
//! [`require_bearer`](crate::require_bearer()).

mod token;

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, Request};
use axum::response::{IntoResponse, Response};
use tower::{Layer, Service};

use self::token::Shown;
pub(crate) use self::token::Token;
use crate::error::Error;
use crate::http::{HttpError, headers};

/// The shortest token that is taken, in bytes.
pub const MIN_TOKEN_LENGTH: usize = 16;

/// The longest token that is taken, in bytes: it has to fit into the head of a request, and as a
/// password into a third more.
pub const MAX_TOKEN_LENGTH: usize = 1024;

/// Both are offered: a program shows the token as it is, a browser asks for a password.
const CHALLENGES: [HeaderValue; 2] = [
    HeaderValue::from_static("Bearer realm=\"taskprof\""),
    HeaderValue::from_static("Basic realm=\"taskprof\", charset=\"UTF-8\""),
];

/// Makes a layer that demands a token of every request, for [`router`](crate::router()) inside an
/// application of your own.
///
/// A request gets in with `Authorization: Bearer <token>`, or with HTTP Basic and the token as the
/// password of any user, which is what browsers and `go tool pprof http://any:<token>@host/...` can
/// do. Every other one gets 401 and a sentence, also for pages that do not exist. The token is
/// never looked for in the query string, where it would end up in logs and histories.
///
/// # Examples
///
/// ```
/// # fn app(token_of_the_environment: &str) -> Result<axum::Router, Box<dyn std::error::Error>> {
/// let profile = taskprof::router().layer(taskprof::require_bearer(token_of_the_environment)?);
/// let app = axum::Router::new().nest("/debug/profile", profile);
/// # Ok(app)
/// # }
/// # app("6f1ed002ab5595859014ebf0951522d9").unwrap();
/// ```
///
/// Other rules of access are added in the same way: any `tower` layer around
/// `taskprof::router()`.
///
/// ```
/// use axum::extract::Request;
/// use axum::http::StatusCode;
/// use axum::middleware::{Next, from_fn};
/// use axum::response::{IntoResponse, Response};
///
/// async fn only_administrators(request: Request, next: Next) -> Response {
///     // Set by the application's own middleware, further out.
///     if request.extensions().get::<Administrator>().is_some() {
///         next.run(request).await
///     } else {
///         StatusCode::NOT_FOUND.into_response()
///     }
/// }
/// # #[derive(Clone)]
/// # struct Administrator;
///
/// let profile = taskprof::router().layer(from_fn(only_administrators));
/// let app: axum::Router = axum::Router::new().nest("/debug/profile", profile);
/// ```
///
/// # Errors
///
/// [`is_invalid_argument`](Error::is_invalid_argument) for a token that is empty, shorter than
/// [`MIN_TOKEN_LENGTH`] or longer than [`MAX_TOKEN_LENGTH`], has white space in it (the line end of
/// a file), or bytes that RFC 6750 does not allow in the header. The text never repeats the token.
///
/// # Limitations
///
/// There is no TLS here: over plain HTTP a token can be read, and used, by everybody on the way.
///
/// A browser that knows the password sends it with what other sites make it ask for. They cannot
/// read the answer, but it is made. [`server`](crate::server()) refuses such requests; an
/// application should refuse them, too, where it refuses them for its other pages.
///
/// Guesses are not counted or slowed down: take a random token, not a word.
pub fn require_bearer(token: impl AsRef<[u8]>) -> Result<RequireBearer, Error> {
    Token::new(token.as_ref()).map(RequireBearer::new)
}

/// The layer that [`require_bearer`](crate::require_bearer()) makes.
#[must_use = "a layer guards nothing until it is put around something"]
#[derive(Debug, Clone)]
pub struct RequireBearer {
    token: Token,
}

impl RequireBearer {
    pub(crate) fn new(token: Token) -> Self {
        RequireBearer { token }
    }
}

impl<S> Layer<S> for RequireBearer {
    type Service = RequireBearerService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireBearerService {
            inner,
            token: self.token.clone(),
        }
    }
}

/// A service behind [`RequireBearer`].
#[derive(Debug, Clone)]
pub struct RequireBearerService<S> {
    inner: S,
    token: Token,
}

impl<S, B> Service<Request<B>> for RequireBearerService<S>
where
    S: Service<Request<B>>,
    S::Response: IntoResponse,
    S::Error: 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let why = match self.token.shown(request.headers()) {
            Shown::Right => {
                let answer = self.inner.call(request);
                return Box::pin(async move { answer.await.map(IntoResponse::into_response) });
            }
            Shown::Nothing => "this needs a token",
            Shown::Wrong => "this needs another token",
        };
        Box::pin(async move { Ok(headers::set(refused(why)).await) })
    }
}

fn refused(why: &str) -> Response {
    let mut response = HttpError::unauthorized(format!(
        "{why}: send it as Authorization: Bearer <token>, or as the password of HTTP Basic, with any user name"
    ))
    .into_response();
    for challenge in CHALLENGES {
        response.headers_mut().append(WWW_AUTHENTICATE, challenge);
    }
    response
}
