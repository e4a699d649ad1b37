//! The counter's decisions, for every window model, over a plain value and given times.
//!
//! The script in `script/` is the same in Redis's own language; a property test drives both with the
//! same histories and requires the same answers.
//!
//! # Words
//! A call reserves at `s` and is known to have ended at `c`, both on the store's clock, which never goes
//! back. It reaches the provider, if at all, at some `a` with `s <= a <= c`. A call whose end is never told
//! has `c = s + T + u`: it is given up after T, and u covers what is on the way then.
//!
//! A slot is **open** from its reservation until its end is told, **settled** afterwards, and **released**
//! at `release(c)`, an open one at `release(s + T + u)`. It is *held* until it is released.
//!
//! # Why no window sees more than N calls
//! Sliding, aligned, anchored: a slot is given only while fewer than N are held, and *a slot is released
//! only when its call and one reserved from now on cannot share a window*. Were there N + 1 calls in a
//! window, look at the one reserved last: of the N others at least one had been released by then, so it
//! shares no window with it.
//!
//! - **Sliding**, `release(c) = c + P`: a later call arrives at `a' >= s' >= c + P >= a + P`.
//! - **Aligned**, `release(c)` = the end of the window that holds `c + u`, plus `u`. On the provider's clock
//!   the call arrives by `c + u`, and a later one not before that window's end. When the provider's clock
//!   was found to be off, other bounds stand for -u and u ([`learned`](super::learned)).
//! - **Anchored**: the window that holds `a` began by `a <= c`, so it ends by `c + P`. Most slots leave
//!   earlier, together. Let `g` be a time before which no window of the current *epoch* can have begun, and
//!   `h` the end of the first call of the epoch that surely arrived (the *witness*). The witness's window
//!   began between `g` and `h`. A call with `c < g + P` arrived in that window or an earlier one; so at
//!   `h + P` it is released. Then the next epoch begins. Its windows begin after `g + P`, and with a call
//!   that holds a slot or reserves later: the later of these bounds is the new `g`. Only calls reserved
//!   within an epoch may be its witness. Each *straggler*, a call that may have arrived on either side of a
//!   window's end, widens the time between `g` and `h`; so once a call was turned away, no slot is given
//!   until `h + P`. Then no call is under way, and the next window's beginning is known sharply again.
//! - **Token bucket**: a token is taken from our level when the call *ends*, and a slot given while the level
//!   less the open slots is at least 1. The provider's level is never below ours less the open calls that
//!   have arrived: both are refilled alike, and a token taken later loses more of the refill to the brim.
//! - **Count then block**, `release(c) = c + B`: the provider closes for B at every Nth call that it counts.
//!   Of the released calls `sure` (modulo N) were counted and up to `doubt` more may have been. A call may
//!   go when none of the held ones can have been an Nth, that is while `sure + doubt + held < N`, or when
//!   none is held. A refusal shows that the provider was closed, and so counts from 0 when it opens; of the calls
//!   under way then nobody knows on which side of that they arrived, answered or not, so each is one more in doubt.
//!   Doubt stays until a refusal, or a response that tells what is left, shows where the count stands: time tells
//!   nothing here.
//!
//! Where N is said, the limit in force is meant: what is [`learned`](super::learned) from the provider may be
//! lower. For all models but one a lower limit is on the safe side whether true or not. *Count then block*
//! alone counts modulo the limit, and so needs the true one, be it the operator's or the provider's word.

mod slots;

use std::collections::BTreeSet;

use octo_core::UnixMillis;
use serde::{Deserialize, Serialize};

use super::{
    Ask, Closed, ClosedReason, Decision, End, Limits, Outcome, Status, WindowId, WindowModel,
    history::History,
    learned::{Ended, Learned},
    oracle::Oracle,
    wait_queue::{self, Line},
};
use crate::breaker::Breaker;
use crate::stats::{Kind, Stats, StatsEvent};

/// A slot, as its holder knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slot {
    /// s, on the store's clock.
    pub reserved_at: UnixMillis,
    /// Tells slots of the same time apart.
    pub number: i64,
    /// Slots left after this one.
    pub remaining: i64,
    /// Slots held when it was given, itself included: at least as many as the provider counts. 0 when that is
    /// not known.
    pub used: i64,
    /// Whether this is the single call that finds out if a block is over.
    pub probes: bool,
}

