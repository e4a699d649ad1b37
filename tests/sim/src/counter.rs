//! Counters under simulation: ours in both forms, and what others do.

use std::time::Duration;

use octo_core::{Redis, UnixMillis, testing::ready};
use octo_gateway::free_tier::{
    Ask, Closed, ClosedReason, Decision, End, FreeTier, Ledger, Limits, Outcome, RedisFreeTier, Slot,
    WindowModel, ledger::State,
};

/// A shared counter of free calls, on the store's time.
pub trait Counter {
    /// Whether a call may go free now. `skew` is how far the asking instance's clock is ahead.
    fn reserve(&mut self, ask: &Ask, now: UnixMillis, skew: i64) -> Decision<Slot>;
    /// How it ended.
    fn settle(&mut self, slot: &Slot, end: &End, now: UnixMillis);
}

/// The rules themselves.
#[derive(Debug)]
pub struct Pure(Ledger, State);

impl Pure {
    /// For a provider nobody has called.
    pub fn new(model: WindowModel, limits: Limits, now: UnixMillis) -> Self {
        let ledger = Ledger { model, limits };
        Self(ledger, ledger.fresh(now))
    }

    /// As if the state had been lost, or there had never been one, so long before `now` that its pause is over.
    pub fn trusted_again(model: WindowModel, limits: Limits, now: UnixMillis) -> Self {
        let ledger = Ledger { model, limits };
        let pause = 2 * limits.window + limits.block + limits.timeout + 2 * limits.skew;
        Self(ledger, ledger.recovered(now - pause))
    }
}

impl Counter for Pure {
    fn reserve(&mut self, ask: &Ask, now: UnixMillis, _skew: i64) -> Decision<Slot> {
        self.0.reserve(&mut self.1, ask, now)
    }

    fn settle(&mut self, slot: &Slot, end: &End, now: UnixMillis) {
        self.0.settle(&mut self.1, slot, end, None, now);
    }
}

/// The script on a Redis server, in virtual time. A failure of the server ends the simulation.
#[derive(Debug)]
pub struct Scripted<'a, R>(pub RedisFreeTier<'a, R>);

#[allow(clippy::expect_used)]
impl<R: Redis> Counter for Scripted<'_, R> {
    fn reserve(&mut self, ask: &Ask, now: UnixMillis, _skew: i64) -> Decision<Slot> {
        ready(self.0.reserve(ask, now)).expect("the Redis server must answer")
    }

    fn settle(&mut self, slot: &Slot, end: &End, now: UnixMillis) {
        ready(self.0.settle(slot, end, None, now)).expect("the Redis server must answer");
    }
}

/// Counting when sending, as gateways do: a counter that all instances share, which is deleted P after it
/// appeared (`INCR`, `EXPIRE`), and a pause of B after a refusal.
#[derive(Debug)]
pub struct CountWhenSending {
    limits: Limits,
    expires: UnixMillis,
    count: i64,
    pause: UnixMillis,
}

impl CountWhenSending {
    /// A counter at 0.
    pub fn new(limits: Limits) -> Self {
        Self { limits, expires: UnixMillis(0), count: 0, pause: UnixMillis(0) }
    }
}

impl Counter for CountWhenSending {
    fn reserve(&mut self, _ask: &Ask, now: UnixMillis, _skew: i64) -> Decision<Slot> {
        if now >= self.expires {
            (self.count, self.expires) = (0, now + self.limits.window);
        }
        sent_or_not(now, self.pause, &mut self.count, self.limits.calls)
    }

    fn settle(&mut self, _slot: &Slot, end: &End, now: UnixMillis) {
        pause_after(end.outcome, now, self.limits.block, &mut self.pause);
    }
}

/// The same with a counter for each minute of the instance's own clock.
#[derive(Debug)]
pub struct OwnClock {
    limits: Limits,
    minutes: std::collections::HashMap<i64, i64>,
    pause: UnixMillis,
}

impl OwnClock {
    /// Counters at 0.
    pub fn new(limits: Limits) -> Self {
        Self { limits, minutes: std::collections::HashMap::new(), pause: UnixMillis(0) }
    }
}

impl Counter for OwnClock {
    fn reserve(&mut self, _ask: &Ask, now: UnixMillis, skew: i64) -> Decision<Slot> {
        let minute = (now.0 + skew).div_euclid(self.limits.window.as_millis() as i64);
        sent_or_not(now, self.pause, self.minutes.entry(minute).or_default(), self.limits.calls)
    }

    fn settle(&mut self, _slot: &Slot, end: &End, now: UnixMillis) {
        pause_after(end.outcome, now, self.limits.block, &mut self.pause);
    }
}

fn sent_or_not(now: UnixMillis, pause: UnixMillis, count: &mut i64, calls: i64) -> Decision<Slot> {
    let closed = |reason| Decision::Deny(Closed { reason, reopens_at: now });
    if now < pause {
        return closed(ClosedReason::FreeBlocked);
    }
    *count += 1;
    if *count > calls {
        return closed(ClosedReason::FreeExhausted);
    }
    Decision::Allow(Slot {
        reserved_at: now,
        number: 0,
        remaining: calls - *count,
        used: *count,
        probes: false,
    })
}

fn pause_after(outcome: Outcome, now: UnixMillis, block: Duration, pause: &mut UnixMillis) {
    if matches!(outcome, Outcome::Refused { .. }) {
        *pause = now + block;
    }
}
