//! Windows aligned to the clock: window `i` lasts from `i * P` to `(i + 1) * P` after the epoch.

use std::time::Duration;

use octo_core::{UnixMillis, time::millis};
use serde::{Deserialize, Serialize};

/// The number of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WindowId(pub i64);

impl WindowId {
    /// The window of length `period` that contains `time`.
    pub fn containing(time: UnixMillis, period: Duration) -> Self {
        WindowId(time.0.div_euclid(millis(period).max(1)))
    }

    /// When it begins.
    pub fn start(self, period: Duration) -> UnixMillis {
        UnixMillis(self.0.saturating_mul(millis(period)))
    }

    /// When it ends, and the next begins.
    pub fn end(self, period: Duration) -> UnixMillis {
        WindowId(self.0.saturating_add(1)).start(period)
    }
}

/// The windows that touch the time from `earliest` to `latest`, oldest first.
pub fn touching(
    earliest: UnixMillis,
    latest: UnixMillis,
    period: Duration,
) -> impl Iterator<Item = WindowId> {
    let first = WindowId::containing(earliest, period);
    let last = WindowId::containing(latest, period);
    (first.0..=last.0).map(WindowId)
}
