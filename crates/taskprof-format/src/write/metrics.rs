//! The vocabulary of metrics that a scraper collects: family, point, histogram.
//!
//! A snapshot of numbers that are counted elsewhere, not a registry: each answer to a scrape makes
//! its families anew. Not here: the text formats (`openmetrics.rs`), which metrics there are
//! (`taskprof`).

use std::borrow::Cow;

/// How the numbers of a family behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Only grows, from zero; `_total` is added to its name.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

impl Kind {
    /// The word that both formats have for it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }

    /// The ending that the formats add to the name of its points; empty for a gauge, and for a
    /// histogram, which has several.
    pub fn suffix(self) -> &'static str {
        match self {
            Kind::Counter => "_total",
            Kind::Gauge | Kind::Histogram => "",
        }
    }
}

/// A metric with its name, help and points.
///
/// # Examples
///
/// ```
/// use taskprof_format::write::metrics::Family;
///
/// let mut tasks = Family::gauge("app_tasks", "Live tasks.");
/// tasks.push([("state", "waiting")], 3.0);
/// tasks.push([("state", "polled")], 0.0);
/// let mut busy = Family::counter("app_busy_seconds", "Time spent polling.").unit("seconds");
/// busy.push([], 1.5);
/// let text = taskprof_format::write::openmetrics(&[tasks, busy])?;
/// let lines: Vec<&str> = text.lines().collect();
/// assert_eq!(lines, [
///     "# TYPE app_tasks gauge",
///     "# HELP app_tasks Live tasks.",
///     r#"app_tasks{state="waiting"} 3"#,
///     r#"app_tasks{state="polled"} 0"#,
///     "# TYPE app_busy_seconds counter",
///     "# UNIT app_busy_seconds seconds",
///     "# HELP app_busy_seconds Time spent polling.",
///     "app_busy_seconds_total 1.5",
///     "# EOF",
/// ]);
/// # Ok::<(), taskprof_format::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    pub(super) kind: Kind,
    pub(super) name: Cow<'static, str>,
    pub(super) help: Cow<'static, str>,
    pub(super) unit: Option<Cow<'static, str>>,
    pub(super) points: Vec<(Labels, Value)>,
}

/// Names and values that tell one point of a family from another.
pub(super) type Labels = Vec<(Cow<'static, str>, String)>;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Histogram(Histogram),
}

/// How often each range of sizes occurred.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Histogram {
    /// Upper bounds, ascending, each with the count of sizes up to it and above the bound before.
    pub buckets: Vec<(f64, u64)>,
    /// The count of sizes above all bounds.
    pub above: u64,
    /// The sum of all sizes, if it is known.
    pub sum: Option<f64>,
}

impl Histogram {
    /// A histogram of these buckets, each with the count of its own and not of those below.
    pub fn new(
        buckets: impl IntoIterator<Item = (f64, u64)>,
        above: u64,
        sum: Option<f64>,
    ) -> Self {
        Histogram {
            buckets: buckets.into_iter().collect(),
            above,
            sum,
        }
    }
}

impl Family {
    /// A number that only grows. The name is without `_total`.
    pub fn counter(name: impl Into<Cow<'static, str>>, help: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Counter, name, help)
    }

    /// A number that goes up and down.
    pub fn gauge(name: impl Into<Cow<'static, str>>, help: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Gauge, name, help)
    }

    /// Counts by size.
    pub fn histogram(
        name: impl Into<Cow<'static, str>>,
        help: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(Kind::Histogram, name, help)
    }

    /// A metric of this kind without points. The name is without the suffixes that a format adds.
    pub fn new(
        kind: Kind,
        name: impl Into<Cow<'static, str>>,
        help: impl Into<Cow<'static, str>>,
    ) -> Self {
        Family {
            kind,
            name: name.into(),
            help: help.into(),
            unit: None,
            points: Vec::new(),
        }
    }

    /// The unit, in which the name must end: `seconds`, `bytes`.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<Cow<'static, str>>) -> Self {
        self.unit = Some(unit.into());
        self
    }

    /// How the numbers behave.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The name, without the suffixes that a format adds.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds a point. Keep the number of distinct labels small: stores make a series of each (no
    /// task ids).
    pub fn push<const N: usize>(&mut self, labels: [(&'static str, &str); N], value: f64) {
        self.points.push((own(labels), Value::Number(value)));
    }

    /// Adds a histogram.
    pub fn push_histogram<const N: usize>(
        &mut self,
        labels: [(&'static str, &str); N],
        histogram: Histogram,
    ) {
        self.points.push((own(labels), Value::Histogram(histogram)));
    }
}

fn own<const N: usize>(labels: [(&'static str, &str); N]) -> Labels {
    labels
        .into_iter()
        .map(|(name, value)| (name.into(), value.to_owned()))
        .collect()
}
