//! What an instance takes the provider's limit and windows to be at a time.

use octo_core::UnixMillis;

use crate::free_tier::{Limits, WindowId, learned::Learned, window::touching};

/// The provider as it is seen at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) now: UnixMillis,
    /// Calls per window.
    pub(super) limit: i64,
    limits: Limits,
    /// The least and the most that the provider's clock is ahead, in milliseconds.
    ahead: (i64, i64),
}

impl View {
    pub(super) fn new(limits: Limits, learned: &Learned, now: UnixMillis) -> Self {
        Self { now, limit: learned.limit(&limits, now), limits, ahead: learned.ahead(&limits) }
    }

    #[cfg(test)]
    pub(super) fn with_clock_ahead(
        limits: Limits,
        learned: &Learned,
        now: UnixMillis,
        ahead: (i64, i64),
    ) -> Self {
        Self { ahead, ..Self::new(limits, learned, now) }
    }

    /// Whether the provider's clock is taken to be later than `other` takes it to be.
    pub(super) fn is_ahead_of(&self, other: &Self) -> bool {
        self.ahead.0 >= other.ahead.0
    }

    /// The windows a call sent at `start` may arrive in.
    pub(super) fn reachable(&self, start: UnixMillis) -> Vec<WindowId> {
        let (least, most) = self.ahead;
        let latest = UnixMillis(start.0 + most) + self.limits.timeout;
        touching(UnixMillis(start.0 + least), latest, self.limits.window).collect()
    }

    /// The window that the provider is taken to be in.
    pub(super) fn current(&self) -> WindowId {
        WindowId::containing(UnixMillis(self.now.0 + self.middle()), self.limits.window)
    }

    /// When a window is taken to begin, by our clock.
    pub(super) fn start(&self, window: WindowId) -> UnixMillis {
        UnixMillis(window.start(self.limits.window).0 - self.middle())
    }

    /// The first time at which it surely has begun.
    pub(super) fn surely_begun(&self, window: WindowId) -> UnixMillis {
        UnixMillis(window.start(self.limits.window).0 - self.ahead.0)
    }

    /// Whether it surely has not begun now.
    pub(super) fn is_to_come(&self, window: WindowId) -> bool {
        window.start(self.limits.window).0 > self.now.0 + self.ahead.1
    }

    /// Whether calls that began before `window` may still give back the slot they hold in it. Only then is
    /// it worth taking a refused attempt out of a full counter again; later a full window stays full, and
    /// every call that goes to paid saves a write. (A call that was never sent may give a slot back later
    /// still; if the window is over-full by then, that one slot is lost.)
    pub(super) fn slots_may_return(&self, window: WindowId) -> bool {
        self.now <= self.surely_begun(window) + self.limits.timeout
    }

    /// The latest time at which a call is sent that was reserved until now: one that was booked in the window
    /// after those it could have been sent in.
    pub(super) fn latest_start(&self) -> UnixMillis {
        let last = self.reachable(self.now).last().copied().unwrap_or(self.current());
        self.surely_begun(WindowId(last.0 + 1))
    }

    /// When every call sent until `start` is over, and the windows it can have fallen in are, too.
    pub(super) fn all_over(&self, start: UnixMillis) -> UnixMillis {
        let given_up = start + self.limits.timeout + self.limits.skew;
        let last = WindowId::containing(UnixMillis(given_up.0 + self.ahead.1), self.limits.window);
        self.surely_begun(WindowId(last.0 + 1))
    }

    /// How far the provider's clock is taken to be ahead: a whole number of seconds where that may be (none, above
    /// all), so that windows begin where people expect them and not a millisecond beside it; else what lies in the
    /// middle.
    fn middle(&self) -> i64 {
        let (least, most) = self.ahead;
        let middle = (least + most).div_euclid(2);
        let whole = (middle + 500).div_euclid(1_000) * 1_000;
        if (least..=most).contains(&whole) { whole } else { middle }
    }
}
