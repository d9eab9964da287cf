//! The list of every address of the router, with its parameters, for tools and for people at a
//! terminal.
//!
//! Made from the tables of sources, formats and Go's names. Not here: the descriptions themselves
//! (`parameters.rs`).

use axum::http::request::Parts;
use axum::response::Response;
use maud::{Markup, html};

use super::answer;
use super::layout::{Page, Tab};
use super::links::Links;
use crate::http::error::HttpError;
use crate::http::go;
use crate::http::parameters::{Endpoint, PageKind};
use crate::http::query::Query;
use crate::source::{self, Source};

pub(super) async fn page(parts: Parts) -> Result<Response, HttpError> {
    Query::parse(parts.uri.query()).only_known(Endpoint::BARE, false)?;
    let links = Links::new(&parts, 2);
    let content = html! {
        dl {
            @for source in source::ALL { (one(&links, source)) }
            @if cfg!(feature = "metrics") {
                dt { "metrics" }
                dd {
                    "Metrics for Prometheus and other scrapers: tasks by verdict and scope, waits by length, runtimes."
                    p.note {
                        a href=(links.to("metrics?format=openmetrics")) { "openmetrics" } " · "
                        a href=(links.to("metrics?format=prometheus")) { "prometheus" }
                    }
                }
            }
        }
        h2 { "Captures" }
        p { code { "captures/" var { "number" } } ": a stored capture in any format. Its parameters:" }
        (parameters(Endpoint::page(PageKind::Capture)))
        // Not in the words of Go's own page, which scanners search for.
        h2 { "For clients of Go" }
        p.note {
            "Tools for Go programs find the profiles under the names that they expect: "
            @for (at, name) in go::NAMES.iter().enumerate() { @if at > 0 { ", " } code { (name.name) } }
            "."
        }
    };
    let page = Page {
        links: &links,
        tab: Tab::Addresses,
        title: "",
        refresh: None,
    };
    Ok(answer(page.html(&content)))
}

/// The entry of a source.
fn one(links: &Links, source: &'static Source) -> Markup {
    let to = |query: &str| links.to(&format!("{}{query}", source.name));
    let endpoint = Endpoint::of(source);
    let examples = endpoint.examples();
    html! {
        dt { (source.name) }
        dd {
            (source.summary)
            @match source.available() {
                Err(why) => p.note { "Not here: " (why) "." },
                Ok(()) => {
                    p.note {
                        @if examples.is_empty() { a href=(to("")) { (source.name) } }
                        @for (at, (what, query)) in examples.iter().enumerate() {
                            @if at > 0 { " · " }
                            a href=(to(&format!("?{query}"))) { (what) }
                        }
                    }
                    (parameters(endpoint))
                }
            }
        }
    }
}

fn parameters(endpoint: Endpoint) -> Markup {
    html! {
        @if endpoint.parameters().next().is_some() {
            ul { @for parameter in endpoint.parameters() { li { code { (parameter.name) } ": " (endpoint.help(parameter)) } } }
        }
    }
}
