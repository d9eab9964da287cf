//! A profile in speedscope's own file format: one of its profiles per column.
//!
//! Source: `file-format-schema.json` of the npm package speedscope 1.25. The schema knows no
//! labels, no comments and no negative weights (its importer throws). Not here: names of frames
//! (`resolve.rs`).

use std::collections::HashMap;
use std::sync::Arc;

use crate::text::OneLine;
use crate::text::{MAX_NAME, bounded, plain};
use serde::Serialize;

use super::stacks::{NO_NAME, NO_STACK};
use super::{Format, RenderOptions, column};
use crate::error::Error;
use crate::profile::{Profile, SampleType};
use crate::resolve::{Line, Resolver};

pub(super) static FORMAT: Format = Format {
    name: "speedscope",
    content_type: "application/json",
    extension: "speedscope.json",
    inline: false,
    negative: false,
    summary: "for speedscope: drop the file on its page; not of differences",
    write: |profile, options| speedscope(profile, options).map(String::into_bytes),
};

/// Writes a profile for [speedscope](https://www.speedscope.app): every column is a profile of its
/// own to switch to, the one of the options is shown first.
///
/// A function is one frame wherever in it the samples were; a line is only given if it is the same
/// everywhere.
///
/// # Errors
///
/// [`is_invalid_argument`](Error::is_invalid_argument) if the profile has no such sample type, or
/// another kind than its base; [`is_write`](Error::is_write) if it contradicts itself.
///
/// # Limitations
///
/// The format has no place for labels, and speedscope cannot show samples with a negative value:
/// they are left out, and the name of the profile says how many. speedscope's numbers are exact up
/// to 2^53.
pub fn speedscope(profile: &Profile, options: &RenderOptions) -> Result<String, Error> {
    let active = column(profile, options.sample_type.as_deref())?;
    let shown = options.applied(profile)?;
    let mut frames = Frames::new();
    let stacks: Vec<Vec<usize>> = shown
        .samples
        .iter()
        .map(|sample| frames.stack(&sample.stack))
        .collect();
    let profiles = shown
        .sample_types
        .iter()
        .enumerate()
        .map(|(column, sample_type)| sampled(&shown, column, sample_type, &stacks))
        .collect();
    let out = File {
        schema: "https://www.speedscope.app/file-format-schema.json",
        exporter: concat!("taskprof ", env!("CARGO_PKG_VERSION")),
        name: OneLine(bounded(
            options.title.as_deref().unwrap_or("Profile"),
            MAX_NAME,
        ))
        .to_string(),
        active_profile_index: active,
        profiles,
        shared: Shared { frames: frames.out },
    };
    serde_json::to_string(&out)
        .map_err(|e| Error::write("the profile could not be written for speedscope").caused_by(e))
}

fn sampled<'a>(
    profile: &Profile,
    column: usize,
    sample_type: &SampleType,
    stacks: &'a [Vec<usize>],
) -> Sampled<'a> {
    let mut samples = Vec::new();
    let mut weights = Vec::new();
    let mut negative = 0_usize;
    for (sample, stack) in profile.samples.iter().zip(stacks) {
        match sample.values[column] {
            0 => {}
            weight if weight < 0 => negative += 1,
            weight => {
                samples.push(stack.as_slice());
                weights.push(weight);
            }
        }
    }
    let (unit, mut name) = match &*sample_type.unit {
        unit @ ("bytes" | "nanoseconds" | "microseconds" | "milliseconds" | "seconds") => {
            (unit.to_owned(), plain(&sample_type.kind).into_owned())
        }
        "count" => ("none".to_owned(), plain(&sample_type.kind).into_owned()),
        other => (
            "none".to_owned(),
            format!("{} ({})", plain(&sample_type.kind), plain(other)),
        ),
    };
    if negative > 0 {
        name.push_str(&format!(
            " ({negative} samples with a negative value left out)"
        ));
    }
    Sampled {
        kind: "sampled",
        name,
        unit,
        start_value: 0,
        end_value: weights.iter().copied().fold(0, i64::saturating_add),
        samples,
        weights,
    }
}

/// Assigns an index to each function.
struct Frames {
    resolver: Resolver,
    index: HashMap<(Arc<str>, Option<Arc<str>>), usize>,
    out: Vec<Frame>,
}

impl Frames {
    fn new() -> Self {
        Frames {
            resolver: Resolver::new(),
            index: HashMap::new(),
            out: Vec::new(),
        }
    }

    /// Root first, as the format has it.
    fn stack(&mut self, stack: &[crate::profile::Frame]) -> Vec<usize> {
        let mut out = Vec::with_capacity(stack.len());
        for frame in stack.iter().rev() {
            let lines = self.resolver.lines(frame);
            out.extend(lines.iter().rev().map(|line| self.frame(line)));
        }
        if out.is_empty() {
            out.push(self.frame(&Line {
                name: NO_STACK.into(),
                file: None,
                line: None,
            }));
        }
        out
    }

    fn frame(&mut self, line: &Line) -> usize {
        let key = (Arc::clone(&line.name), line.file.clone());
        if let Some(&at) = self.index.get(&key) {
            if self.out[at].line != line.line {
                self.out[at].line = None;
            }
            return at;
        }
        let at = self.out.len();
        self.out.push(Frame {
            name: match &*line.name {
                "" => NO_NAME.to_owned(),
                name => plain(name).into_owned(),
            },
            file: line.file.as_deref().map(|file| plain(file).into_owned()),
            line: line.line,
        });
        self.index.insert(key, at);
        at
    }
}

#[derive(Serialize)]
struct File<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    exporter: &'static str,
    name: String,
    #[serde(rename = "activeProfileIndex")]
    active_profile_index: usize,
    profiles: Vec<Sampled<'a>>,
    shared: Shared,
}

#[derive(Serialize)]
struct Shared {
    frames: Vec<Frame>,
}

#[derive(Serialize)]
struct Frame {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

#[derive(Serialize)]
struct Sampled<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    unit: String,
    #[serde(rename = "startValue")]
    start_value: i64,
    #[serde(rename = "endValue")]
    end_value: i64,
    samples: Vec<&'a [usize]>,
    weights: Vec<i64>,
}
