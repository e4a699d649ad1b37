//! Days in Moscow, where the bank is: its rates are of such days, and so are the sums.

use std::fmt;

use octo_core::{UnixMillis, UtcDay};

/// Moscow is three hours ahead of UTC all year (Federal Law 248-FZ of 2014).
const AHEAD_MS: i64 = 3 * 3600 * 1000;

/// A calendar day in Moscow, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MoscowDay(pub i64);

impl MoscowDay {
    /// The day in Moscow at `time`.
    pub fn containing(time: UnixMillis) -> Self {
        Self(UtcDay::containing(UnixMillis(time.0.saturating_add(AHEAD_MS))).0)
    }

    /// When it begins.
    pub fn start(self) -> UnixMillis {
        UnixMillis(UtcDay(self.0).start().0.saturating_sub(AHEAD_MS))
    }

    /// The day after.
    pub fn next(self) -> Self {
        Self(UtcDay(self.0).next().0)
    }

    /// Reads `2026-11-26`.
    pub fn parse(text: &str) -> Option<Self> {
        UtcDay::parse(text).map(|day| Self(day.0))
    }

    /// How many days this is after `earlier`; negative when it is before.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for MoscowDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        UtcDay(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_three_hours_before_that_of_utc() {
        let evening = UnixMillis(1_795_210_200_000);
        assert_eq!(evening.to_string(), "2026-11-20T21:30:00.000Z");
        let day = MoscowDay::containing(evening);
        assert_eq!(day.to_string(), "2026-11-21");
        assert_eq!(day.start().to_string(), "2026-11-20T21:00:00.000Z");
        assert_eq!(MoscowDay::containing(UnixMillis(day.start().0 - 1)).next(), day);
        assert_eq!(MoscowDay::parse("2026-11-21"), Some(day));
    }
}