/// Everything the counter remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The latest time seen.
    seen: UnixMillis,
    /// No slot is given before this time: what happened before the state was lost is over by then.
    open_from: UnixMillis,
    /// The number of the newest slot.
    newest: i64,
    /// The provider's refusals and failures.
    breaker: Breaker,
    /// The slot of the probe that holds the breaker's lease.
    probe: Option<i64>,
    /// Release time, reservation time and number of the slots whose end is not known.
    open: BTreeSet<(UnixMillis, UnixMillis, i64)>,
    /// The same of those whose end is.
    settled: BTreeSet<(UnixMillis, UnixMillis, i64)>,
    epoch: Epoch,
    bucket: Bucket,
    count: Count,
    line: Line,
    learned: Learned,
    /// The limit in force at `seen`.
    limit: i64,
    oracle: Oracle,
    history: History,
}

/// What is known of an anchored provider's window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Epoch {
    /// g: no window of the epoch begins earlier.
    earliest: UnixMillis,
    /// Calls reserved from here on belong to it.
    since: UnixMillis,
    /// h: when the first call ended that surely arrived in it.
    witness: Option<UnixMillis>,
    /// A call was turned away in it.
    full: bool,
}

/// A token bucket: a token is P units, and N units flow in each millisecond, so that all is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bucket {
    level: i64,
    at: UnixMillis,
}

/// Where the count of a provider stands that blocks after N calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    sure: i64,
    doubt: i64,
    /// The newest slot when the count began anew: calls with it or an older one may be out of the count.
    anew_after: i64,
}

/// The rules for a provider of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Ledger {
    /// How its windows lie in time.
    pub model: WindowModel,
    /// What it allows.
    pub limits: Limits,
}

impl Ledger {
    /// The state for a provider that is known to have seen no call.
    pub fn fresh(&self, now: UnixMillis) -> State {
        State {
            seen: now,
            open_from: now,
            newest: 0,
            breaker: Breaker::default(),
            probe: None,
            open: BTreeSet::new(),
            settled: BTreeSet::new(),
            epoch: Epoch::default(),
            bucket: Bucket { level: self.brim(self.limits.calls), at: now },
            count: Count::default(),
            line: Line::default(),
            learned: Learned::default(),
            limit: self.limits.calls,
            oracle: Oracle::default(),
            history: History::default(),
        }
    }

    /// The state when none is found: any number of calls may have been reserved up to now, and nothing is
    /// known of their ends. As for every slot whose end is not told, what they did is over at their release.
    /// Only the count of a provider that never forgets a call stays in doubt.
    pub fn recovered(&self, now: UnixMillis) -> State {
        let over = match self.model {
            WindowModel::TokenBucket => self.given_up(now) + self.limits.window,
            _ => self.release(&Learned::default(), self.given_up(now)),
        };
        let doubt = if self.model == WindowModel::CountThenBlock { self.limits.calls - 1 } else { 0 };
        State { open_from: over, count: Count { doubt, ..Count::default() }, ..self.fresh(now) }
    }

    /// Asks for a slot.
    pub fn reserve(&self, state: &mut State, ask: &Ask, asked: UnixMillis) -> Decision<Slot> {
        let now = self.advance(state, asked);
        if ask.first && !self.oracle_sends(state, now) {
            self.count(state, Kind::Oracle, now);
        }
        // Only the distance counts of the time until which it waits: it is on the caller's clock.
        let wait_until = ask.wait_until.map(|until| now + until.since(asked));
        let before = state.line.before(&ask.id);
        let (closed, in_time) = match self.room(state, now) {
            Ok(room) if before < room => {
                state.line.leave(&ask.id);
                return Decision::Allow(self.give(state, now));
            }
            // Those before it come for what is left.
            Ok(_) => {
                let reopens_at = now + wait_queue::ASK_AGAIN;
                (Closed { reason: ClosedReason::FreeExhausted, reopens_at }, true)
            }
            Err(closed) => {
                state.epoch.full |= self.model == WindowModel::Anchored
                    && closed.reason == ClosedReason::FreeExhausted
                    && state.held() >= state.learned.lasting_limit(&self.limits, now);
                (closed, wait_until.is_some_and(|until| closed.reopens_at <= until))
            }
        };
        if let Some(until) = wait_until.filter(|until| *until > now)
            && in_time
            && state.line.join(&ask.id, now)
        {
            return Decision::Queue(closed.reopens_at.min(now + wait_queue::ASK_AGAIN).min(until));
        }
        state.line.leave(&ask.id);
        Decision::Deny(closed)
    }

