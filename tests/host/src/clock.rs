//! The wall clock of the guests.
//!
//! This is the one file of the host that reads the machine's clocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use wasmtime_wasi::HostWallClock;

/// What time it is for the guests. Clones are the same clock.
///
/// Only the wall clock is governed: waiting takes real time, so that timeouts keep working.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
struct Source {
    /// Whether the machine's clock runs underneath.
    runs: bool,
    /// Milliseconds to add to it; since the epoch when nothing runs underneath.
    offset: AtomicI64,
}

impl Clock {
    /// The machine's own clock.
    pub fn system() -> Self {
        Self::from(true, 0)
    }

    /// A clock that stands at `unix_ms`, milliseconds since the epoch, until it is moved.
    pub fn manual(unix_ms: u64) -> Self {
        Self::from(false, signed(unix_ms))
    }

    fn from(runs: bool, offset: i64) -> Self {
        Self(Arc::new(Source { runs, offset: AtomicI64::new(offset) }))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.offset.fetch_add(by, Ordering::SeqCst);
    }

    /// Moves the clock to `unix_ms`, milliseconds since the epoch; backwards, too.
    pub fn set(&self, unix_ms: u64) {
        let offset = signed(unix_ms) - self.underneath();
        self.0.offset.store(offset, Ordering::SeqCst);
    }

    /// Milliseconds since the epoch.
    pub fn now_ms(&self) -> u64 {
        let now = self.underneath() + self.0.offset.load(Ordering::SeqCst);
        u64::try_from(now).unwrap_or(0)
    }

    #[expect(clippy::disallowed_methods, reason = "the host is where the guests' time comes from")]
    fn underneath(&self) -> i64 {
        if !self.0.runs {
            return 0;
        }
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

fn signed(unix_ms: u64) -> i64 {
    i64::try_from(unix_ms).unwrap_or(i64::MAX)
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.now_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_still_until_it_is_moved() {
        let clock = Clock::manual(1_000);
        assert_eq!(clock.now_ms(), 1_000);
        clock.clone().advance(Duration::from_secs(2));
        assert_eq!(clock.now_ms(), 3_000);
        clock.set(500);
        assert_eq!(clock.now_ms(), 500);
    }

    #[test]
    fn the_system_clock_runs_on_after_it_is_moved() {
        let clock = Clock::system();
        let before = clock.now_ms();
        clock.advance(Duration::from_secs(3_600));
        assert!(clock.now_ms() >= before + 3_600_000);
    }
}
