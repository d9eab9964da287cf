//! Two profiles side by side: the value of every stack in the base and in the profile, for pictures
//! and folded text.
//!
//! Not here: the difference as a profile (`profile/combine.rs`), drawing (`flamegraph.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::stacks::fold;
use crate::error::Error;
use crate::profile::Profile;
use crate::resolve::Resolver;

/// Escaped frame names, root first, with the value in the base and in the profile. No stack that is
/// zero in both.
pub(super) type Pairs = BTreeMap<Vec<Arc<str>>, (i64, i64)>;

/// The stacks of both; `normalised` scales the base to the total of the profile.
pub(super) fn pairs(
    profile: &Profile,
    base: &Profile,
    column: usize,
    normalised: bool,
    resolver: &mut Resolver,
) -> Result<Pairs, Error> {
    profile.same_kind(base)?;
    super::check(base)?;
    let mut pairs: Pairs = fold(profile, column, resolver)
        .into_iter()
        .map(|(stack, value)| (stack, (0, value)))
        .collect();
    for (stack, value) in fold(base, column, resolver) {
        pairs.entry(stack).or_default().0 = value;
    }
    if normalised {
        let (before, after) = totals(&pairs);
        // Nothing to scale to, or from: then the values themselves say it.
        if before > 0 && after > 0 {
            for (base, _) in pairs.values_mut() {
                *base = scaled(*base, after, before);
            }
        }
        pairs.retain(|_, pair| *pair != (0, 0));
    }
    Ok(pairs)
}

/// The sums of all stacks, in the base and in the profile.
pub(super) fn totals(pairs: &Pairs) -> (i128, i128) {
    pairs
        .values()
        .fold((0, 0), |(before, after), &(base, value)| {
            (before + i128::from(base), after + i128::from(value))
        })
}

/// `value * to / from`, rounded to the nearest; saturates.
fn scaled(value: i64, to: i128, from: i128) -> i64 {
    // A total is at most 2^63 times the number of stacks, so the product may not fit. Then 53 bits
    // of it have to do.
    let scaled = match i128::from(value).checked_mul(to) {
        Some(product) => (product + product.signum() * from / 2) / from,
        None => (value as f64 * (to as f64 / from as f64)) as i128,
    };
    i64::try_from(scaled).unwrap_or(if scaled < 0 { i64::MIN } else { i64::MAX })
}
