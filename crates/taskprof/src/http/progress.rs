//! The progress of a capture: a page that a browser shows and that then leads to the capture, or
//! lines for a script.
//!
//! It is one answer that is not complete before the capture is: so it needs no question now and
//! then, and when the browser leaves, the connection ends, and with it the capture.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::response::Response;
use http_body::Frame;
use tokio::sync::mpsc;

use super::error::HttpError;
use super::response;
use crate::error::Error;
use taskprof_format::escape::markup;

/// The last words, also if it failed.
type Capture = Pin<Box<dyn Future<Output = String> + Send>>;

const THREAD: &str = "taskprof-ticks";
/// Time between two updates of a page.
const TICK: Duration = Duration::from_secs(1);
/// Time between two updates of a script, which draws a bar.
const SHORT_TICK: Duration = Duration::from_millis(200);

const STYLE: &str = "\
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:4em auto;padding:0 1em;max-width:40em}\
h1{font-size:1.3em}.bar{border:1px solid;height:1em}.bar div{background:currentcolor;height:100%;width:0}";

/// Answers with the page at once, and runs the capture while it is read.
pub(super) fn page(
    name: &str,
    takes: Duration,
    capture: impl Future<Output = Result<String, HttpError>> + Send + 'static,
) -> Result<Response, HttpError> {
    let seconds = takes.as_secs();
    let head = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>Capturing {name}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Capturing {name} for {seconds} s</h1>\n\
         <div class=\"bar\"><div id=\"done\"></div></div>\n\
         <p>The result opens when it is there. Leaving this page ends the capture.</p>\n",
        name = markup(name)
    );
    let ticks = ticks(takes, TICK, |done| {
        format!("<style>#done{{width:{:.0}%}}</style>\n", done * 100.0)
    })?;
    let capture = async move { end(capture.await) };
    Ok(body("text/html; charset=utf-8", head, ticks, capture))
}

/// Answers with lines of JSON at once, and runs the capture while they are read.
pub(super) fn lines(
    takes: Duration,
    capture: impl Future<Output = Result<u64, HttpError>> + Send + 'static,
) -> Result<Response, HttpError> {
    let ticks = ticks(takes, SHORT_TICK, |done| {
        format!("{{\"done\":{done:.3}}}\n")
    })?;
    let capture = async move {
        match capture.await {
            Ok(number) => format!("{{\"open\":{number}}}\n"),
            Err(error) => format!("{}\n", serde_json::json!({ "error": error.text() })),
        }
    };
    let head = "{\"done\":0}\n".to_owned();
    Ok(body("application/x-ndjson", head, ticks, capture))
}

fn body(
    content_type: &'static str,
    head: String,
    ticks: mpsc::Receiver<String>,
    capture: impl Future<Output = String> + Send + 'static,
) -> Response {
    let body = Progress {
        head: Some(head),
        ticks,
        capture: Some(Box::pin(capture)),
    };
    response::typed(content_type, "inline", Body::new(body))
}

/// The progress from 0 to 1, now and then. From a thread: the runtime of the application may have
/// no timer.
fn ticks(
    takes: Duration,
    tick: Duration,
    write: fn(f64) -> String,
) -> Result<mpsc::Receiver<String>, Error> {
    let (sender, receiver) = mpsc::channel(1);
    crate::thread::spawn(THREAD, move || {
        let began = Instant::now();
        loop {
            thread::sleep(tick);
            let done = (began.elapsed().as_secs_f64() / takes.as_secs_f64()).min(1.0);
            // An error means that the page is complete, or that nobody reads it any more.
            if sender.blocking_send(write(done)).is_err() {
                return;
            }
        }
    })
    .map_err(|e| crate::thread::not_started(THREAD, e))?;
    Ok(receiver)
}

struct Progress {
    head: Option<String>,
    ticks: mpsc::Receiver<String>,
    /// `None` when it is over.
    capture: Option<Capture>,
}

impl http_body::Body for Progress {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let text = if let Some(head) = self.head.take() {
            head
        } else if let Some(capture) = &mut self.capture {
            match capture.as_mut().poll(cx) {
                Poll::Ready(last) => {
                    self.capture = None;
                    self.ticks.close();
                    last
                }
                Poll::Pending => match self.ticks.poll_recv(cx) {
                    Poll::Ready(Some(tick)) => tick,
                    // The capture wakes this when it is over, ticks or not.
                    Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                },
            }
        } else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }
}

fn end(result: Result<String, HttpError>) -> String {
    let last = match result {
        Ok(address) => {
            // Percent-encoded where it holds a client's text, so there is nothing in it that ends
            // the string or the script. Replaced, so that the way back does not lead to a capture
            // that starts again.
            let link = markup(&address);
            format!(
                "<p><a href=\"{link}\">The capture</a></p>\n<script>location.replace(\"{address}\")</script>\n"
            )
        }
        Err(error) => format!("<p><strong>{}</strong></p>\n", markup(error.text())),
    };
    format!("<style>#done{{width:100%}}</style>\n{last}</main>\n</body>\n</html>\n")
}
