//! The counter over a key-value store whose only atomic operation is `increment`.
//!
//! # Invariant
//! A window's counter is at least the number of calls that arrived, or may still arrive, in that window,
//! and a slot is given only while the counter, with that slot, is at most N. Hence no window sees more
//! than N calls. Three rules keep it:
//!
//! 1. A call reserved at `s` arrives, on the provider's clock, between `s - u` and `s + T + u` (or between
//!    other bounds, once its clock was found to be off): it is counted in every window that touches this
//!    time (two near a boundary, else one).
//! 2. A slot is taken back from a window only when the call provably did not arrive in it: it was never
//!    sent, or it was answered at `c` and the window begins after `c + u`.
//! 3. A crash between any two steps leaves counters too high, never too low; the next window starts fresh.
//!
//! # Waiting
//! A message that would wait books a slot in the next window, if that begins in time. There is no line to
//! stand in, and nobody polls; only while the provider is left alone does the message ask again.
//!
//! # Cost
//! A free call takes two store calls (read the [gate](super::gate), increment the window), four near a
//! boundary. Nothing is written when it settles, except near a boundary or when it did not go well.

use octo_core::{KeyValue, StoreError, UnixMillis};

use super::{
    Ask, Closed, ClosedReason, End, FreeTier, Limits, Outcome, Reservation, Status, Verdict,
    gate::{Gate, GateState, Pass, Permit},
    learned::{Around, Learned},
    window::{WindowId, touching},
};
use crate::figures::{Figures, Tally};

const RECENT_KEY: &str = "gateway/free/recent";

/// What is known of the provider at a time.
#[derive(Clone, Copy, Debug)]
struct View {
    now: UnixMillis,
    learned: Learned,
    /// Calls per window.
    limit: i64,
    /// The least and the most that the provider's clock is ahead, in milliseconds.
    ahead: (i64, i64),
}

