//! The two headers that carry a deadline from hop to hop: how they are read, and how they are
//! written.
//!
//! Pure functions over texts. Not here: which headers a layer looks at, and what becomes of a time
//! that was read.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// A header that says how long its sender will wait for an answer.
///
/// Both hold a length of time and no point in time, so clocks need not agree. What a hop takes to
/// arrive is not taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeadlineHeader {
    /// `grpc-timeout`, as [gRPC over HTTP/2] has it: one to eight digits and a unit, `H` hours, `M`
    /// minutes, `S` seconds, `m` milliseconds, `u` microseconds or `n` nanoseconds. `1500m` is a
    /// second and a half.
    ///
    /// [gRPC over HTTP/2]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
    Grpc,
    /// `x-request-timeout`, which no standard describes. Here: a decimal number, up to ten digits
    /// before the point and nine after it, and a unit, `s`, `ms` or `us`; without a unit, seconds.
    /// `2`, `0.5`, `1.5s` and `1500ms` are times. `m` is none, because `grpc-timeout` means
    /// milliseconds by it and people mean minutes.
    Request,
}

/// The deadline that a message states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stated {
    /// The shortest time that could be read.
    pub(super) shortest: Option<Duration>,
    /// Values that were no times.
    pub(super) malformed: u64,
}

impl DeadlineHeader {
    /// The header's name.
    #[must_use]
    pub fn name(self) -> HeaderName {
        HeaderName::from_static(match self {
            DeadlineHeader::Grpc => "grpc-timeout",
            DeadlineHeader::Request => "x-request-timeout",
        })
    }

    /// Reads a value. `None`: it is not a time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use taskscope::DeadlineHeader::{Grpc, Request};
    ///
    /// assert_eq!(Grpc.parse("1500m"), Some(Duration::from_millis(1500)));
    /// assert_eq!(Request.parse("1.5"), Some(Duration::from_millis(1500)));
    /// assert_eq!(Request.parse("soon"), None);
    /// ```
    #[must_use]
    pub fn parse(self, value: &str) -> Option<Duration> {
        match self {
            DeadlineHeader::Grpc => parse_grpc(value),
            DeadlineHeader::Request => parse_request(value),
        }
    }

    /// Writes a time, rounded down to what the header can say. No time at all is written as the
    /// shortest there is, because zero means "no limit" to some who read it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use taskscope::DeadlineHeader::{Grpc, Request};
    ///
    /// assert_eq!(Grpc.format(Duration::from_millis(1500)), "1500000u");
    /// assert_eq!(Request.format(Duration::from_millis(1500)), "1500ms");
    /// assert_eq!(Grpc.format(Duration::ZERO), "1n");
    /// ```
    #[must_use]
    pub fn format(self, remaining: Duration) -> String {
        match self {
            DeadlineHeader::Grpc => format_grpc(remaining),
            DeadlineHeader::Request => format_request(remaining),
        }
    }

    /// Reads all values that a message has of this header.
    pub(super) fn read(self, headers: &HeaderMap) -> Stated {
        let mut stated = Stated::default();
        for value in headers.get_all(self.name()) {
            match value.to_str().ok().and_then(|value| self.parse(value)) {
                Some(time) => stated.shortest = shorter(stated.shortest, Some(time)),
                None => stated.malformed += 1,
            }
        }
        stated
    }

    /// Makes a message say that `remaining` is left, unless it says less already.
    pub(super) fn write(self, headers: &mut HeaderMap, remaining: Duration) {
        let stated = self.read(headers).shortest;
        if stated.is_some_and(|stated| stated <= remaining) {
            return;
        }
        // Digits and a unit are a legal value; if they ever are not, the message goes out as it
        // was.
        if let Ok(value) = HeaderValue::try_from(self.format(remaining)) {
            headers.insert(self.name(), value);
        }
    }
}

/// The shorter of two times; a missing one is no limit.
pub(super) fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The largest number that `grpc-timeout` can hold.
const GRPC_MAX: u128 = 99_999_999;

/// Units with their length in nanoseconds, shortest first.
const GRPC_UNITS: [(char, u128); 6] = [
    ('n', 1),
    ('u', 1_000),
    ('m', 1_000_000),
    ('S', 1_000_000_000),
    ('M', 60 * 1_000_000_000),
    ('H', 3_600 * 1_000_000_000),
];

fn parse_grpc(value: &str) -> Option<Duration> {
    let unit = value.chars().next_back()?;
    let &(_, length) = GRPC_UNITS.iter().find(|(name, _)| *name == unit)?;
    let number = value.strip_suffix(unit)?;
    Some(from_nanos(digits(number, 8)? * length))
}

fn format_grpc(remaining: Duration) -> String {
    let nanos = remaining.as_nanos().max(1);
    let finest = GRPC_UNITS
        .iter()
        .find(|(_, length)| nanos / length <= GRPC_MAX);
    match finest {
        Some((unit, length)) => format!("{}{unit}", nanos / length),
        None => format!("{GRPC_MAX}H"),
    }
}

