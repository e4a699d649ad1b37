//! Slots: held, released, and when the next one is to be had.

use std::{collections::BTreeSet, time::Duration};

use octo_core::{UnixMillis, time::millis};

use super::{Count, Epoch, Ledger, Slot, State};
use crate::breaker::{Breaker, Cause};
use crate::free_tier::{Closed, ClosedReason, Limits, WindowId, WindowModel, learned::Learned};

impl Ledger {
    /// How many slots may be given now, at least one; or why none.
    pub(super) fn room(&self, state: &State, now: UnixMillis) -> Result<i64, Closed> {
        match self.closed(state, now) {
            Some(closed) => Err(closed),
            // A single probe.
            None if state.breaker.until.is_some() => Ok(1),
            None => Ok(self.remaining(state).max(1)),
        }
    }

    /// Why no slot is given, if none is, and until when: the latest of what stands in the way.
    pub(super) fn closed(&self, state: &State, now: UnixMillis) -> Option<Closed> {
        let Breaker { until, cause, .. } = state.breaker;
        let (left_alone, cause) = match until {
            Some(until) if until > state.open_from => (until, cause),
            _ => (state.open_from, Cause::Refused),
        };
        let full = self.full(state, now);
        if left_alone > now {
            let reopens_at = full.map_or(left_alone, |full| full.max(left_alone));
            return Some(Closed { reason: cause.into(), reopens_at });
        }
        full.map(|reopens_at| Closed { reason: ClosedReason::FreeExhausted, reopens_at })
    }

    /// Until when there is no slot, if there is none.
    fn full(&self, state: &State, now: UnixMillis) -> Option<UnixMillis> {
        let lone = self.model == WindowModel::CountThenBlock && state.held() == 0;
        let taken = match state.epoch.witness.filter(|_| state.epoch.full) {
            Some(witness) => Some(witness + self.limits.window),
            None => (self.remaining(state) < 1 && !lone).then(|| self.next_release(state, now)),
        };
        taken.max(state.learned.shut_until(now))
    }

    /// Moves time forward: releases what is over.
    pub(super) fn advance(&self, state: &mut State, now: UnixMillis) -> UnixMillis {
        let now = state.seen.max(now);
        state.seen = now;
        state.line.forget(now);
        if self.model == WindowModel::TokenBucket {
            while let Some(&(gone, ..)) = state.open.first().filter(|(release, ..)| *release <= now) {
                state.open.pop_first();
                self.charge(state, gone);
            }
            self.refill(state, now);
        } else {
            let open = release_until(&mut state.open, now);
            let settled = release_until(&mut state.settled, now);
            match self.model {
                WindowModel::CountThenBlock => state.count.add(&open, &settled, state.limit),
                WindowModel::Anchored => self.advance_epoch(state, now),
                _ => {}
            }
        }
        self.heed(state, now);
        now
    }

    fn advance_epoch(&self, state: &mut State, now: UnixMillis) {
        let period = self.limits.window;
        if state.epoch.witness.is_none_or(|witness| witness + period > now) {
            return;
        }
        // `c < g + P`, and the releases in the sets are `c + P`.
        let last = state.epoch.earliest + 2 * period - Duration::from_millis(1);
        release_until(&mut state.open, last);
        release_until(&mut state.settled, last);
        let first = state.open.iter().chain(&state.settled).map(|(_, s, _)| *s).min().unwrap_or(now);
        let earliest = first.max(state.epoch.earliest + period);
        state.epoch = Epoch { earliest, since: now, witness: None, full: false };
    }

    /// A call that may have arrived ended at `now`.
    pub(super) fn end(&self, state: &mut State, slot: &Slot, now: UnixMillis) {
        if self.model == WindowModel::TokenBucket {
            self.charge(state, now);
        } else {
            state.settled.insert((self.release(&state.learned, now), slot.reserved_at, slot.number));
        }
    }

    /// The provider was closed when a call reserved at `refused` arrived, so it counts from 0 when it opens.
    /// Calls that ended before are out of its count; of the others it is not known.
    pub(super) fn restart_count(&self, state: &mut State, refused: UnixMillis) {
        release_until(&mut state.settled, self.release(&state.learned, refused));
        state.count = Count { sure: 0, doubt: 0, anew_after: state.newest };
    }

    fn charge(&self, state: &mut State, at: UnixMillis) {
        self.refill(state, at);
        state.bucket.level -= millis(self.limits.window);
    }

