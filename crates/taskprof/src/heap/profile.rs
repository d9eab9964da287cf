//! The sums as a profile, with the columns that Go's heap profiles have.

use std::collections::HashMap;
use std::time::SystemTime;

use callstack::Completeness;
use callstack::heap::{self, Dropped, StackId, Weight};

use super::table::{self, Owner};
use super::{FORKED, NOT_INSTALLED, NOT_SUPPORTED, collector};
use crate::cpu::TRUNCATED;
use crate::error::Error;
use crate::profile::{Frame, Label, Profile, Sample, SampleType};
use crate::tasks::tag;

/// Go's columns, by exact name.
pub(crate) const COLUMNS: &[(&str, &str)] = &[
    ("alloc_objects", "count"),
    ("alloc_space", "bytes"),
    ("inuse_objects", "count"),
    ("inuse_space", "bytes"),
];

/// The frame in place of a stack that could not be taken.
const NO_STACK: &str = "(no stack: see the comments)";

/// Checks that there are samples.
pub(crate) fn ready() -> Result<(), Error> {
    if !heap::is_supported() {
        return Err(Error::unavailable(NOT_SUPPORTED));
    }
    if !heap::is_installed() {
        return Err(Error::unavailable(NOT_INSTALLED));
    }
    if collector::is_forked() {
        return Err(Error::unavailable(FORKED));
    }
    Ok(())
}

/// The profile since the program began, with this column first.
///
/// Labels: `route`, `task` and `site` of the task that allocated.
pub(crate) fn captured(first: &'static str) -> Result<Profile, Error> {
    ready()?;
    collector::start();
    heap::prepare();
    let mut table = table::up_to_date();
    let (rows, without_row) = (table.rows(), table.without_row());
    drop(table);
    let rate = heap::rate();
    let types = COLUMNS
        .iter()
        .map(|(kind, unit)| SampleType::new(*kind, *unit));
    let mut profile = Profile::new(types);
    profile.default_sample_type = Some(first.into());
    profile.period_type = Some(SampleType::new("space", "bytes"));
    profile.period = i64::try_from(rate).unwrap_or(i64::MAX);
    profile.time = SystemTime::now();
    let mut stacks: HashMap<StackId, Vec<Frame>> = HashMap::new();
    profile.samples = rows
        .into_iter()
        .map(|((stack, owner), sums)| Sample {
            stack: stacks.entry(stack).or_insert_with(|| frames(stack)).clone(),
            values: sums.into_iter().flat_map(values).collect(),
            labels: labels(&owner),
        })
        .collect();
    // Without the allocator's own frames some are the same.
    profile.aggregate();
    profile.comments = comments(rate, heap::dropped(), without_row);
    Ok(profile)
}

fn frames(stack: StackId) -> Vec<Frame> {
    let taken = heap::frames(stack);
    let mut frames: Vec<Frame> = taken.addresses.into_iter().map(Frame::Address).collect();
    if frames.is_empty() {
        frames.push(Frame::named(NO_STACK));
    } else if taken.completeness == Completeness::Truncated {
        frames.push(Frame::named(TRUNCATED));
    }
    frames
}

fn values(weight: Weight) -> [i64; 2] {
    let bytes = i64::try_from(weight.bytes()).unwrap_or(i64::MAX);
    [weight.count().round() as i64, bytes]
}

fn labels(owner: &Owner) -> Vec<Label> {
    let mut labels = Vec::new();
    if let Some(route) = &owner.route {
        labels.push(Label::str("route", tag(route)));
    }
    if let Some(site) = owner.site {
        labels.push(Label::str("site", tag(&site.to_string())));
    }
    if let Some(task) = &owner.task {
        labels.push(Label::str("task", tag(task)));
    }
    labels
}

/// Sentences about how the numbers were estimated, and about samples that are missing.
fn comments(rate: usize, lost: Dropped, without_row: u64) -> Vec<String> {
    let mut comments = vec![match rate {
        0 => "sampling of allocations is off now; what was sampled before is here".to_owned(),
        rate => format!(
            "estimated from one sample in {rate} bytes on average; what the samples stand for, not what they are"
        ),
    }];
    let mut say = |count: u64, what: &str| {
        if count > 0 {
            comments.push(format!("{count} samples {what}"));
        }
    };
    say(lost.no_tables, "were not taken: no memory for the tables");
    say(
        lost.no_place,
        "are missing among what is in use: the table of live samples had no place",
    );
    say(
        lost.no_stack,
        "have no stack: too little of the thread's stack was left to walk it, it was a stack of the program's own making, or all \
         unwinders were busy",
    );
    say(
        lost.no_room_for_stack,
        "have no stack: the table of stacks was full",
    );
    say(
        lost.no_label,
        "have no labels: the queue was full before they were added up",
    );
    say(
        without_row,
        "have no labels: the table of stacks and owners was full",
    );
    comments
}
