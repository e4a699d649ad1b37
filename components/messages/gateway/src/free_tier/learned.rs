//! What the provider's responses teach about its limit and its clock. Nothing of it allows more than the
//! operator's variables do.
//!
//! # The limit
//! Each rule holds by itself; in force is the least of what they allow, and at least 1.
//! - **Told limit**: q of a policy with our window is the limit until another is told.
//! - **Room**: r with t to go leaves r calls until then: where our count leaves more, what is held and r, and no more
//!   than q, are the limit until then. Of several proofs the least stands.
//! - **Shut**: with nothing left, though our count leaves something, or by a policy of another window, no call goes
//!   until the reset; of several resets until the latest.
//! - **Cap**: a call that was refused for quota, though it fits, was one too many: the limit is one less than the
//!   slots it was given among, at least half of what it was, for [`CAP_WINDOWS`]. A refusal by a policy of another
//!   window teaches none.
//! - **Later evidence lifts earlier**: a call sent after room or cap were learned that finds more left than they
//!   allow proves them wrong, and raises the cap to what it found.
//!
//! What our count leaves is compared by slots: at most as many calls had arrived as slots were held at some time
//! between the call's reservation and its end, so a provider that leaves r has a limit of at most these and r. A
//! provider that is as the operator says leaves at least what we do, so its responses teach nothing.
//!
//! So a provider that tells q is never overrun once a response with it has settled. One that tells only r is
//! overrun by no more calls than are reserved, after a quiet time of P, until the first response settles. One
//! that tells nothing is refused at most once in [`CAP_WINDOWS`] while calls arrive in their order, and under
//! bursts once for each halving from N to its limit: a burst's first call may arrive last.
//!
//! # The clock
//! The provider's clock less ours, when a call was reserved at s and ended at c, lies between `date - c` and
//! `date + 999 ms - s`. Usually it is taken to lie within u of zero. An answer that proves it does not moves the
//! windows of the aligned model: from then on it is taken to lie within *2u of the interval that the answer
//! proved*. (2u, for each instance's clock may be u away from the others' middle,
//! and so one on either side; and the whole interval, for its date is told in whole seconds.) Later answers
//! make the interval narrower, which takes nothing back of what was promised by the wider one. After a move
//! no slot is given until all calls reserved before are over. A clock that jumps about is followed at most
//! once in [`MOVES`].
//!
//! It knows nothing of stores and slots.

use std::time::Duration;

use octo_core::{UnixMillis, time::millis};
use serde::{Deserialize, Serialize};

use super::{Limits, RateLimitHints};

/// Times told in whole seconds may be that far off.
pub const WHOLE_SECONDS: Duration = Duration::from_secs(1);
/// A refusal is remembered for so many windows, or so many blocks if these are longer.
pub const CAP_WINDOWS: u32 = 10;
/// The windows are not moved again before this time has passed.
pub const MOVES: Duration = Duration::from_secs(3_600);

/// What is known of the provider beyond the operator's variables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Learned {
    /// q, where it is below N.
    pub told: Option<i64>,
    /// What r proves.
    pub room: Option<Bound>,
    /// Nothing is left until then.
    pub shut: Option<UnixMillis>,
    /// What a refusal teaches.
    pub cap: Option<Bound>,
    /// The provider's clock less ours, once it was found to be off.
    pub phase: Option<Phase>,
}

/// A limit for some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bound {
    /// Calls per window.
    pub calls: i64,
    /// When it was learned.
    pub since: UnixMillis,
    /// Until then.
    pub until: UnixMillis,
}

/// Where the provider's clock less ours lies, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// At least.
    pub least: i64,
    /// At most.
    pub most: i64,
    /// When it was found.
    pub since: UnixMillis,
}

/// A call that ended, as our count has it.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// When it was reserved.
    pub sent_at: UnixMillis,
    /// Slots held when it was given its own, which is included, and slots given from then until its end.
    pub held: i64,
    /// When the window ends that it is taken to have been in: a reset that is not told.
    pub window_ends: UnixMillis,
}

impl RateLimitHints {
    /// The most calls that a provider can allow in a window in which so many slots are held and so many calls left:
    /// as many as both, and no more than its q, unless that shows itself as another window's.
    pub fn at_most(&self, held: i64, left: i64) -> i64 {
        let both = held + left;
        self.quota.filter(|quota| *quota >= held).map_or(both, |quota| both.min(quota.max(1)))
    }

    /// The same without what no provider can mean, and what a script's numbers cannot hold.
    pub fn within_reason(self) -> Self {
        const MOST: i64 = 1_000_000_000;
        Self {
            limit: self.limit.filter(|limit| (0..=MOST).contains(limit)),
            remaining: self.remaining.filter(|remaining| (0..=MOST).contains(remaining)),
            reset: self.reset.map(|reset| reset.min(Duration::from_secs(31 * 86_400))),
            quota: self.quota.filter(|quota| (0..=MOST).contains(quota)),
            foreign: self.foreign,
            date: self.date.filter(|date| (0..=1 << 50).contains(&date.0)),
        }
    }
}

impl Learned {
    /// Calls per window that are allowed at `now`.
    pub fn limit(&self, limits: &Limits, now: UnixMillis) -> i64 {
        self.lasting_limit(limits, now).min(in_force(self.room, now).map_or(limits.calls, |room| room.calls))
    }

