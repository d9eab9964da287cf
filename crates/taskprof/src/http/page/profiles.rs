//! The tab with the profiles: take one, open it in place, keep it in any format, compare two.
//!
//! Not here: how one is taken (`take.rs`), what is kept (`kept.rs`).

use std::sync::Arc;

use axum::http::request::Parts;
use axum::response::Response;
use maud::{Markup, html};

use super::layout::{Page, Tab};
use super::links::Links;
use super::{PAGE, answer};
use crate::cpu::{DEFAULT_DURATION, MAX_DURATION};
use crate::http::admission::Admission;
use crate::http::capture_store::{MAX_STORED, StoredCapture};
use crate::http::error::HttpError;
use crate::http::native;
use crate::http::parameters::Endpoint;
use crate::http::query::Query;
use crate::offload;
use crate::source::{self, Seconds, Source, What};
use crate::write::FORMATS;

const PARAMETERS: [(&str, &str); 2] = [
    ("open", "the number of a capture, shown as a flame graph"),
    ("base", "the number of a capture that it is compared with"),
];

/// Whether a source has a profile, and not just text.
pub(super) fn has_profile(source: &Source) -> bool {
    !matches!(source.what, What::Text(_) | What::Symbol)
}

/// A capture in place, and what it is compared with.
struct Open {
    kept: Arc<StoredCapture>,
    base: Option<Arc<StoredCapture>>,
}

pub(super) async fn page(admission: Arc<Admission>, parts: Parts) -> Result<Response, HttpError> {
    let query = Query::parse(parts.uri.query()).without_empty();
    query.only_known(&Endpoint::taking(&PARAMETERS), false)?;
    let base = native::base(&query, &admission)?;
    let open = match query.has("open") {
        true => {
            let id = query.integer("open", 0, 1..=u64::MAX)?;
            let kept = admission.captures.get(id).ok_or_else(|| {
                HttpError::not_found(format!("capture {id} is not kept here, or not any more: {MAX_STORED} are kept at the most"))
            })?;
            Some(Open {
                kept,
                base: base.filter(|base| base.id != id),
            })
        }
        false => None,
    };
    let links = Links::new(&parts, 2);
    let html = offload::work(PAGE, move |_| {
        html(&links, open.as_ref(), &admission.captures.list())
    })
    .await?;
    Ok(answer(html))
}

fn html(links: &Links, open: Option<&Open>, captures: &[Arc<StoredCapture>]) -> String {
    let content = html! {
        @if let Some(open) = open { (in_place(links, open)) }
        (take(links))
        (kept(links, open, captures))
    };
    let page = Page {
        links,
        tab: Tab::Profiles,
        title: "",
        every: None,
    };
    page.html(&content)
}

/// The form, and the place where its progress is shown.
fn take(links: &Links) -> Markup {
    let most = MAX_DURATION.as_secs();
    html! {
        section aria-labelledby="take-head" {
            h2 #take-head { "Take a profile" }
            form #take method="get" action=(links.to("page/take")) {
                label { span { "Of" }
                    select name="source" aria-describedby="take-note" {
                        @for source in source::ALL.iter().filter(|source| has_profile(source)) {
                            option value=(source.name) data-instant[source.seconds == Seconds::Instantaneous] disabled[source.available().is_err()] selected[source.seconds == Seconds::Timed] { (source.name) }
                        }
                    }
                }
                label { span { "For so many seconds" }
                    input type="number" name="seconds" value="5" min="1" max=(most) inputmode="numeric" aria-describedby="take-note";
                }
                span.buttons { button { "Take it" } }
            }
            div #progress hidden {
                label { span #progress-words { "Taking it" } progress max="1" value="0" {} }
                " " button type="button" { "Cancel" }
            }
            p #take-error role="alert" {}
            details {
                summary { "What there is to take" }
                dl {
                    @for source in source::ALL.iter().filter(|source| has_profile(source)) {
                        dt { code { (source.name) } }
                        dd {
                            (source.summary)
                            @if let Err(why) = source.available() { " Not here: " (why) "." }
                        }
                    }
                }
            }
            p.note #take-note {
                "Without seconds: this moment, or, of what is summed up, everything so far; of the CPU " (DEFAULT_DURATION.as_secs()) " s. At most " (most)
                " s. Leaving the page while it is taken ends it."
            }
        }
    }
}

