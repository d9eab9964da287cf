//! A length of time as a person reads it.

use std::fmt;
use std::time::Duration;

/// Shows a length of time in at most two units: `12.3ms`, `4.5s`, `10m03s`, `5h12m`, `3d04h`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use taskscope::Age;
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