fn parse_request(value: &str) -> Option<Duration> {
    // The longer names first: `ms` ends in `s`, too.
    let units = [("ms", 1_000_000), ("us", 1_000), ("s", 1_000_000_000)];
    let unit = units
        .iter()
        .find_map(|(name, length)| Some((value.strip_suffix(name)?, *length)));
    let (number, length) = unit.unwrap_or((value, 1_000_000_000));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits_after = u32::try_from(fraction.len()).ok()?;
    let whole = digits(whole, 10)? * length;
    let fraction = digits(fraction, 9)? * length / 10_u128.pow(digits_after);
    Some(from_nanos(whole + fraction))
}

/// Milliseconds, or microseconds where whole milliseconds would lose more than a thousandth.
fn format_request(remaining: Duration) -> String {
    if remaining >= Duration::from_secs(1) {
        format!("{}ms", remaining.as_millis().min(9_999_999_999))
    } else {
        format!("{}us", remaining.as_micros().max(1))
    }
}

/// One to `most` decimal digits, and nothing else: `u128::from_str` would take a sign.
fn digits(text: &str, most: usize) -> Option<u128> {
    let legal = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    legal.then(|| text.parse().ok()).flatten()
}

/// Both grammars end far below the longest `Duration`.
fn from_nanos(nanos: u128) -> Duration {
    let second = Duration::from_secs(1).as_nanos();
    Duration::new((nanos / second) as u64, (nanos % second) as u32)
}

#[cfg(test)]
mod tests {
    use super::DeadlineHeader::{Grpc, Request};
    use super::*;

    #[test]
    fn every_unit_of_grpc_timeout_is_read() {
        for (value, nanos) in [
            ("1H", 3_600_000_000_000),
            ("2M", 120_000_000_000),
            ("3S", 3_000_000_000),
            ("4m", 4_000_000),
            ("5u", 5_000),
            ("6n", 6),
            ("0S", 0),
            ("00000001n", 1),
            ("99999999H", 99_999_999 * 3_600_000_000_000),
        ] {
            assert_eq!(Grpc.parse(value), Some(from_nanos(nanos)), "{value}");
        }
    }

    #[test]
    fn what_is_no_grpc_timeout_is_none() {
        for value in [
            "",
            "S",
            "1",
            "1s",
            "1h",
            "-1S",
            "+1S",
            "1.5S",
            " 1S",
            "1 S",
            "1S ",
            "123456789n",
            "1SS",
            "1\u{b5}",
            "\u{661}S",
        ] {
            assert_eq!(Grpc.parse(value), None, "{value:?}");
        }
    }

    #[test]
    fn every_form_of_x_request_timeout_is_read() {
        for (value, nanos) in [
            ("2", 2_000_000_000),
            ("2s", 2_000_000_000),
            ("1500ms", 1_500_000_000),
            ("1.5", 1_500_000_000),
            ("0.25s", 250_000_000),
            ("0.5ms", 500_000),
            ("7us", 7_000),
            ("0", 0),
            ("0.000000001", 1),
            ("9999999999", 9_999_999_999_000_000_000),
        ] {
            assert_eq!(Request.parse(value), Some(from_nanos(nanos)), "{value}");
        }
    }

    #[test]
    fn what_is_no_x_request_timeout_is_none() {
        for value in [
            "",
            "s",
            "ms",
            ".",
            ".5",
            "5.",
            "1.2.3",
            "-1",
            "+1",
            "1e3",
            "2m",
            "2M",
            "1 s",
            "12345678901",
            "0.1234567890",
            "NaN",
            "inf",
        ] {
            assert_eq!(Request.parse(value), None, "{value:?}");
        }
    }

    #[test]
    fn a_time_is_written_with_all_the_digits_that_fit_and_never_rounded_up() {
        for (header, nanos, expected) in [
            (Grpc, 99_999_999, "99999999n"),
            (Grpc, 100_000_999, "100000u"),
            (Grpc, 1_500_000_999, "1500000u"),
            (Grpc, 123_456_789_999, "123456m"),
            (Grpc, u128::from(u64::MAX), "5124095H"),
            (Request, 1_999_999, "1999us"),
            (Request, 999_999_999, "999999us"),
            (Request, 1_999_999_999, "1999ms"),
        ] {
            let written = header.format(from_nanos(nanos));
            assert_eq!(written, expected);
            assert!(header.parse(&written).unwrap() <= from_nanos(nanos));
        }
    }

    #[test]
    fn the_extremes_are_written_as_legal_values() {
        assert_eq!(Grpc.format(Duration::ZERO), "1n");
        assert_eq!(Request.format(Duration::ZERO), "1us");
        assert_eq!(Grpc.format(Duration::MAX), "99999999H");
        for header in [Grpc, Request] {
            assert!(header.parse(&header.format(Duration::MAX)).is_some());
        }
    }
}
