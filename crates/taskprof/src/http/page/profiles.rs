//! The tab with the profiles: capture one, show it in place, download it in any format, compare
//! two.
//!
//! Not here: how a capture is started and followed (`capture.rs`), which captures are stored
//! (`http/capture_store.rs`).

use std::sync::Arc;

use axum::http::request::Parts;
use axum::response::Response;
use maud::{Markup, html};

use super::layout::{Page, Tab, sentence};
use super::links::Links;
use super::{PAGE, answer};
use crate::cpu::{DEFAULT_DURATION, MAX_DURATION};
use crate::http::admission::Admission;
use crate::http::capture_store::{MAX_STORED, StoredCapture};
use crate::http::error::HttpError;
use crate::http::native;
use crate::http::parameters::{Endpoint, OPEN, PageKind};
use crate::http::query::Query;
use crate::offload;
use crate::source::{self, Seconds, Source, What};
use crate::write::FORMATS;

/// Whether a source has a profile, and not only text.
pub(super) fn has_profile(source: &Source) -> bool {
    !matches!(source.what, What::Text(_) | What::Symbol)
}

/// The capture that is shown, and the one that it is compared with.
struct ShownCapture {
    capture: Arc<StoredCapture>,
    base: Option<Arc<StoredCapture>>,
}

pub(super) async fn page(admission: Arc<Admission>, parts: Parts) -> Result<Response, HttpError> {
    let query = Query::parse(parts.uri.query()).without_empty();
    query.only_known(Endpoint::page(PageKind::ProfilesPage), false)?;
    let base = native::base(&query, &admission)?;
    let shown = match query.number(&OPEN)? {
        Some(id) => {
            let capture = admission.captures.get(id).ok_or_else(|| {
                HttpError::not_found(format!(
                    "capture {id} is not stored here, or no longer: at most {MAX_STORED} are stored"
                ))
            })?;
            Some(ShownCapture {
                capture,
                base: base.filter(|base| base.id != id),
            })
        }
        None => None,
    };
    let links = Links::new(&parts, 2);
    let html = offload::work(PAGE, move |_| {
        html(&links, shown.as_ref(), &admission.captures.list())
    })
    .await?;
    Ok(answer(html))
}

fn html(links: &Links, shown: Option<&ShownCapture>, captures: &[Arc<StoredCapture>]) -> String {
    let content = html! {
        @if let Some(shown) = shown { (shown_capture(links, shown)) }
        (capture_form(links))
        (stored(links, shown, captures))
    };
    let page = Page {
        links,
        tab: Tab::Profiles,
        title: "",
        refresh: None,
    };
    page.html(&content)
}

/// The form that starts a capture, and the place where the script shows its progress.
fn capture_form(links: &Links) -> Markup {
    let most = MAX_DURATION.as_secs();
    html! {
        section aria-labelledby="capture-head" {
            h2 #capture-head { "Capture a profile" }
            form #capture method="get" action=(links.to("page/capture")) {
                label { span { "Of" }
                    select name="source" aria-describedby="capture-note" {
                        @for source in source::ALL.iter().filter(|source| has_profile(source)) {
                            option value=(source.name) data-instant[source.seconds == Seconds::Instantaneous] disabled[source.available().is_err()] selected[source.seconds == Seconds::Timed] { (source.name) }
                        }
                    }
                }
                label { span { "Seconds" }
                    input type="number" name="seconds" value="5" min="1" max=(most) inputmode="numeric" aria-describedby="capture-note";
                }
                label.check { input type="checkbox" name="runtime" value="full"; span { "every frame of the runtime (CPU)" } }
                span.buttons { button { "Capture" } }
            }
            div #progress hidden {
                label { span #progress-words { "Capturing" } progress max="1" value="0" {} }
                " " button type="button" { "Cancel" }
            }
            p #capture-error role="alert" {}
            details {
                summary { "Profiles to choose from" }
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
            p.note #capture-note {
                "Without seconds, a profile shows this moment, or everything so far where it adds up; the CPU is sampled for " (DEFAULT_DURATION.as_secs()) " s. At most " (most)
                " s. Leaving the page ends the capture."
            }
        }
    }
}

