//! The counter over a key-value store whose only atomic operation is `increment`.
//!
//! # Invariant
//! A window's counter is at least the number of calls that arrived, or may still arrive, in that window,
//! and a slot is given only while the counter, with that slot, is at most N. Hence no window sees more
//! than N calls. Three rules keep it:
//!
//! 1. A call reserved at `s` arrives, on the provider's clock, between `s - u` and `s + T + u`: it is
//!    counted in every window that touches this time (two near a boundary, else one).
//! 2. A slot is taken back from a window only when the call provably did not arrive in it: it was never
//!    sent, or it was answered at `c` and the window begins after `c + u`.
//! 3. A crash between any two steps leaves counters too high, never too low; the next window starts fresh.
//!
//! # Cost
//! A free call takes two store calls (read the [gate](super::gate), increment the window), four near a
//! boundary. Nothing is written when it settles, except near a boundary or when it did not go well.

use octo_core::{KeyValue, StoreError, UnixMillis};

use super::{
    Ask, Closed, ClosedReason, End, FreeTier, Limits, Outcome, Reservation, Status, Verdict,
    gate::{Gate, Permit},
    window::{WindowId, touching},
};
use crate::figures::{Figures, Tally};

const RECENT_KEY: &str = "gateway/free/recent";

/// [`FreeTier`] over a [`KeyValue`] store, for windows aligned to the clock.
#[derive(Debug)]
pub struct KeyValueFreeTier<'a, K> {
    store: &'a K,
    limits: Limits,
}

impl<'a, K: KeyValue> KeyValueFreeTier<'a, K> {
    /// A counter for a provider with these limits.
    pub fn new(store: &'a K, limits: Limits) -> Self {
        Self { store, limits }
    }

    fn window_key(&self, window: WindowId) -> String {
        // The length is part of the name: after a change of P the old counters mean other times.
        format!("gateway/free/window/{}/{}", self.limits.window.as_secs(), window.0)
    }

    fn gate(&self) -> Gate<'a, K> {
        Gate::new(self.store, "free", self.limits.timeout + self.limits.skew)
    }

    /// Takes a slot in every window, or in none.
    async fn take(&self, windows: &[WindowId], now: UnixMillis) -> Result<Result<i64, Closed>, StoreError> {
        let current = WindowId::containing(now, self.limits.window);
        let mut remaining = self.limits.calls;
        for (index, &window) in windows.iter().enumerate() {
            let count = self.store.increment(&self.window_key(window), 1).await?;
            if count == 1 {
                self.forget_old_windows(window).await?;
            }
            if count > self.limits.calls {
                if index > 0 || self.slots_may_return(window, now) {
                    self.give_back(windows.iter().take(index + 1)).await?;
                }
                return Ok(Err(Closed {
                    reason: ClosedReason::FreeExhausted,
                    reopens_at: window.end(self.limits.window) + self.limits.skew,
                }));
            }
            if window == current {
                remaining = self.limits.calls - count;
            }
        }
        Ok(Ok(remaining))
    }

    /// Whether calls that began before `window` may still give back the slot they hold in it. Only then is
    /// it worth taking a refused attempt out of a full counter again; later a full window stays full, and
    /// every call that goes to paid saves a write. (A call that was never sent may give a slot back later
    /// still; if the window is over-full by then, that one slot is lost.)
    fn slots_may_return(&self, window: WindowId, now: UnixMillis) -> bool {
        let Limits { window: period, timeout, skew, .. } = self.limits;
        now <= window.start(period) + timeout + skew
    }

    /// The slots held in `window`. Reading a counter with `increment` creates it, and nobody would remove a
    /// window that was only looked at: hence the `get` first.
    async fn held(&self, window: WindowId) -> Result<i64, StoreError> {
        let key = self.window_key(window);
        match self.store.get(&key).await? {
            None => Ok(0),
            Some(_) => self.store.increment(&key, 0).await,
        }
    }

    async fn give_back(&self, windows: impl Iterator<Item = &WindowId>) -> Result<(), StoreError> {
        for &window in windows {
            self.store.increment(&self.window_key(window), -1).await?;
        }
        Ok(())
    }

    /// The store has no expiry: the first call of a window removes the windows that are past. `recent`
    /// holds the two newest windows ever counted, so that idle times leave nothing behind.
    async fn forget_old_windows(&self, newest: WindowId) -> Result<(), StoreError> {
        let text = self.store.get(RECENT_KEY).await?.unwrap_or_default();
        let recent: Vec<i64> =
            String::from_utf8_lossy(&text).split(' ').filter_map(|id| id.parse().ok()).collect();
        let mut kept = vec![newest.0];
        for id in recent {
            // Keep the window before: calls that began in it may still settle.
            if id < newest.0 - 1 {
                self.store.delete(&self.window_key(WindowId(id))).await?;
            } else if !kept.contains(&id) {
                kept.push(id);
            }
        }
        let text: Vec<_> = kept.iter().map(i64::to_string).collect();
        self.store.set(RECENT_KEY, text.join(" ").as_bytes()).await
    }

    /// The windows a call reserved at `now` may arrive in.
    fn reachable(&self, now: UnixMillis) -> Vec<WindowId> {
        let Limits { skew, timeout, window, .. } = self.limits;
        touching(now - skew, now + timeout + skew, window).collect()
    }
}

