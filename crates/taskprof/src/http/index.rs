//! The index: one page that lists every endpoint, from the table in `endpoint.rs`.
//!
//! No script, no external resource, links that work behind any prefix and with or without a slash at the end.

use std::fmt::Write as _;

use axum::extract::{OriginalUri, RawQuery};
use axum::response::Html;

use super::endpoint::{ALL, Endpoint};
use super::error::HttpError;
use super::params::Query;
use crate::escape::markup;

/// What the index itself takes: nothing.
static INDEX: Endpoint = Endpoint {
    path: "/",
    summary: "This page.",
    parameters: &[],
    examples: &[],
};

pub(super) async fn page(
    OriginalUri(uri): OriginalUri,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, HttpError> {
    Query::parse(query.as_deref()).only_known(&INDEX, false)?;
    Ok(Html(render(&base(uri.path()))))
}

/// What a link must begin with to mean "below this page".
///
/// A browser resolves a link against everything up to the last `/` of the address. Behind `/debug/profile` that is
/// `/debug/`, so the last segment must be repeated; behind `/debug/profile/` it must not. The `./` keeps a segment with a
/// colon from being taken for a scheme.
fn base(path: &str) -> String {
    match path.rsplit('/').next() {
        None | Some("") => ".".to_owned(),
        Some(last) => format!("./{last}"),
    }
}

fn render(base: &str) -> String {
    let mut out = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>taskprof</title>\n\
         <style>body{font:16px/1.5 sans-serif;margin:2em;max-width:60em}dt{margin-top:1em}code{font-size:14px}</style>\n\
         </head>\n<body>\n<h1>Profiles of this process</h1>\n<dl>\n",
    );
    for endpoint in ALL {
        // Writing to a String cannot fail.
        let _ = write_endpoint(&mut out, base, endpoint);
    }
    out.push_str("</dl>\n</body>\n</html>\n");
    out
}

fn write_endpoint(out: &mut String, base: &str, endpoint: &Endpoint) -> std::fmt::Result {
    let href = markup(&format!("{base}{}", endpoint.path));
    let name = markup(endpoint.path.trim_start_matches('/'));
    writeln!(out, "<dt><a href=\"{href}\">{name}</a></dt>")?;
    writeln!(out, "<dd>{}", markup(endpoint.summary))?;
    if !endpoint.parameters.is_empty() {
        writeln!(out, "<ul>")?;
        for parameter in endpoint.parameters {
            writeln!(
                out,
                "<li><code>{}</code>: {}</li>",
                markup(parameter.name),
                markup(parameter.summary)
            )?;
        }
        writeln!(out, "</ul>")?;
    }
    for (what, query) in endpoint.examples {
        writeln!(
            out,
            "<a href=\"{href}?{}\">{}</a>",
            markup(query),
            markup(what)
        )?;
    }
    writeln!(out, "</dd>")
}
