//! Charts of the first page: tasks by verdict over time as stacked areas, and the tasks of one
//! spawn site as a line.
//!
//! Shapes only, in the colours of the style sheet. Not here: numbers and words (`html.rs`), which
//! would be stretched.

use std::time::Duration;

use maud::{Markup, html};
use taskscope::census::Census;
use taskscope::{Verdict, growth::SiteGrowth};

/// Seconds that the chart covers.
pub(super) const SPAN: u64 = 600;
const HEIGHT: f64 = 120.0;
/// Points along the time axis; a screen does not show more.
const POINTS: usize = 120;

/// The chart of counts, oldest first, and the number of tasks at its top.
pub(super) fn chart(history: &[Census]) -> (Markup, usize) {
    let span = Duration::from_secs(SPAN);
    let inside: Vec<&Census> = history.iter().filter(|census| census.ago <= span).collect();
    let points = thinned(&inside);
    let top = inside
        .iter()
        .map(|census| census.tasks())
        .max()
        .unwrap_or(0);
    let scale = HEIGHT / top.max(1) as f64;
    let mut below = vec![0_usize; points.len()];
    let mut areas = Vec::new();
    for verdict in Verdict::ALL {
        if points.iter().all(|census| census.of(verdict) == 0) {
            continue;
        }
        let above: Vec<usize> = below
            .iter()
            .zip(&points)
            .map(|(below, census)| below + census.of(verdict))
            .collect();
        let point = |(census, count): (&&Census, &usize)| {
            let x = SPAN as f64 - census.ago.as_secs_f64();
            format!("{:.0},{:.1}", x.max(0.0), HEIGHT - *count as f64 * scale)
        };
        let mut outline: Vec<String> = points.iter().zip(&above).map(point).collect();
        outline.extend(points.iter().zip(&below).rev().map(point));
        areas.push((verdict, outline.join(" ")));
        below = above;
    }
    let picture = html! {
        svg viewBox={ "0 0 " (SPAN) " " (HEIGHT) } preserveAspectRatio="none" aria-hidden="true" {
            @for (verdict, outline) in &areas { polygon data-verdict=(verdict.slug()) points=(outline) {} }
        }
    };
    (picture, top)
}

/// Evenly spaced counts, with the last one always among them.
fn thinned<'a>(all: &[&'a Census]) -> Vec<&'a Census> {
    let step = all.len().div_ceil(POINTS).max(1);
    let mut points: Vec<&Census> = all.iter().rev().step_by(step).copied().collect();
    points.reverse();
    points
}

/// The number of tasks of a spawn site over time, as a small line.
pub(super) fn spark(growth: &SiteGrowth) -> Markup {
    let top = growth
        .samples
        .iter()
        .map(|(_, alive)| *alive)
        .max()
        .unwrap_or(0)
        .max(1);
    let width = growth.samples.len().saturating_sub(1).max(1);
    let points: Vec<String> = growth
        .samples
        .iter()
        .enumerate()
        .map(|(at, (_, alive))| {
            let x = at as f64 * 60.0 / width as f64;
            format!("{x:.0},{:.0}", 17.0 - *alive as f64 * 16.0 / top as f64)
        })
        .collect();
    html! {
        svg.spark viewBox="0 0 60 18" aria-hidden="true" { polyline points=(points.join(" ")) {} }
    }
}
