//! The writers, fed with profiles made by hand.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests; the exemption in clippy.toml covers only test functions"
)]

mod arbitrary;
mod decode;
mod difference;
mod folded;
mod format;
#[path = "../../../taskprof/tests/common/go.rs"]
mod go;
mod hostile;
mod json;
mod metrics;
mod pprof;
mod profile;
mod roundtrip;
mod schema;
mod speedscope;
mod svg;
mod text;
mod wire;
#[path = "../../../taskprof/tests/common/xml.rs"]
mod xml;

use taskprof_format::profile::{Frame, Profile, Sample, SampleType};

/// A profile of one column from stacks of names, root first.
fn named(stacks: &[(&[&str], i64)]) -> Profile {
    let mut profile = Profile::new([SampleType::new("samples", "count")]);
    for (stack, value) in stacks {
        profile.samples.push(Sample {
            stack: stack.iter().rev().map(|name| Frame::named(*name)).collect(),
            values: vec![*value],
            labels: vec![],
        });
    }
    profile
}