    /// Gives a slot.
    fn give(&self, state: &mut State, now: UnixMillis) -> Slot {
        if self.model == WindowModel::Anchored && state.held() == 0 {
            state.epoch = Epoch { earliest: now, since: now, witness: None, full: false };
        }
        state.newest += 1;
        let probes = state.breaker.until.is_some();
        if probes {
            state.breaker.until = Some(self.given_up(now));
            state.probe = Some(state.newest);
        }
        state.open.insert((self.release(&state.learned, self.given_up(now)), now, state.newest));
        let remaining = self.remaining(state);
        let used = if state.count.doubt > 0 { 0 } else { state.limit - remaining };
        Slot { reserved_at: now, number: state.newest, remaining: remaining.max(0), used, probes }
    }

    /// Tells how the call with this slot ended; why the next could not go, unless all went well.
    pub fn settle(
        &self,
        state: &mut State,
        slot: &Slot,
        end: &End,
        tally: Option<StatsEvent>,
        now: UnixMillis,
    ) -> Option<Closed> {
        let now = self.advance(state, now);
        let blocked = matches!(end.outcome, Outcome::Refused { .. }).then_some(Kind::Blocked);
        for kind in blocked.into_iter().chain(tally.into_iter().flat_map(StatsEvent::kinds)) {
            self.count(state, kind, now);
        }
        let outcome = end.outcome;
        // A slot whose outcome is unknown counts as ending when it must have: it is held so already. One
        // whose end is told after its time is gone.
        let held = outcome.ends_the_call() && state.take_open(slot);
        let moved = self.learn(state, slot, held, end, now);
        let probe = state.probe == Some(slot.number);
        if probe {
            state.probe = None;
        }
        match outcome {
            Outcome::Answered => state.breaker.answered(probe),
            Outcome::Rejected => state.breaker.rejected(probe),
            Outcome::Refused { retry_after } => {
                let until = now + retry_after.unwrap_or_default().max(self.limits.block);
                self.leave_alone(state, until);
            }
            Outcome::Overloaded { wait } => self.leave_alone(state, now + wait),
            Outcome::NotSent | Outcome::Unknown => state.breaker.failed(probe, now),
            Outcome::Unused => state.breaker.unused(probe, now),
        }
        if moved {
            // What was reserved before lies in windows that were taken to be elsewhere.
            self.leave_alone(state, self.release(&state.learned, self.given_up(now)));
        }
        if held {
            self.release_ended(state, slot, outcome, now);
        }
        if outcome == Outcome::Answered { None } else { self.closed(state, now) }
    }

    /// Gives the slot of a call back that was over at `now`, or plans when.
    fn release_ended(&self, state: &mut State, slot: &Slot, outcome: Outcome, now: UnixMillis) {
        match outcome {
            Outcome::Refused { .. } if self.model == WindowModel::CountThenBlock => {
                self.restart_count(state, slot.reserved_at);
            }
            Outcome::Refused { .. } => self.end(state, slot, now),
            Outcome::Answered => {
                self.end(state, slot, now);
                if self.model == WindowModel::Anchored && slot.reserved_at >= state.epoch.since {
                    state.epoch.witness.get_or_insert(now);
                }
            }
            _ => {}
        }
    }

    /// Counts what became of a message that holds no slot.
    pub fn record(&self, state: &mut State, tally: StatsEvent, now: UnixMillis) {
        let now = self.advance(state, now);
        for kind in tally.kinds() {
            self.count(state, kind, now);
        }
    }

    /// What became of the messages so far.
    pub fn figures(&self, state: &mut State, now: UnixMillis) -> Stats {
        let now = self.advance(state, now);
        state.history.figures(state.line.length(), now, self.limits.window)
    }

    fn count(&self, state: &mut State, kind: Kind, now: UnixMillis) {
        state.history.count(kind, now, self.limits.window);
    }

    fn oracle_sends(&self, state: &mut State, now: UnixMillis) -> bool {
        let (least, most) = state.learned.ahead(&self.limits);
        let ahead = (least + most).div_euclid(2);
        state.oracle.sends(self.model, &self.limits, state.limit, ahead, now)
    }

    fn leave_alone(&self, state: &mut State, until: UnixMillis) {
        state.breaker.refused(until);
        // Who probes now has no say any more.
        state.probe = None;
    }