/// Slots taken for one call.
struct Taken {
    windows: Vec<WindowId>,
    used: i64,
    remaining: i64,
    starts_at: Option<UnixMillis>,
}

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

    /// What is learned from the provider stands in the record of its gate: one read for both.
    fn gate(&self) -> Gate<'a, K, Learned> {
        Gate::new(self.store, "free", self.limits.timeout + self.limits.skew)
    }

    fn view(&self, learned: Learned, now: UnixMillis) -> View {
        let (limit, ahead) = (learned.limit(&self.limits, now), learned.ahead(&self.limits));
        View { now, learned, limit, ahead }
    }

    /// Takes a slot in every window that a call made now may fall in, or in none; then tells which is full.
    async fn take(&self, view: &View) -> Result<Result<Taken, WindowId>, StoreError> {
        let windows = self.reachable(view, view.now);
        let current = self.current(view);
        let mut taken = Taken { windows, used: 0, remaining: view.limit, starts_at: None };
        for (index, &window) in taken.windows.iter().enumerate() {
            let count = self.increment(window, view).await?;
            if count > view.limit {
                if index > 0 || self.slots_may_return(window, view) {
                    self.give_back(taken.windows.iter().take(index + 1)).await?;
                }
                return Ok(Err(window));
            }
            taken.used = taken.used.max(count);
            if window == current {
                taken.remaining = view.limit - count;
            }
        }
        Ok(Ok(taken))
    }

    /// Takes a slot in the window after the full one, for a call that is sent as soon as it can fall in that
    /// window alone: when the window has surely begun, and is surely not over T later, so that it must be
    /// longer than T + 2u. It is counted there like any other call, so the window sees no more than N; and
    /// the numbers that `increment` gives are the line, in the order of asking.
    async fn book(
        &self,
        full: WindowId,
        wait_until: UnixMillis,
        view: &View,
    ) -> Result<Option<Taken>, StoreError> {
        let window = WindowId(full.0 + 1);
        let starts_at = self.surely_begun(window, view);
        let windows = self.reachable(view, starts_at);
        if starts_at > wait_until || windows != [window] {
            return Ok(None);
        }
        let count = self.increment(window, view).await?;
        if count > view.limit {
            self.give_back([window].iter()).await?;
            return Ok(None);
        }
        let (used, remaining, starts_at) = (count, view.limit - count, Some(starts_at));
        Ok(Some(Taken { windows, used, remaining, starts_at }))
    }

    async fn increment(&self, window: WindowId, view: &View) -> Result<i64, StoreError> {
        let count = self.store.increment(&self.window_key(window), 1).await?;
        if count == 1 {
            self.forget_old_windows(window, self.current(view)).await?;
        }
        Ok(count)
    }

    /// Whether calls that began before `window` may still give back the slot they hold in it. Only then is
    /// it worth taking a refused attempt out of a full counter again; later a full window stays full, and
    /// every call that goes to paid saves a write. (A call that was never sent may give a slot back later
    /// still; if the window is over-full by then, that one slot is lost.)
    fn slots_may_return(&self, window: WindowId, view: &View) -> bool {
        view.now <= self.surely_begun(window, view) + self.limits.timeout
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

    /// The store has no expiry: the first call of a window removes the windows that are past.
    /// `recent` holds the newest windows ever counted, so that idle times leave nothing behind.
    async fn forget_old_windows(&self, newest: WindowId, current: WindowId) -> Result<(), StoreError> {
        let text = self.store.get(RECENT_KEY).await?.unwrap_or_default();
        let recent: Vec<i64> =
            String::from_utf8_lossy(&text).split(' ').filter_map(|id| id.parse().ok()).collect();
        let mut kept = vec![newest.0];
        for id in recent {
            // Keep the window before: calls that began in it may still settle.
            if id < current.0 - 1 {
                self.store.delete(&self.window_key(WindowId(id))).await?;
            } else if !kept.contains(&id) {
                kept.push(id);
            }
        }
        let text: Vec<_> = kept.iter().map(i64::to_string).collect();
        self.store.set(RECENT_KEY, text.join(" ").as_bytes()).await
    }

    /// The windows a call sent at `start` may arrive in.
    fn reachable(&self, view: &View, start: UnixMillis) -> Vec<WindowId> {
        let Limits { timeout, window, .. } = self.limits;
        let (least, most) = view.ahead;
        touching(UnixMillis(start.0 + least), UnixMillis(start.0 + most) + timeout, window).collect()
    }

    /// The window that the provider is taken to be in.
    fn current(&self, view: &View) -> WindowId {
        let (least, most) = view.ahead;
        WindowId::containing(UnixMillis(view.now.0 + (least + most).div_euclid(2)), self.limits.window)
    }

    /// The first time at which it surely has begun.
    fn surely_begun(&self, window: WindowId, view: &View) -> UnixMillis {
        UnixMillis(window.start(self.limits.window).0 - view.ahead.0)
    }

    /// Brings what the end of a call teaches into the record of the gate. `held` is how many slots its
    /// windows hold now. False when the windows stay where they are.
    fn learn(
        &self,
        state: &mut GateState<Learned>,
        reservation: &Reservation,
        held: i64,
        end: &End,
        now: UnixMillis,
    ) -> bool {
        let (limits, learned, told) = (&self.limits, &mut state.note, end.told.within_reason());
        let answered = matches!(end.outcome, Outcome::Answered | Outcome::Refused { .. });
        if let Some(limit) = told.limit {
            learned.limit_told(limits, limit);
        }
        if let Some(remaining) = told.remaining
            && answered
        {
            let around = Around { used: reservation.used, given_since: (held - reservation.used).max(0) };
            learned.remaining_told(limits, &around, remaining, told.reset, now);
        }
        let refused = matches!(end.outcome, Outcome::Refused { .. });
        if refused && reservation.pass.lease.is_none() && !state.breaker.refuses(now) {
            learned.refused(limits, reservation.used, now);
        }
        let sent_at = reservation.starts_at.unwrap_or(reservation.reserved_at);
        told.date.is_some_and(|date| learned.date_told(limits, sent_at, date, now))
    }

    /// How many slots the windows of `reservation` hold now, as far as that matters: it is read only when
    /// what the answer told might prove less room than is known.
    async fn held_around(
        &self,
        reservation: &Reservation,
        end: &End,
        view: &View,
    ) -> Result<i64, StoreError> {
        let mut held = reservation.used;
        if end.told.within_reason().remaining.is_some_and(|left| held + left < view.limit) {
            for &window in &reservation.windows {
                held = held.max(self.held(window).await?);
            }
        }
        Ok(held)
    }

    /// When every call reserved before `now` is over and the windows it can have fallen in are, too.
    fn all_over(&self, learned: Learned, now: UnixMillis) -> UnixMillis {
        let view = self.view(learned, now);
        let given_up = now + self.limits.timeout + self.limits.skew;
        let last = WindowId::containing(UnixMillis(given_up.0 + view.ahead.1), self.limits.window);
        self.surely_begun(WindowId(last.0 + 1), &view)
    }
}

