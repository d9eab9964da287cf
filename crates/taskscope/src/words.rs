//! How times, names and lists read in every report: taskprof's text and leakcheck's message.

use std::fmt::{self, Write as _};
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

/// Shows a text on one line: control characters are written as escapes, so that a name can neither add a line to a
/// report nor talk to a terminal.
///
/// # Examples
///
/// ```
/// use taskscope::Plain;
///
/// assert_eq!(Plain("audit\n\u{1b}[31m").to_string(), r"audit\n\u{1b}[31m");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Plain<T>(pub T);

impl<T: AsRef<str>> fmt::Display for Plain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.as_ref().chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// Names that a [`Listed`] shows; the rest is counted.
pub const LISTED: usize = 8;

/// Shows the first [`LISTED`] names, and how many more there are.
///
/// # Examples
///
/// ```
/// use taskscope::Listed;
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
