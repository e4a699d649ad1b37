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

use octo_core::async_trait;
use octo_core::{KeyValue, StoreError, UnixMillis};

use super::{
    Ask, Closed, ClosedReason, Decision, End, FreeTier, Limits, Outcome, Reservation, Status,
    learned::{Ended, Learned},
    window::WindowId,
};
use crate::breaker::{BreakerState, Pass, Permit, SharedBreaker};
use crate::stats::{Kind, MessageOutcome, Stats, StatsEvent};
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
    fn gate(&self) -> SharedBreaker<'a, K, Learned> {
        SharedBreaker::new(self.store, "free", self.limits.timeout + self.limits.skew)
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
        tally: Option<StatsEvent>,
        view: &View,
    ) -> Result<(), StoreError> {
        let windows = self.windows();
        let (unused, used): (Vec<WindowId>, Vec<_>) =
            reservation.windows.iter().partition(|window| match outcome {
                Outcome::Answered => view.is_to_come(**window),
                Outcome::NotSent | Outcome::Unused => true,
                _ => false,
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

    async fn count(&self, tally: StatsEvent, view: &View) -> Result<(), StoreError> {
        for kind in tally.kinds().filter(|kind| *kind != Kind::Outcome(MessageOutcome::Free)) {
            self.windows().count(kind, view).await?;
        }
        Ok(())
    }

    /// Brings what the end of a call teaches into the record of the gate. `held`: the slots that its windows hold
    /// now. False when the windows stay where they are.
    fn learn(
        &self,
        state: &mut BreakerState<Learned>,
        reservation: &Reservation,
        held: Held,
        end: &End,
        now: UnixMillis,
    ) -> bool {
        let view = View::new(self.limits, &state.note, now);
        let (limits, learned, told) = (&self.limits, &mut state.note, end.told.within_reason());
        let sent_at = reservation.starts_at.unwrap_or(reservation.reserved_at);
        let window_ends = view.surely_begun(WindowId(view.current().0 + 1));
        let call = Ended { sent_at, held: held.most.max(reservation.used), window_ends };
        if let Some(limit) = told.limit {
            learned.limit_told(limits, limit, &call);
        }
        if let Some(left) = told.remaining {
            learned.remaining_told(limits, &call, left, &told, now);
        }
        let refused = matches!(end.outcome, Outcome::Refused { .. });
        if refused && reservation.pass.lease.is_none() && !state.breaker.refuses(now) {
            learned.refused(limits, reservation.used, &told, now);
        }
        told.date.is_some_and(|date| learned.date_told(limits, sent_at, date, now))
    }

    /// Whether the end of a call moves the windows and every call that was counted stands in the right window all the
    /// same. So it is when a provider turns out to be ahead in the first window ever: whatever was sent before went into
    /// this window by the old view, and goes into it by the new one. (A provider that is behind would have calls that were
    /// booked in the next window arrive in this one.)
    async fn count_carries_over_a_move(
        &self,
        reservation: &Reservation,
        held: Held,
        end: &End,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let mut tried = BreakerState { note: reservation.learned, ..BreakerState::default() };
        if end.told.date.is_none() || !self.learn(&mut tried, reservation, held, end, now) {
            return Ok(false);
        }
        let before = View::new(self.limits, &reservation.learned, now);
        let after = View::new(self.limits, &tried.note, now);
        // Also for calls that others reserve before they hear of it.
        let later = now + self.limits.timeout + self.limits.skew;
        let (window, previous) = (before.current(), WindowId(before.current().0 - 1));
        let inside = [before, after]
            .iter()
            .all(|view| [now, later].iter().all(|start| view.reachable(*start) == [window]));
        Ok(inside
            && after.is_ahead_of(&before)
            && self.windows().none_is_over().await?
            && self.windows().taken(previous).await? == 0)
    }

    /// The slots that the windows of `reservation` hold now, as far as that matters: they are read only when a call
    /// did not go well, or when what it was told might prove less room than is known.
    async fn held_around(
        &self,
        reservation: &Reservation,
        end: &End,
        view: &View,
    ) -> Result<Held, StoreError> {
        let mut held = Held { most: reservation.used, window: None };
        let told = end.told.within_reason();
        let doubted = told.remaining.is_some_and(|left| told.at_most(held.most, left) < view.limit);
        if doubted || end.outcome != Outcome::Answered {
            for &window in &reservation.windows {
                let taken = self.windows().taken(window).await?;
                if taken >= held.most {
                    held = Held { most: taken, window: Some(window) };
                }
            }
        }
        Ok(held)
    }

    /// Why no call could go at `now`, if so, for one that finds as many slots held.
    fn closed(&self, state: &BreakerState<Learned>, held: Held, now: UnixMillis) -> Option<Closed> {
        let view = View::new(self.limits, &state.note, now);
        let window = held.window.filter(|_| held.most >= view.limit);
        let full = window.map(|window| view.surely_begun(WindowId(window.0 + 1)));
        let full = full.max(state.note.shut_until(now)).filter(|until| now < *until);
        match state.breaker.until.filter(|until| now < *until) {
            Some(until) => {
                let reopens_at = full.map_or(until, |full| full.max(until));
                Some(Closed { reason: state.breaker.cause.into(), reopens_at })
            }
            None => full.map(|reopens_at| Closed { reason: ClosedReason::FreeExhausted, reopens_at }),
        }
    }
}

/// How many slots a call's windows hold.
#[derive(Clone, Copy)]
struct Held {
    /// In the window that holds most.
    most: i64,
    /// That window, if it was read.
    window: Option<WindowId>,
}

#[async_trait]
impl<K: KeyValue> FreeTier for KeyValueFreeTier<'_, K> {
    type Slot = Reservation;

    async fn reserve(&self, ask: &Ask, now: UnixMillis) -> Result<Decision, StoreError> {
        let gate = self.gate();
        let state = gate.read().await?;
        if let Some(closed) = shut(&state, now) {
            return Ok(wait_or_give_up(ask, closed));
        }
        let pass = match gate.permit(&state, now).await? {
            Permit::Go(pass) => pass,
            Permit::Closed { until, cause } => {
                return Ok(wait_or_give_up(ask, Closed { reason: cause.into(), reopens_at: until }));
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
            Ok(Taken { windows, used, remaining, starts_at }) => Decision::Allow(Reservation {
                reserved_at: now,
                windows,
                used,
                remaining,
                pass,
                starts_at,
                learned: state.note,
            }),
            Err(full) => Decision::Deny(Closed {
                reason: ClosedReason::FreeExhausted,
                reopens_at: view.surely_begun(WindowId(full.0 + 1)),
            }),
        })
    }

    async fn settle(
        &self,
        reservation: &Reservation,
        end: &End,
        tally: Option<StatsEvent>,
        now: UnixMillis,
    ) -> Result<Option<Closed>, StoreError> {
        let view = View::new(self.limits, &reservation.learned, now);
        let held = self.held_around(reservation, end, &view).await?;
        self.clear(reservation, end.outcome, tally, &view).await?;
        let carried = self.count_carries_over_a_move(reservation, held, end, now).await?;
        let pass = &reservation.pass;
        let change = |state: &mut BreakerState<Learned>| {
            let before = View::new(self.limits, &state.note, now);
            let moved = self.learn(state, reservation, held, end, now);
            let probe = pass.holds_lease_of(&state.breaker);
            match end.outcome {
                Outcome::Answered => state.breaker.answered(probe),
                Outcome::Rejected => state.breaker.rejected(probe),
                Outcome::Refused { retry_after } => {
                    state.breaker.refused(now + retry_after.unwrap_or_default().max(self.limits.block));
                }
                Outcome::Overloaded { wait } => state.breaker.refused(now + wait),
                Outcome::NotSent | Outcome::Unknown => state.breaker.failed(probe, now),
                Outcome::Unused => state.breaker.unused(probe, now),
            }
            if moved && !carried {
                // What was reserved before is counted in windows that were taken to be elsewhere.
                let after = View::new(self.limits, &state.note, now);
                state.breaker.refused(after.all_over(before.latest_start()));
            }
        };
        // All is well, and was: the record need not even be read.
        let mut known = BreakerState { note: reservation.learned, ..BreakerState::default() };
        let says_nothing = *pass == Pass::default() && end.outcome == Outcome::Answered
            || pass.lease.is_none() && end.outcome == Outcome::Rejected;
        if says_nothing {
            change(&mut known);
        }
        if !says_nothing || known.note != reservation.learned {
            self.gate()
                .change(|state| {
                    change(state);
                    // Noted while it is known, for those who are told until when it is left alone.
                    if let Some(until) = state.breaker.until
                        && let Some(closed) =
                            self.closed(state, held, now).filter(|closed| until < closed.reopens_at)
                    {
                        state.note.shut = Some(closed.reopens_at);
                    }
                    known = *state;
                })
                .await?;
        }
        Ok(if end.outcome == Outcome::Answered { None } else { self.closed(&known, held, now) })
    }

    async fn record(&self, tally: StatsEvent, now: UnixMillis) -> Result<(), StoreError> {
        let learned = self.gate().read().await?.note;
        self.count(tally, &View::new(self.limits, &learned, now)).await
    }

    async fn figures(&self, now: UnixMillis) -> Result<Stats, StoreError> {
        let learned = self.gate().read().await?.note;
        self.windows().figures(&View::new(self.limits, &learned, now)).await
    }

    async fn status(&self, now: UnixMillis) -> Result<Status, StoreError> {
        let BreakerState { breaker, note } = self.gate().read().await?;
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
        if let Some(reopens_at) = note.shut_until(now) {
            let later = closed.map_or(reopens_at, |full: Closed| full.reopens_at.max(reopens_at));
            closed = Some(Closed { reason: ClosedReason::FreeExhausted, reopens_at: later });
        }
        if let Some(until) = breaker.until.filter(|until| *until > now) {
            let reopens_at = closed.map_or(until, |full| full.reopens_at.max(until));
            closed = Some(Closed { reason: breaker.cause.into(), reopens_at });
        }
        Ok(Status {
            limit: note.lasting_limit(&self.limits, now),
            used,
            remaining: if closed.is_some() { 0 } else { remaining },
            window_starts_at: view.start(current),
            window_ends_at: view.start(WindowId(current.0 + 1)),
            closed,
        })
    }
}

/// Why nobody need ask further while nothing is left: the latest of what stands in the way.
fn shut(state: &BreakerState<Learned>, now: UnixMillis) -> Option<Closed> {
    let shut = state.note.shut_until(now)?;
    Some(match state.breaker.until.filter(|until| now < *until) {
        Some(until) => Closed { reason: state.breaker.cause.into(), reopens_at: until.max(shut) },
        None => Closed { reason: ClosedReason::FreeExhausted, reopens_at: shut },
    })
}

/// For a provider that is closed for a while: whether the message waits for it.
fn wait_or_give_up(ask: &Ask, closed: Closed) -> Decision {
    if ask.wait_until.is_some_and(|until| closed.reopens_at <= until) {
        Decision::Queue(closed.reopens_at)
    } else {
        Decision::Deny(closed)
    }
}

#[cfg(test)]
mod stats_tests;
#[cfg(test)]
mod tests;