    /// By the limit at the time it was last refilled, which is the lower one if it rises meanwhile.
    pub(super) fn refill(&self, state: &mut State, at: UnixMillis) {
        let flowed = millis(at.since(state.bucket.at)).min(millis(self.limits.window)) * state.limit;
        state.bucket.level = (state.bucket.level + flowed).min(self.brim(state.limit));
        state.bucket.at = state.bucket.at.max(at);
    }

    pub(super) fn brim(&self, limit: i64) -> i64 {
        limit.saturating_mul(millis(self.limits.window))
    }

    /// Slots that could be given now, if nothing is blocked.
    pub(super) fn remaining(&self, state: &State) -> i64 {
        match self.model {
            WindowModel::TokenBucket => {
                state.bucket.level.div_euclid(millis(self.limits.window)) - state.held()
            }
            WindowModel::CountThenBlock => state.limit - state.count.sure - state.count.doubt - state.held(),
            _ => state.limit - state.held(),
        }
    }

    /// When the next slot becomes free if no open call's end is told before.
    fn next_release(&self, state: &State, now: UnixMillis) -> UnixMillis {
        let first = state.first_release().unwrap_or(now);
        let period = self.limits.window;
        match self.model {
            WindowModel::TokenBucket => {
                let missing = (state.held() + 1) * millis(period) - state.bucket.level;
                let flow = (missing + state.limit - 1).div_euclid(state.limit);
                let full = UnixMillis(now.0 + flow);
                // The bucket has no room for more tokens than its limit: one must be taken first.
                if state.held() < state.limit { full } else { full.max(first) }
            }
            WindowModel::CountThenBlock => state.last_release().unwrap_or(now),
            WindowModel::Anchored => match state.epoch.witness {
                Some(witness) if first < state.epoch.earliest + 2 * period => first.min(witness + period),
                _ => first,
            },
            WindowModel::Aligned | WindowModel::Sliding => first,
        }
    }

    /// The latest time at which a call reserved at `s` can arrive.
    pub(super) fn given_up(&self, s: UnixMillis) -> UnixMillis {
        s + self.limits.timeout + self.limits.skew
    }

    /// When a call that ended at `c` can share no window with a new one.
    pub(super) fn release(&self, learned: &Learned, c: UnixMillis) -> UnixMillis {
        let Limits { window, block, .. } = self.limits;
        match self.model {
            WindowModel::Sliding | WindowModel::Anchored => c + window,
            WindowModel::Aligned => {
                let (least, most) = learned.ahead(&self.limits);
                let window_of_c = WindowId::containing(UnixMillis(c.0 + most), window);
                UnixMillis(window_of_c.end(window).0 - least)
            }
            WindowModel::CountThenBlock => c + block,
            // Its token is taken then, and the slot is free.
            WindowModel::TokenBucket => c,
        }
    }
}

impl State {
    pub(super) fn held(&self) -> i64 {
        i64::try_from(self.open.len() + self.settled.len()).unwrap_or(i64::MAX)
    }

    /// Takes the slot out of the open ones, if it is still there.
    pub(super) fn take_open(&mut self, slot: &Slot) -> bool {
        let is_it = |(_, s, number): &&(_, _, _)| (*s, *number) == (slot.reserved_at, slot.number);
        let found = self.open.iter().find(is_it).copied();
        found.is_some_and(|found| self.open.remove(&found))
    }

    pub(super) fn first_release(&self) -> Option<UnixMillis> {
        self.open.first().into_iter().chain(self.settled.first()).map(|(release, ..)| *release).min()
    }

    fn last_release(&self) -> Option<UnixMillis> {
        self.open.last().into_iter().chain(self.settled.last()).map(|(release, ..)| *release).max()
    }
}

impl Count {
    /// Adds the calls with these slots, of which it is known of the settled ones alone that they were counted.
    fn add(&mut self, open: &[i64], settled: &[i64], limit: i64) {
        let sure = settled.iter().filter(|number| **number > self.anew_after).count();
        let doubtful = open.len() + settled.len() - sure;
        self.sure = (self.sure + sure as i64) % limit;
        self.doubt = (self.doubt + doubtful as i64).min(limit);
    }
}

/// Takes out the slots released at `now` or earlier: their numbers.
fn release_until(slots: &mut BTreeSet<(UnixMillis, UnixMillis, i64)>, now: UnixMillis) -> Vec<i64> {
    let later = slots.split_off(&(UnixMillis(now.0 + 1), UnixMillis(i64::MIN), i64::MIN));
    std::mem::replace(slots, later).into_iter().map(|(_, _, number)| number).collect()
}