    /// The same without what only lasts until the next reset.
    pub fn lasting_limit(&self, limits: &Limits, now: UnixMillis) -> i64 {
        let cap = in_force(self.cap, now).map(|cap| cap.calls);
        [self.told, cap].into_iter().flatten().fold(limits.calls, i64::min).max(1)
    }

    /// Until when nothing is left, if that is so at `now`.
    pub fn shut_until(&self, now: UnixMillis) -> Option<UnixMillis> {
        self.shut.filter(|until| now < *until)
    }

    /// The least and the most that the provider's clock is ahead of ours, in milliseconds.
    pub fn ahead(&self, limits: &Limits) -> (i64, i64) {
        let skew = millis(limits.skew);
        match self.phase {
            None => (-skew, skew),
            Some(phase) => (phase.least - 2 * skew, phase.most + 2 * skew),
        }
    }

    /// The response to a call, known at `now`, told a limit.
    pub fn limit_told(&mut self, limits: &Limits, limit: i64, call: &Ended) {
        self.told = (limit < limits.calls).then_some(limit.max(1));
        self.raise_cap(limits, limit, call);
    }

    /// The response to a call, known at `now`, told what is left.
    pub fn remaining_told(
        &mut self,
        limits: &Limits,
        call: &Ended,
        left: i64,
        told: &RateLimitHints,
        now: UnixMillis,
    ) {
        let until = told.reset.map_or(call.window_ends, |reset| now + reset);
        self.shut = self.shut_until(now);
        let most = told.at_most(call.held, left);
        let foreign = told.foreign || told.reset.is_some_and(|reset| reset > limits.window);
        if !foreign {
            self.room = in_force(self.room, now).filter(|room| !room.is_disproved(left + 1, call));
            self.raise_cap(limits, left + 1, call);
            if most >= self.lasting_limit(limits, now) {
                return;
            }
        }
        if left == 0 {
            self.shut = self.shut.max(Some(until).filter(|until| now < *until));
        } else if !foreign {
            let proved = Bound { calls: most, since: now, until };
            self.room = Some(self.room.map_or(proved, |known| known.and(proved)));
        }
    }

    fn raise_cap(&mut self, limits: &Limits, allowed: i64, call: &Ended) {
        if let Some(cap) = self.cap.filter(|cap| cap.is_disproved(allowed, call)) {
            self.cap = (allowed < limits.calls).then_some(Bound { calls: allowed, ..cap });
        }
    }

    /// A call was refused for quota at `now`, the first one since the provider was last open.
    pub fn refused(&mut self, limits: &Limits, used: i64, told: &RateLimitHints, now: UnixMillis) {
        if let Some(calls) = self.limit_after_refusal(limits, used, told, now) {
            let until = now + limits.window.max(limits.block) * CAP_WINDOWS;
            self.cap = Some(Bound { calls, since: now, until });
        }
    }

    fn limit_after_refusal(
        &self,
        limits: &Limits,
        used: i64,
        told: &RateLimitHints,
        now: UnixMillis,
    ) -> Option<i64> {
        let limit = self.limit(limits, now);
        (used <= limit && !told.foreign).then(|| (used - 1).max(limit / 2).max(1))
    }

    /// An answer to a call reserved at `reserved_at`, whose end is known at `now`, told the provider's time.
    /// True when the windows move.
    pub fn date_told(
        &mut self,
        limits: &Limits,
        reserved_at: UnixMillis,
        date: UnixMillis,
        now: UnixMillis,
    ) -> bool {
        let least = date.0 - now.0;
        let most = date.0 + millis(WHOLE_SECONDS) - 1 - reserved_at.0;
        let (known_least, known_most) = self.ahead(limits);
        if most < known_least || known_most < least {
            let moves = self.phase.is_none_or(|phase| phase.since + MOVES <= now);
            if moves {
                self.phase = Some(Phase { least, most, since: now });
            }
            return moves;
        }
        if let Some(phase) = &mut self.phase {
            let (least, most) = (phase.least.max(least), phase.most.min(most));
            // In steps worth a write.
            if least <= most && 4 * (most - least) <= 3 * (phase.most - phase.least) {
                (phase.least, phase.most) = (least, most);
            }
        }
        false
    }
}

fn in_force(bound: Option<Bound>, now: UnixMillis) -> Option<Bound> {
    bound.filter(|bound| now < bound.until)
}

impl Bound {
    /// Whether a call that found so many calls allowed proves it wrong: only one that was sent later can.
    fn is_disproved(&self, allowed: i64, call: &Ended) -> bool {
        self.since <= call.sent_at && self.calls < allowed
    }

    /// Both: the least stands as long as there is proof of any. A reset is told in whole seconds, so what lasts
    /// less than that longer is the same, and not worth a write.
    fn and(self, proved: Bound) -> Bound {
        let until = if proved.until > self.until + WHOLE_SECONDS { proved.until } else { self.until };
        if proved.calls < self.calls { Bound { until, ..proved } } else { Bound { until, ..self } }
    }
}

#[cfg(test)]
#[path = "learned_tests.rs"]
mod tests;
