//! What the provider's answers teach about its limit and its clock. Nothing of it allows more than the
//! operator's variables do.
//!
//! # The limit
//! In force is the least of these, and at least 1:
//! - N, the operator's;
//! - q, told in answers: the newest stands until another is told;
//! - the **room** that r, told in an answer, proves. At most as many calls had arrived as slots were held at
//!   some time between the call's reservation and its end; with r more the provider is full. It stands for
//!   the t told with it, at least for P, and [`WHOLE_SECONDS`] more. As long as answers prove that there is
//!   less than the other limits allow, the least that was proved stands;
//! - the **cap** that a refusal teaches. A call that was given a slot by these rules is never refused if
//!   the limit is right. If it was the nth, there is room for n - 1; but under a burst an early one may
//!   arrive last, so one burst lowers the limit to no less than half. The cap stands for [`CAP_WINDOWS`], and
//!   then the operator's value is tried again.
//!
//! So a provider that tells q is never overrun once an answer with it has settled. One that tells only r is
//! overrun by no more calls than are reserved, after a quiet time of P, until the first answer settles. One
//! that tells nothing is refused at most once in [`CAP_WINDOWS`] while calls arrive in their order, and under
//! bursts once for each halving from N to its limit.
//!
//! # The clock
//! The provider's clock less ours, when a call was reserved at s and ended at c, lies between `date - c` and
//! `date + 999 ms - s`. Usually it is taken to lie within u of zero. An answer that proves it does not moves the windows of the aligned model: from then on it is taken to lie within *2u of the
//! interval that the answer proved*. (2u, for each instance's clock may be u away from the others' middle,
//! and so one on either side; and the whole interval, for its date is told in whole seconds.) Later answers
//! make the interval narrower, which takes nothing back of what was promised by the wider one. After a move
//! no slot is given until all calls reserved before are over. A clock that jumps about is followed at most
//! once in [`MOVES`].
//!
//! It knows nothing of stores and slots.

use std::time::Duration;

use octo_core::{UnixMillis, time::millis};
use serde::{Deserialize, Serialize};

use super::{Limits, Told};

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
    pub room: Option<Cap>,
    /// What a refusal teaches.
    pub cap: Option<Cap>,
    /// The provider's clock less ours, once it was found to be off.
    pub phase: Option<Phase>,
}

/// A limit for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// Calls per window.
    pub calls: i64,
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

/// The slots around a call.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    /// Slots held when it was given its own, which is included.
    pub used: i64,
    /// Slots given from then until its end.
    pub given_since: i64,
}

impl Told {
    /// The same without what no provider can mean, and what a script's numbers cannot hold.
    pub fn within_reason(self) -> Self {
        const MOST: i64 = 1_000_000_000;
        Self {
            limit: self.limit.filter(|limit| (0..=MOST).contains(limit)),
            remaining: self.remaining.filter(|remaining| (0..=MOST).contains(remaining)),
            reset: self.reset.map(|reset| reset.min(Duration::from_secs(31 * 86_400))),
            date: self.date.filter(|date| (0..=1 << 50).contains(&date.0)),
        }
    }
}

impl Learned {
    /// Calls per window that are allowed at `now`.
    pub fn limit(&self, limits: &Limits, now: UnixMillis) -> i64 {
        let in_force = |cap: Option<Cap>| cap.filter(|cap| now < cap.until).map(|cap| cap.calls);
        [self.told, in_force(self.room), in_force(self.cap)]
            .into_iter()
            .flatten()
            .fold(limits.calls, i64::min)
            .max(1)
    }

    /// The least and the most that the provider's clock is ahead of ours, in milliseconds.
    pub fn ahead(&self, limits: &Limits) -> (i64, i64) {
        let skew = millis(limits.skew);
        match self.phase {
            None => (-skew, skew),
            Some(phase) => (phase.least - 2 * skew, phase.most + 2 * skew),
        }
    }

    /// An answer told q.
    pub fn limit_told(&mut self, limits: &Limits, limit: i64) {
        self.told = (limit < limits.calls).then_some(limit.max(1));
    }

    /// An answer at `now` told r, and perhaps t.
    pub fn remaining_told(
        &mut self,
        limits: &Limits,
        around: &Around,
        remaining: i64,
        reset: Option<Duration>,
        now: UnixMillis,
    ) {
        let room = (around.used + around.given_since + remaining).max(1);
        let known = self.room.filter(|known| now < known.until);
        if room >= (Self { room: None, ..*self }).limit(limits, now) {
            return;
        }
        let until = now + reset.unwrap_or_default().max(limits.window) + WHOLE_SECONDS;
        let calls = known.map_or(room, |known| known.calls.min(room));
        // What only lasts a little longer is not worth a write.
        let lasts = |known: Cap| 2 * (until.0 - known.until.0) >= millis(limits.window);
        if known.is_none_or(|known| calls < known.calls || lasts(known)) {
            self.room = Some(Cap { calls, until });
        }
    }

    /// A call was refused at `now`, the first one since the provider was last open.
    pub fn refused(&mut self, limits: &Limits, used: i64, now: UnixMillis) {
        let limit = self.limit(limits, now);
        if used <= limit {
            let calls = (used - 1).max(limit / 2).max(1);
            let until = now + limits.window.max(limits.block) * CAP_WINDOWS;
            self.cap = Some(Cap { calls, until });
        }
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

#[cfg(test)]
#[path = "learned_tests.rs"]
mod tests;
