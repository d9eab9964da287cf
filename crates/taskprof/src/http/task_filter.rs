//! The task filter in a URL: read for the formats for tools and for the pages for people, and
//! written into links.
//!
//! Not here: what a filter keeps (`tasks/filter.rs`), how tasks are shown (`native.rs`,
//! `page/tasks/`).

use std::time::Duration;

use taskscope::text::{MAX_NAME, bounded};
use taskscope::{DumpOptions, Stacks};

use super::error::HttpError;
use super::parameters::{
    LIMIT, MIN_AGE, NAME, Parameter, Q, SCOPE, SITE, STACKS, SUSPECTS, VERDICT, WAIT,
};
use super::query::Query;
use crate::tasks::TaskFilter;

const STACK_CHOICES: [(&str, Stacks); 3] = [
    ("fresh", Stacks::Fresh),
    ("cached", Stacks::Cached),
    ("none", Stacks::None),
];

/// Characters of a text in a filter: a page repeats all of it in every link.
const MAX_TEXT: usize = 2048;

/// A runtime that has answered nothing for this long is given up: whoever asks while every worker
/// is blocked gets an answer within a tenth of a second. On an overloaded machine that can miss
/// stacks, which are counted.
const STALL: Duration = Duration::from_millis(60);

/// Options for all tasks that give up soon.
pub(super) fn prompt() -> DumpOptions {
    DumpOptions::new().stall(STALL)
}

/// Reads the filter of a query. Parameters that the page does not have are refused elsewhere
/// ([`Query::only_known`]), so they are absent here.
///
/// # Errors
///
/// For a value that is not understood, and for `limit` together with a condition that a dump cannot
/// decide: the oldest tasks would be chosen before it.
pub(super) fn parse(query: &Query) -> Result<TaskFilter, HttpError> {
    let text = |parameter: &Parameter| {
        let text = query.text(parameter)?;
        if text.is_some_and(|text| text.chars().nth(MAX_TEXT).is_some()) {
            return Err(HttpError::bad_request(format!(
                "parameter {} is longer than {MAX_TEXT} characters; give it shorter",
                parameter.name
            )));
        }
        Ok(text.map(str::to_owned))
    };
    // Names were cut when they were made.
    let name = |parameter: &Parameter| {
        let name = query.text(parameter)?;
        Ok::<_, HttpError>(name.map(|name| bounded(name, MAX_NAME).into_owned()))
    };
    let limit = query.number(&LIMIT)?;
    let filter = TaskFilter {
        text: text(&Q)?.map(|text| text.to_lowercase()),
        verdict: query.verdict(&VERDICT)?,
        wait: text(&WAIT)?,
        scope: name(&SCOPE)?,
        site: text(&SITE)?,
        name: name(&NAME)?,
        suspects: query.number(&SUSPECTS)? == Some(1),
        min_age: Duration::from_secs(query.number(&MIN_AGE)?.unwrap_or(0)),
        limit: limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        stacks: query.choice(&STACKS, STACK_CHOICES)?.unwrap_or_default(),
    };
    if filter.limit.is_some() && filter.needs_tasks() {
        return Err(HttpError::bad_request(
            "parameter limit excludes q, wait, site and suspects; the oldest tasks would be chosen before them",
        ));
    }
    Ok(filter)
}

/// Appends the filter to a query, so that [`parse`] reads it again.
pub(super) fn append(filter: &TaskFilter, query: &mut form_urlencoded::Serializer<'_, String>) {
    let verdict = filter.verdict.map(|verdict| verdict.slug().to_owned());
    for (parameter, value) in [
        (&Q, &filter.text),
        (&VERDICT, &verdict),
        (&WAIT, &filter.wait),
        (&SCOPE, &filter.scope),
        (&SITE, &filter.site),
        (&NAME, &filter.name),
    ] {
        if let Some(value) = value {
            query.append_pair(parameter.name, value);
        }
    }
    if filter.suspects {
        query.append_pair(SUSPECTS.name, "1");
    }
    if !filter.min_age.is_zero() {
        query.append_pair(MIN_AGE.name, &filter.min_age.as_secs().to_string());
    }
    if let Some(limit) = filter.limit {
        query.append_pair(LIMIT.name, &limit.to_string());
    }
    if filter.stacks != Stacks::default() {
        let word = STACK_CHOICES
            .iter()
            .find(|(_, stacks)| *stacks == filter.stacks);
        query.append_pair(STACKS.name, word.map_or("fresh", |(word, _)| word));
    }
}