/// A capture as a flame graph, and the ways to have it otherwise.
fn in_place(links: &Links, open: &Open) -> Markup {
    let Open { kept, base } = open;
    let against = base
        .as_ref()
        .map(|base| format!("&base={}", base.id))
        .unwrap_or_default();
    let to = |format: &str| links.to(&format!("captures/{}?format={format}{against}", kept.id));
    let mut title = format!("{}, capture {}", kept.source.name, kept.id);
    if let Some(base) = base {
        title.push_str(&format!(" against {}", base.id));
    }
    let comparable = base
        .as_ref()
        .is_none_or(|base| base.profile.sample_types == kept.profile.sample_types);
    html! {
        section aria-labelledby="open-head" {
            h2 #open-head { (title) }
            @if !comparable {
                p.bad role="alert" { "These two cannot be compared: their columns differ. Choose two captures of the same source." }
            } @else if kept.profile.samples.is_empty() && base.is_none() {
                @if kept.profile.is_difference {
                    p { "Nothing has changed in that time. For what is there at one moment, leave the seconds empty." }
                } @else {
                    p { "Nothing was seen: the profile has no samples." }
                }
            } @else {
                @if base.is_some() { p { "Red: more than in capture " (base.as_ref().map_or(0, |base| base.id)) ". Blue: less." } }
                iframe #graph title={ "Flame graph: " (title) } src=(to("svg")) {}
                p.note { "Click a frame to zoom, Ctrl+F or the word Search at its top right to find. " a href=(to("svg")) { "The graph alone" } " · " a href=(to("icicle")) { "Upside down" } }
            }
            @if comparable { p.downloads { "Keep it as " (formats(&to, base.is_some() || kept.profile.is_difference)) } }
            @for comment in &kept.profile.comments { p.note { (super::layout::sentence(comment)) } }
        }
    }
}

/// Those that can show it; `is_difference`: some of it may be negative.
fn formats(to: &dyn Fn(&str) -> String, is_difference: bool) -> Markup {
    let formats = FORMATS
        .iter()
        .filter(|format| format.negative || !is_difference);
    html! {
        @for (at, format) in formats.enumerate() {
            @if at > 0 { " · " }
            a href=(to(format.name)) title=(format.summary) { (format.name) }
        }
    }
}

/// What is kept, and the choice of two.
fn kept(links: &Links, open: Option<&Open>, captures: &[Arc<StoredCapture>]) -> Markup {
    let is_open = |kept: &StoredCapture| open.is_some_and(|open| open.kept.id == kept.id);
    let is_base = |kept: &StoredCapture| {
        open.and_then(|open| open.base.as_ref())
            .is_some_and(|base| base.id == kept.id)
    };
    html! {
        section aria-labelledby="captures-head" {
            h2 #captures-head { "CaptureStore" }
            @if captures.is_empty() { p { "None yet." } }
            @else {
                form #compare method="get" action=(links.to("page/profiles")) {
                    div.wide {
                        table #captures {
                            caption.hidden { "CaptureStore that are kept, the newest first" }
                            thead { tr {
                                th.n scope="col" { "number" } th scope="col" { "of" } th scope="col" { "ended" } th.n scope="col" { "seconds" }
                                th scope="col" { "show" } th scope="col" { "against" } th scope="col" { "keep it as" }
                            } }
                            tbody {
                                @for kept in captures {
                                    tr data-capture=(kept.id) {
                                        td.n { (kept.id) }
                                        th scope="row" { a href=(links.to(&format!("page/profiles?open={}", kept.id))) { (kept.source.name) } }
                                        td { (httpdate::fmt_http_date(kept.finished)) }
                                        td.n { (format!("{:.1}", kept.profile.duration.as_secs_f64())) }
                                        td { input type="radio" name="open" value=(kept.id) checked[is_open(kept)] required aria-label={ "Show capture " (kept.id) }; }
                                        td { input type="radio" name="base" value=(kept.id) checked[is_base(kept)] aria-label={ "Compare with capture " (kept.id) }; }
                                        td { (formats(&|format| links.to(&format!("captures/{}?format={format}", kept.id)), kept.profile.is_difference)) }
                                    }
                                }
                            }
                        }
                    }
                    p { button { "Compare" } }
                }
                p.note { (MAX_STORED) " are kept at the most, the newest. To compare two of the same source: the later one under show, the earlier one under against." }
            }
        }
    }
}
