//! How times and lists read in every report: taskprof's text and leakcheck's message.
//!
//! Not here: how a name reads (`text.rs`).

use std::fmt;
use std::time::Duration;

use crate::text::Plain;

/// Shows a length of time in at most two units: `12.3ms`, `4.5s`, `10m03s`, `5h12m`, `3d04h`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use taskscope::text::Age;
///
/// assert_eq!(Age(Duration::from_millis(4520)).to_string(), "4.5s");
/// assert_eq!(Age(Duration::from_secs(603)).to_string(), "10m03s");
/// assert_eq!(Age(Duration::ZERO).to_string(), "0ns");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age(pub Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
        let text = match seconds {
            0 if self.0.subsec_nanos() == 0 => "0ns".to_owned(),
            0 if self.0.subsec_nanos() < 1_000 => format!("{}ns", self.0.subsec_nanos()),
            0 if self.0.subsec_nanos() < 1_000_000 => {
                format!("{:.1}us", self.0.as_secs_f64() * 1e6)
            }
            0 => format!("{:.1}ms", self.0.as_secs_f64() * 1e3),
            1..60 => format!("{:.1}s", self.0.as_secs_f64()),
            60..3600 => format!("{minutes}m{:02}s", seconds % 60),
            3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
            _ => format!("{days}d{:02}h", hours % 24),
        };
        f.pad(&text)
    }
}

/// Names that a [`Listed`] shows; the rest is counted.
pub const LISTED: usize = 8;

/// Shows the first [`LISTED`] names, and how many more there are.
///
/// # Examples
///
/// ```
/// use taskscope::text::Listed;
///
/// assert_eq!(Listed(&["audit", "reaper"]).to_string(), "audit, reaper");
/// assert!(Listed(&["task"; 10]).to_string().ends_with(", task and 2 more"));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a, T>(pub &'a [T]);

impl<T: AsRef<str>> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().take(LISTED).enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}{}", Plain(name))?;
        }
        match self.0.len().saturating_sub(LISTED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