/// A capture as a flame graph, with links to its other formats.
fn shown_capture(links: &Links, shown: &ShownCapture) -> Markup {
    let ShownCapture { capture, base } = shown;
    let against = base
        .as_ref()
        .map(|base| format!("&base={}", base.id))
        .unwrap_or_default();
    let to = |format: &str| links.to(&format!("captures/{}?format={format}{against}", capture.id));
    let mut title = format!("{}, capture {}", capture.source.name, capture.id);
    if let Some(base) = base {
        title.push_str(&format!(" against {}", base.id));
    }
    let comparable = base
        .as_ref()
        .is_none_or(|base| base.profile.sample_types == capture.profile.sample_types);
    html! {
        section aria-labelledby="open-head" {
            h2 #open-head { (title) }
            @if !comparable {
                p.bad role="alert" { "These two cannot be compared, because their columns differ. Choose two captures of the same source." }
            } @else if capture.profile.samples.is_empty() && base.is_none() {
                @if capture.profile.is_difference {
                    p { "Nothing changed in that time. Leave the seconds empty to see one moment." }
                } @else {
                    p { "The profile has no samples." }
                }
            } @else {
                @if base.is_some() { p { "Red: more than in capture " (base.as_ref().map_or(0, |base| base.id)) ". Blue: less." } }
                iframe #graph title={ "Flame graph: " (title) } src=(to("svg")) {}
                p.note { "Click a frame to zoom; Ctrl+F, or Search at the top right of the graph, finds functions. " a href=(to("svg")) { "The graph alone" } " · " a href=(to("icicle")) { "Upside down" } }
            }
            @if comparable { p.downloads { "Download as " (formats(&to, base.is_some() || capture.profile.is_difference)) } }
            @for comment in &capture.profile.comments { p.note { (sentence(comment)) } }
        }
    }
}

/// Links to the formats that can show a profile. `is_difference`: it may have negative values.
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

/// The stored captures, with the choice of two to compare.
fn stored(links: &Links, shown: Option<&ShownCapture>, captures: &[Arc<StoredCapture>]) -> Markup {
    let is_shown =
        |capture: &StoredCapture| shown.is_some_and(|shown| shown.capture.id == capture.id);
    let is_base = |capture: &StoredCapture| {
        shown
            .and_then(|shown| shown.base.as_ref())
            .is_some_and(|base| base.id == capture.id)
    };
    html! {
        section aria-labelledby="captures-head" {
            h2 #captures-head { "Captures" }
            @if captures.is_empty() { p { "None yet." } }
            @else {
                form #compare method="get" action=(links.to("page/profiles")) {
                    div.wide {
                        table #captures {
                            caption.hidden { "Stored captures, the newest first" }
                            thead { tr {
                                th.n scope="col" { "number" } th scope="col" { "of" } th scope="col" { "ended" } th.n scope="col" { "seconds" }
                                th scope="col" { "show" } th scope="col" { "against" } th scope="col" { "download as" }
                            } }
                            tbody {
                                @for capture in captures {
                                    tr data-capture=(capture.id) {
                                        td.n { (capture.id) }
                                        th scope="row" { a href=(links.to(&format!("page/profiles?open={}", capture.id))) { (capture.source.name) } }
                                        td { (httpdate::fmt_http_date(capture.finished)) }
                                        td.n { (format!("{:.1}", capture.profile.duration.as_secs_f64())) }
                                        td { input type="radio" name="open" value=(capture.id) checked[is_shown(capture)] required aria-label={ "Show capture " (capture.id) }; }
                                        td { input type="radio" name="base" value=(capture.id) checked[is_base(capture)] aria-label={ "Compare with capture " (capture.id) }; }
                                        td { (formats(&|format| links.to(&format!("captures/{}?format={format}", capture.id)), capture.profile.is_difference)) }
                                    }
                                }
                            }
                        }
                    }
                    p { button { "Compare" } }
                }
                p.note { "The newest " (MAX_STORED) " are stored. To compare two of the same source, choose the later one under show and the earlier one under against." }
            }
        }
    }
}
