//! One profile from two: the difference and the sum.
//!
//! The identity of a sample is its stack and its labels in any order; a [`Frame`](super::Frame)
//! equals another by its address, or by name, file and line. Not here: scaling (pictures that
//! normalise do it themselves).

use std::time::{Duration, SystemTime};

use super::{Profile, SampleType};
use crate::error::Error;

impl Profile {
    /// Subtracts `base`, an earlier capture of the same kind, sample by sample.
    ///
    /// For two snapshots of something that only grows, such as time spent waiting, the result is
    /// what happened between them; for two captures of equal length it is what changed. A sample
    /// that shrank has a negative value, one that did not change is left out. Differences saturate
    /// at the ends of `i64`.
    ///
    /// `time` and `duration` span the window between the ends of both captures (a base that ended
    /// later gives the duration zero). The comments of the base follow those of this profile,
    /// marked as such.
    ///
    /// # Errors
    ///
    /// [`is_invalid_argument`](Error::is_invalid_argument) if the two measure different things:
    /// their sample types or period types are not the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use taskprof_format::profile::{Frame, Profile, Sample, SampleType};
    ///
    /// let tasks = |n| {
    ///     let mut profile = Profile::new([SampleType::new("tasks", "count")]);
    ///     profile.samples = vec![Sample { stack: vec![Frame::named("recv")], values: vec![n], labels: vec![] }];
    ///     profile
    /// };
    /// assert_eq!(tasks(5).difference(&tasks(3))?.total(0), 2);
    /// assert_eq!(tasks(3).difference(&tasks(5))?.total(0), -2);
    /// assert!(tasks(3).difference(&tasks(3))?.samples.is_empty());
    /// # Ok::<(), taskprof_format::Error>(())
    /// ```
    pub fn difference(&self, base: &Profile) -> Result<Profile, Error> {
        let mut out = self.combined(base, i64::saturating_neg)?;
        let of_base = base.comments.iter().map(|c| format!("in the base: {c}"));
        out.comments.extend(of_base);
        out.samples
            .retain(|sample| sample.values.iter().any(|value| *value != 0));
        let (end, base_end) = (end(self), end(base));
        out.is_difference = true;
        out.time = base_end.min(end);
        out.duration = end.duration_since(base_end).unwrap_or(Duration::ZERO);
        Ok(out)
    }

    /// Both profiles in one: the values of samples with the same stack and the same labels are
    /// added up.
    ///
    /// `time` is the earlier one, `duration` the sum of both, as if one capture had taken a break.
    /// Sums saturate at the ends of `i64`.
    ///
    /// # Errors
    ///
    /// [`is_invalid_argument`](Error::is_invalid_argument) if the two measure different things:
    /// their sample types or period types are not the same.
    pub fn merge(&self, other: &Profile) -> Result<Profile, Error> {
        let mut out = self.combined(other, |value| value)?;
        for comment in &other.comments {
            if !out.comments.contains(comment) {
                out.comments.push(comment.clone());
            }
        }
        out.is_difference |= other.is_difference;
        out.time = self.time.min(other.time);
        out.duration = self.duration.saturating_add(other.duration);
        Ok(out)
    }

    /// Refuses a profile that measures something else.
    pub(crate) fn same_kind(&self, other: &Profile) -> Result<(), Error> {
        if self.sample_types != other.sample_types {
            return Err(Error::invalid_argument(format!(
                "profiles of different sample types cannot be combined: one has {}, the other {}",
                list(&self.sample_types),
                list(&other.sample_types)
            )));
        }
        if self.period_type != other.period_type {
            return Err(Error::invalid_argument(format!(
                "profiles of different period types cannot be combined: one has {}, the other {}",
                list(self.period_type.as_slice()),
                list(other.period_type.as_slice())
            )));
        }
        Ok(())
    }

    fn combined(&self, other: &Profile, each: fn(i64) -> i64) -> Result<Profile, Error> {
        self.same_kind(other)?;
        let mut out = self.clone();
        // The coarser of both: the samples are no closer together than that.
        out.period = self.period.max(other.period);
        out.samples
            .extend(other.samples.iter().cloned().map(|mut sample| {
                for value in &mut sample.values {
                    *value = each(*value);
                }
                sample
            }));
        out.aggregate();
        Ok(out)
    }
}

fn end(profile: &Profile) -> SystemTime {
    profile
        .time
        .checked_add(profile.duration)
        .unwrap_or(profile.time)
}

fn list(types: &[SampleType]) -> String {
    if types.is_empty() {
        return "none".to_owned();
    }
    let types: Vec<String> = types
        .iter()
        .map(|t| format!("{}/{}", t.kind, t.unit))
        .collect();
    types.join(", ")
}
