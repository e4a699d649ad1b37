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
//! boundary. Nothing is written when it settles, except near a boundary or when it did not go well. A message
//! that does not go free is counted with two calls.

mod view;
mod windows;

use octo_core::{KeyValue, StoreError, UnixMillis};

use super::{
    Ask, Closed, ClosedReason, End, FreeTier, Limits, Outcome, Reservation, Status, Verdict,
    learned::{Around, Learned},
    window::WindowId,
};
use crate::breaker::{Gate, GateState, Pass, Permit};
use crate::figures::{Fate, Figures, Kind, Tally};
use view::View;
use windows::Windows;

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

    fn windows(&self) -> Windows<'a, K> {
        Windows { store: self.store, period: self.limits.window }
    }

    /// What is learned from the provider stands in the record of its gate: one read for both.
    fn gate(&self) -> Gate<'a, K, Learned> {
        Gate::new(self.store, "free", self.limits.timeout + self.limits.skew)
    }

    /// Takes a slot in every window that a call made now may fall in, or in none; then tells which is full.
    async fn take(&self, view: &View) -> Result<Result<Taken, WindowId>, StoreError> {
        let (windows, current) = (view.reachable(view.now), view.current());
        let mut taken = Taken { windows, used: 0, remaining: view.limit, starts_at: None };
        for (index, &window) in taken.windows.iter().enumerate() {
            let number = self.windows().take(window, view).await?;
            if number > view.limit {
                if index > 0 || view.slots_may_return(window) {
                    self.give_back(taken.windows.iter().take(index + 1)).await?;
                }
                return Ok(Err(window));
            }
            taken.used = taken.used.max(number);
            if window == current {
                taken.remaining = view.limit - number;
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
        let starts_at = view.surely_begun(window);
        let windows = view.reachable(starts_at);
        if starts_at > wait_until || windows != [window] {
            return Ok(None);
        }
        let used = self.windows().take(window, view).await?;
        if used > view.limit {
            self.give_back([window].iter()).await?;
            return Ok(None);
        }
        Ok(Some(Taken { windows, used, remaining: view.limit - used, starts_at: Some(starts_at) }))
    }

    async fn give_back(&self, windows: impl Iterator<Item = &WindowId>) -> Result<(), StoreError> {
        for &window in windows {
            self.windows().give_back(window).await?;
        }
        Ok(())
    }

    /// Gives back the slots that the call surely did not use, and counts what it came to.
    async fn clear(
        &self,
        reservation: &Reservation,
        outcome: Outcome,
        tally: Option<Tally>,
        view: &View,
    ) -> Result<(), StoreError> {
        let windows = self.windows();
        let (unused, used): (Vec<WindowId>, Vec<_>) =
            reservation.windows.iter().partition(|window| match outcome {
                Outcome::Answered => view.is_to_come(**window),
                Outcome::NotSent | Outcome::Unused => true,
                Outcome::Refused { .. } | Outcome::Unknown => false,
            });
        self.give_back(unused.iter()).await?;
        // A slot that is neither given back nor spent counts as a free call.
        let free = usize::from(outcome == Outcome::Answered);
        for &window in used.iter().skip(free) {
            windows.spend(window, view).await?;
        }
        if matches!(outcome, Outcome::Refused { .. }) {
            windows.count(Kind::Blocked, view).await?;
        }
        match tally {
            Some(tally) => self.count(tally, view).await,
            None => Ok(()),
        }
    }

    async fn count(&self, tally: Tally, view: &View) -> Result<(), StoreError> {
        for kind in tally.kinds().filter(|kind| *kind != Kind::Fate(Fate::Free)) {
            self.windows().count(kind, view).await?;
        }
        Ok(())
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
                held = held.max(self.windows().taken(window).await?);
            }
        }
        Ok(held)
    }
}

impl<K: KeyValue> FreeTier for KeyValueFreeTier<'_, K> {
    type Slot = Reservation;

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
        let view = View::new(self.limits, &state.note, now);
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
                learned: state.note,
            }),
            Err(full) => Verdict::Closed(Closed {
                reason: ClosedReason::FreeExhausted,
                reopens_at: view.surely_begun(WindowId(full.0 + 1)),
            }),
        })
    }

    async fn settle(
        &self,
        reservation: &Reservation,
        end: &End,
        tally: Option<Tally>,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let view = View::new(self.limits, &reservation.learned, now);
        let held = self.held_around(reservation, end, &view).await?;
        self.clear(reservation, end.outcome, tally, &view).await?;
        let pass = &reservation.pass;
        let change = |state: &mut GateState<Learned>| {
            let before = View::new(self.limits, &state.note, now);
            let moved = self.learn(state, reservation, held, end, now);
            let probe = pass.holds_lease_of(&state.breaker);
            match end.outcome {
                Outcome::Answered => state.breaker.answered(probe),
                Outcome::Refused { retry_after } => {
                    state.breaker.refused(now + retry_after.unwrap_or_default().max(self.limits.block));
                }
                Outcome::NotSent | Outcome::Unknown => state.breaker.failed(probe, now),
                Outcome::Unused => state.breaker.unused(probe, now),
            }
            if moved {
                // What was reserved before is counted in windows that were taken to be elsewhere.
                let after = View::new(self.limits, &state.note, now);
                state.breaker.refused(after.all_over(before.latest_start()));
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

    async fn record(&self, tally: Tally, now: UnixMillis) -> Result<(), StoreError> {
        let learned = self.gate().read().await?.note;
        self.count(tally, &View::new(self.limits, &learned, now)).await
    }

    async fn figures(&self, now: UnixMillis) -> Result<Figures, StoreError> {
        let learned = self.gate().read().await?.note;
        self.windows().figures(&View::new(self.limits, &learned, now)).await
    }

    async fn status(&self, now: UnixMillis) -> Result<Status, StoreError> {
        let GateState { breaker, note } = self.gate().read().await?;
        let view = View::new(self.limits, &note, now);
        let current = view.current();
        let (mut used, mut remaining, mut closed) = (0, view.limit, None);
        for window in view.reachable(now) {
            let taken = self.windows().taken(window).await?.clamp(0, view.limit);
            if window == current {
                used = taken;
            }
            remaining = remaining.min(view.limit - taken);
            if taken == view.limit {
                let reopens_at = view.surely_begun(WindowId(window.0 + 1));
                closed = Some(Closed { reason: ClosedReason::FreeExhausted, reopens_at });
            }
        }
        if let Some(reopens_at) = breaker.until.filter(|until| *until > now) {
            closed = Some(Closed { reason: breaker.cause.into(), reopens_at });
        }
        Ok(Status {
            limit: view.limit,
            used,
            remaining: if closed.is_some() { 0 } else { remaining },
            window_starts_at: view.start(current),
            window_ends_at: view.start(WindowId(current.0 + 1)),
            closed,
        })
    }
}

#[cfg(test)]
mod figures_tests;
#[cfg(test)]
mod tests;
