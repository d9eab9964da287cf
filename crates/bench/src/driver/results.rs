//! The results, as they are kept between measuring and reporting.

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::plan::{Allocator, Effort};
use crate::worker::{Case, Values};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) effort: Effort,
    pub(crate) machine: Machine,
    pub(crate) samples: Vec<Sample>,
}

/// All rounds of one case.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) allocator: Allocator,
    pub(crate) case: Case,
    /// The values of each name, in the order of the rounds.
    pub(crate) values: Values,
}

impl Results {
    pub(crate) fn add(&mut self, allocator: Allocator, case: Case, values: Values) {
        let at = self
            .samples
            .iter()
            .position(|sample| sample.allocator == allocator && sample.case == case)
            .unwrap_or_else(|| {
                self.samples.push(Sample {
                    allocator,
                    case,
                    values: Values::new(),
                });
                self.samples.len() - 1
            });
        for (name, mut more) in values {
            let known = self.samples[at].values.entry(name).or_default();
            known.append(&mut more);
        }
    }
}

impl Sample {
    /// All rounds of a value. Empty: it was not measured.
    pub(crate) fn rounds(&self, name: &str) -> &[f64] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }
}