impl<K: KeyValue> FreeTier for KeyValueFreeTier<'_, K> {
    type Slot = Reservation;

    async fn reserve(&self, _ask: &Ask, now: UnixMillis) -> Result<Verdict, StoreError> {
        let gate = self.gate();
        let state = gate.read().await?;
        let pass = match gate.permit(&state, now).await? {
            Permit::Go(pass) => pass,
            Permit::Closed { until, cause } => {
                return Ok(Verdict::Closed(Closed { reason: cause.into(), reopens_at: until }));
            }
        };
        let windows = self.reachable(now);
        Ok(match self.take(&windows, now).await? {
            Err(closed) => Verdict::Closed(closed),
            Ok(remaining) => Verdict::Go(Reservation { windows, remaining, pass, starts_at: None }),
        })
    }

    async fn settle(
        &self,
        reservation: &Reservation,
        end: &End,
        _tally: Option<Tally>,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let gate = self.gate();
        let pass = &reservation.pass;
        match end.outcome {
            Outcome::Answered => {
                let arrived_by = now + self.limits.skew;
                let later = |window: &&WindowId| window.start(self.limits.window) > arrived_by;
                self.give_back(reservation.windows.iter().filter(later)).await?;
                gate.answered(pass).await?;
            }
            Outcome::Refused { retry_after } => {
                gate.refused(now + retry_after.unwrap_or_default().max(self.limits.block)).await?;
            }
            Outcome::NotSent => {
                self.give_back(reservation.windows.iter()).await?;
                gate.failed(pass, now).await?;
            }
            Outcome::Unknown => gate.failed(pass, now).await?,
        }
        Ok(())
    }

    async fn record(&self, _tally: Tally, _now: UnixMillis) -> Result<(), StoreError> {
        Ok(())
    }

    async fn figures(&self, _now: UnixMillis) -> Result<Figures, StoreError> {
        Ok(Figures::default())
    }

    async fn status(&self, now: UnixMillis) -> Result<Status, StoreError> {
        let Limits { calls, window: period, skew, .. } = self.limits;
        let current = WindowId::containing(now, period);
        let (mut used, mut remaining, mut closed) = (0, calls, None);
        for window in self.reachable(now) {
            let held = self.held(window).await?.clamp(0, calls);
            if window == current {
                used = held;
            }
            remaining = remaining.min(calls - held);
            if held == calls {
                let reopens_at = window.end(period) + skew;
                closed = Some(Closed { reason: ClosedReason::FreeExhausted, reopens_at });
            }
        }
        let breaker = self.gate().read().await?.breaker;
        if let Some(reopens_at) = breaker.until.filter(|until| *until > now) {
            closed = Some(Closed { reason: breaker.cause.into(), reopens_at });
        }
        Ok(Status {
            limit: calls,
            used,
            remaining: if closed.is_some() { 0 } else { remaining },
            window_starts_at: current.start(period),
            window_ends_at: current.end(period),
            closed,
        })
    }
}

#[cfg(test)]
#[path = "key_value_tests.rs"]
mod tests;