impl<K: KeyValue> FreeTier for KeyValueFreeTier<'_, K> {
    type Slot = Reservation;

    fn remaining(slot: &Reservation) -> i64 {
        slot.remaining
    }

    fn starts_at(slot: &Reservation) -> Option<UnixMillis> {
        slot.starts_at
    }

    async fn reserve(&self, ask: &Ask, now: UnixMillis) -> Result<Verdict, StoreError> {
        let gate = self.gate();
        let state = gate.read().await?;
        let pass = match gate.permit(&state, now).await? {
            Permit::Go(pass) => pass,
            Permit::Closed { until, .. } if ask.wait_until.is_some_and(|end| until <= end) => {
                return Ok(Verdict::Wait(until));
            }
            Permit::Closed { until, cause } => {
                return Ok(Verdict::Closed(Closed { reason: cause.into(), reopens_at: until }));
            }
        };
        let view = self.view(state.note, now);
        let taken = match self.take(&view).await? {
            Ok(taken) => Ok(taken),
            // The probe must go now or leave it to another.
            Err(full) if pass.lease.is_some() => Err(full),
            Err(full) => match ask.wait_until {
                Some(until) => self.book(full, until, &view).await?.ok_or(full),
                None => Err(full),
            },
        };
        Ok(match taken {
            Ok(Taken { windows, used, remaining, starts_at }) => Verdict::Go(Reservation {
                reserved_at: now,
                windows,
                used,
                remaining,
                pass,
                starts_at,
                learned: view.learned,
            }),
            Err(full) => Verdict::Closed(Closed {
                reason: ClosedReason::FreeExhausted,
                reopens_at: self.surely_begun(WindowId(full.0 + 1), &view),
            }),
        })
    }

    async fn settle(
        &self,
        reservation: &Reservation,
        end: &End,
        _tally: Option<Tally>,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let view = self.view(reservation.learned, now);
        let held = self.held_around(reservation, end, &view).await?;
        match end.outcome {
            Outcome::Answered => {
                let arrived_by = UnixMillis(now.0 + view.ahead.1);
                let later = |window: &&WindowId| window.start(self.limits.window) > arrived_by;
                self.give_back(reservation.windows.iter().filter(later)).await?;
            }
            Outcome::NotSent => self.give_back(reservation.windows.iter()).await?,
            Outcome::Refused { .. } | Outcome::Unknown => {}
        }
        let pass = &reservation.pass;
        let change = |state: &mut GateState<Learned>| {
            let moved = self.learn(state, reservation, held, end, now);
            let probe = pass.holds_lease_of(&state.breaker);
            match end.outcome {
                Outcome::Answered => state.breaker.answered(probe),
                Outcome::Refused { retry_after } => {
                    state.breaker.refused(now + retry_after.unwrap_or_default().max(self.limits.block));
                }
                Outcome::NotSent | Outcome::Unknown => state.breaker.failed(probe, now),
            }
            if moved {
                // What was reserved before is counted in windows that were taken to be elsewhere.
                state.breaker.refused(self.all_over(state.note, now));
            }
        };
        // All is well, and was: the record need not even be read.
        let mut as_known = GateState { note: reservation.learned, ..GateState::default() };
        let well = end.outcome == Outcome::Answered && *pass == Pass::default();
        if well {
            change(&mut as_known);
        }
        if well && as_known.note == reservation.learned {
            return Ok(());
        }
        self.gate().change(change).await
    }

    async fn record(&self, _tally: Tally, _now: UnixMillis) -> Result<(), StoreError> {
        Ok(())
    }

    async fn figures(&self, _now: UnixMillis) -> Result<Figures, StoreError> {
        Ok(Figures::default())
    }

    async fn status(&self, now: UnixMillis) -> Result<Status, StoreError> {
        let period = self.limits.window;
        let GateState { breaker, note } = self.gate().read().await?;
        let view = self.view(note, now);
        let current = self.current(&view);
        let (mut used, mut remaining, mut closed) = (0, view.limit, None);
        for window in self.reachable(&view, now) {
            let held = self.held(window).await?.clamp(0, view.limit);
            if window == current {
                used = held;
            }
            remaining = remaining.min(view.limit - held);
            if held == view.limit {
                let reopens_at = self.surely_begun(WindowId(window.0 + 1), &view);
                closed = Some(Closed { reason: ClosedReason::FreeExhausted, reopens_at });
            }
        }
        if let Some(reopens_at) = breaker.until.filter(|until| *until > now) {
            closed = Some(Closed { reason: breaker.cause.into(), reopens_at });
        }
        let ahead = (view.ahead.0 + view.ahead.1).div_euclid(2);
        Ok(Status {
            limit: view.limit,
            used,
            remaining: if closed.is_some() { 0 } else { remaining },
            window_starts_at: UnixMillis(current.start(period).0 - ahead),
            window_ends_at: UnixMillis(current.end(period).0 - ahead),
            closed,
        })
    }
}

#[cfg(test)]
#[path = "key_value_tests.rs"]
mod tests;
