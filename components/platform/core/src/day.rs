//! Calendar days in UTC.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    UnixMillis,
    time::{civil_from_days, days_from_civil},
};

/// A day in UTC, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UtcDay(pub i64);

impl UtcDay {
    /// Leap seconds are not counted, so every day has the same length.
    pub const LENGTH: Duration = Duration::from_secs(24 * 3600);

    /// The day that contains `time`.
    pub fn containing(time: UnixMillis) -> Self {
        Self(time.as_secs().div_euclid(24 * 3600))
    }

    /// When it begins.
    pub fn start(self) -> UnixMillis {
        UnixMillis(self.0.saturating_mul(24 * 3600 * 1000))
    }

    /// Reads a date of the years 1970 to 9999 as it is shown: `2026-11-21`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-').map(|part| part.parse::<i64>().ok());
        let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
        let in_range = (1970..10_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
        let found = in_range.then(|| Self(days_from_civil(year, month, day)))?;
        // The 30th of February is shown as another day.
        (found.to_string() == text).then_some(found)
    }

    /// The day after.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The date, as ISO 8601 writes it: `2026-11-21`.
impl fmt::Display for UtcDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_where_the_next_begins() {
        let day = UtcDay::containing(UnixMillis(1_795_219_200_000));
        assert_eq!(day.to_string(), "2026-11-21");
        assert_eq!(day.start(), UnixMillis(1_795_219_200_000));
        assert_eq!(day.next().to_string(), "2026-11-22");
        assert_eq!(day.next().start(), day.start() + UtcDay::LENGTH);
        assert_eq!(UtcDay::containing(UnixMillis(day.next().start().0 - 1)), day);
        assert_eq!(UtcDay::containing(UnixMillis(-1)).to_string(), "1969-12-31");
    }

    #[test]
    fn a_date_is_read_as_it_is_shown() {
        for days in (0..80_000).chain([2_932_896]) {
            let day = UtcDay(days);
            assert_eq!(UtcDay::parse(&day.to_string()), Some(day), "{day}");
        }
        for wrong in [
            "",
            "2026",
            "2026-11",
            "2026-2-01",
            "2026-02-30",
            "2026-13-01",
            "26-11-21",
            "2026-11-21T",
            "x-y-z",
        ] {
            assert_eq!(UtcDay::parse(wrong), None, "{wrong}");
        }
    }
}
