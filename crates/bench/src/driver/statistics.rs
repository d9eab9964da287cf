//! Many measurements of one thing as a few numbers.

/// The middle, and where the middle half of the rest is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) most: f64,
}

impl Summary {
    /// Summarises values, of which there must be at least one.
    pub(crate) fn of(values: &[f64]) -> Summary {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Summary {
            median: quantile(&sorted, 0.5),
            low: quantile(&sorted, 0.25),
            high: quantile(&sorted, 0.75),
            most: sorted[sorted.len() - 1],
        }
    }

    /// Summarises the ratios within each round. A minute in which the machine is slower does not
    /// move them.
    pub(crate) fn of_ratios(values: &[f64], base: &[f64]) -> Summary {
        Summary::of(&ratios(values, base))
    }
}

/// The ratio of each value to the base of the same round.
pub(crate) fn ratios(values: &[f64], base: &[f64]) -> Vec<f64> {
    values
        .iter()
        .zip(base)
        .map(|(value, base)| value / base)
        .collect()
}

/// The quantile, interpolated between the two nearest values.
fn quantile(sorted: &[f64], at: f64) -> f64 {
    let place = at * (sorted.len() - 1) as f64;
    let (below, above) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    below + (above - below) * place.fract()
}

/// Bounds between which the median of all such values is with 95 % confidence, whatever their
/// distribution: the binomial ones.
pub(crate) fn confidence(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let low = (count / 2.0 - 0.98 * count.sqrt()).floor().max(0.0) as usize;
    (sorted[low], sorted[sorted.len() - 1 - low])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_the_median_and_the_middle_half() {
        let it = Summary::of(&[5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!((it.low, it.median, it.high, it.most), (2.0, 3.0, 4.0, 5.0));
        assert_eq!(Summary::of(&[1.0, 2.0]).median, 1.5);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The second round was twice as slow for both.
        let it = Summary::of_ratios(&[3.0, 6.0], &[2.0, 4.0]);
        assert_eq!((it.low, it.median, it.high), (1.5, 1.5, 1.5));
    }

    #[test]
    fn the_confidence_interval_has_the_binomial_ranks() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(confidence(&values), (41.0, 60.0));
        assert_eq!(confidence(&[7.0]), (7.0, 7.0));
    }
}
