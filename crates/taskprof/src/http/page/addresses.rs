//! Every address of the router with its parameters: what tools and people at a terminal ask for.
//!
//! Made from the tables of sources, formats and Go's names. Not here: the descriptions themselves (`endpoint.rs`).

use axum::http::request::Parts;
use axum::response::Response;
use maud::{Markup, html};

use super::answer;
use super::layout::{Page, Tab};
use super::links::Links;
use crate::http::error::HttpError;
use crate::http::go;
use crate::http::parameters::Endpoint;
use crate::http::query::Query;
use crate::source::{self, Source};

pub(super) async fn page(parts: Parts) -> Result<Response, HttpError> {
    Query::parse(parts.uri.query()).only_known(&Endpoint::BARE, false)?;
    let links = Links::new(&parts, 2);
    let content = html! {
        dl {
            @for source in source::ALL { (one(&links, source)) }
            @if cfg!(feature = "metrics") {
                dt { "metrics" }
                dd {
                    "Figures for Prometheus and other scrapers: tasks by verdict and scope, waits by length, runtimes."
                    p.note {
                        a href=(links.to("metrics?format=openmetrics")) { "openmetrics" } " · "
                        a href=(links.to("metrics?format=prometheus")) { "prometheus" }
                    }
                }
            }
        }
        h2 { "Captures" }
        p { code { "captures/" var { "number" } } ": a capture that is over, again in any format. Its parameters:" }
        (parameters(&Endpoint::of_capture()))
        // For those who look for them; not in the words of Go's own page, which scanners look for.
        h2 { "For clients of Go" }
        p.note {
            "Tools that read a Go program find what they ask for under the names that they know: "
            @for (at, name) in go::NAMES.iter().enumerate() { @if at > 0 { ", " } code { (name.name) } }
            "."
        }
    };
    let page = Page {
        links: &links,
        tab: Tab::Addresses,
        title: "",
        every: None,
    };
    Ok(answer(page.html(&content)))
}

fn one(links: &Links, source: &Source) -> Markup {
    let to = |query: &str| links.to(&format!("{}{query}", source.name));
    let page = Endpoint::of(source);
    html! {
        dt { (source.name) }
        dd {
            (source.summary)
            @match source.available() {
                Err(why) => p.note { "Not here: " (why) "." },
                Ok(()) => {
                    p.note {
                        @if page.examples.is_empty() { a href=(to("")) { (source.name) } }
                        @for (at, (what, query)) in page.examples.iter().enumerate() {
                            @if at > 0 { " · " }
                            a href=(to(&format!("?{query}"))) { (what) }
                        }
                    }
                    (parameters(&page))
                }
            }
        }
    }
}

fn parameters(page: &Endpoint) -> Markup {
    html! {
        @if !page.parameters.is_empty() {
            ul { @for parameter in &page.parameters { li { code { (parameter.name) } ": " (parameter.summary) } } }
        }
    }
}
