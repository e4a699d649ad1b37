//! Calendar days in UTC.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{UnixMillis, time::civil_from_days};

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
}
