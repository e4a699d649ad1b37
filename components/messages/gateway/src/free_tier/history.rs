//! The figures of the latest windows and of all time, as the rules keep them.

use std::{collections::BTreeMap, time::Duration};

use octo_core::UnixMillis;

use super::WindowId;
use crate::stats::{Counts, Kind, Stats, WindowStats};

/// So many windows are kept.
pub const WINDOWS: i64 = 60;

/// Counts by window, and of all time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    windows: BTreeMap<WindowId, Counts>,
    total: Counts,
}

impl History {
    /// Counts something in the window of `now`.
    pub fn count(&mut self, kind: Kind, now: UnixMillis, period: Duration) {
        let window = WindowId::containing(now, period);
        self.windows.entry(window).or_default().add(kind, 1);
        self.total.add(kind, 1);
        self.windows.retain(|kept, _| window.0 - kept.0 < WINDOWS);
    }

    /// The figures at `now`.
    pub fn figures(&self, waiting: i64, now: UnixMillis, period: Duration) -> Stats {
        let current = WindowId::containing(now, period);
        let kept = self.windows.iter().rev().filter(|(window, _)| current.0 - window.0 < WINDOWS);
        let windows = kept
            .map(|(window, counts)| WindowStats { starts_at: window.start(period), counts: counts.clone() })
            .collect();
        Stats { windows, total: self.total.clone(), waiting }
    }
}