    /// Learns from what the provider told, and from a refusal. True when its windows turn out to lie
    /// elsewhere.
    fn learn(&self, state: &mut State, slot: &Slot, held: bool, end: &End, now: UnixMillis) -> bool {
        let (limits, told) = (&self.limits, end.told.within_reason());
        let call = Ended {
            sent_at: slot.reserved_at,
            held: slot.used + state.newest - slot.number,
            window_ends: self.window_ends(state, now),
        };
        let learned = &mut state.learned;
        if let Some(limit) = told.limit {
            learned.limit_told(limits, limit, &call);
        }
        // A provider that counts over any time has no window that r could be of.
        if let Some(left) = told.remaining
            && held
            && self.model != WindowModel::CountThenBlock
        {
            learned.remaining_told(limits, &call, left, &told, now);
        }
        // A probe may be refused because the block lasts; so may be what was sent before it was known.
        let refused = matches!(end.outcome, Outcome::Refused { .. });
        if refused && held && slot.used > 0 && !slot.probes && !state.breaker.refuses(now) {
            learned.refused(limits, slot.used, &told, now);
        }
        let moved = self.model == WindowModel::Aligned
            && told.date.is_some_and(|date| learned.date_told(limits, slot.reserved_at, date, now));
        self.heed(state, now);
        if let Some(left) = told.remaining
            && held
            && self.model == WindowModel::CountThenBlock
            && end.outcome == Outcome::Answered
            && !told.foreign
        {
            self.count_told(state, slot, left);
        }
        moved
    }

    /// A call that is over was told how many are left. If the provider had no other meanwhile, that tells where
    /// its count stood.
    fn count_told(&self, state: &mut State, slot: &Slot, left: i64) {
        let ended_before = |release: UnixMillis| release <= slot.reserved_at + self.limits.block;
        let alone = state.open.is_empty()
            && state.newest == slot.number
            && state.settled.last().is_none_or(|(release, ..)| ended_before(*release));
        if alone {
            let sure = state.limit - left - 1 - state.held();
            state.count = Count { sure: sure.max(0), doubt: 0, ..state.count };
        }
    }

    /// When the window of `now` ends, as far as there is one.
    fn window_ends(&self, state: &State, now: UnixMillis) -> UnixMillis {
        match self.model {
            WindowModel::Aligned => self.release(&state.learned, now),
            _ => now + self.limits.window,
        }
    }

    /// Brings the limit in force at `now` to bear.
    fn heed(&self, state: &mut State, now: UnixMillis) {
        let limit = state.learned.limit(&self.limits, now);
        let Count { sure, doubt, .. } = state.count;
        let lowered = self.model == WindowModel::CountThenBlock && limit < state.limit;
        if lowered && sure + doubt + state.held() >= limit {
            // The provider may have begun to count anew, and who knows when.
            state.count = Count { sure: 0, doubt: limit - 1, ..state.count };
        }
        if limit < state.limit {
            // How full a smaller bucket is that was refilled more slowly, nobody knows.
            state.bucket.level = state.bucket.level.min(0);
        }
        state.limit = limit;
    }

    /// The state as people see it.
    pub fn status(&self, state: &mut State, now: UnixMillis) -> Status {
        let now = self.advance(state, now);
        let closed = self.closed(state, now);
        let remaining = self.remaining(state).clamp(0, state.limit);
        let period = self.limits.window;
        let (window_starts_at, window_ends_at) = match self.model {
            WindowModel::Aligned => {
                let (least, most) = state.learned.ahead(&self.limits);
                let ahead = (least + most).div_euclid(2);
                let window = WindowId::containing(UnixMillis(now.0 + ahead), period);
                (UnixMillis(window.start(period).0 - ahead), UnixMillis(window.end(period).0 - ahead))
            }
            WindowModel::Anchored if state.held() > 0 => {
                let epoch = state.epoch;
                (epoch.earliest, epoch.witness.unwrap_or(epoch.earliest) + period)
            }
            _ => (now - period, state.first_release().unwrap_or(now)),
        };
        Status {
            limit: state.learned.lasting_limit(&self.limits, now),
            used: state.limit - remaining,
            remaining: if closed.is_some() { 0 } else { (remaining - state.line.length()).max(0) },
            window_starts_at,
            window_ends_at,
            closed,
        }
    }
}

impl State {
    /// The latest time seen: time does not go back.
    pub fn latest(&self) -> UnixMillis {
        self.seen
    }
}

#[cfg(test)]
mod tests;
