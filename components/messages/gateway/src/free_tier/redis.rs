//! The counter in Redis, for every window model: one script call to reserve a slot, one to settle.
//!
//! The script decides by the rules of [`Ledger`](super::Ledger), on the server's own clock, so that the
//! clocks of the instances play no part. All its keys share a hash tag and expire.
//!
//! # A lost state
//! When the state is missing (flushed, evicted) or was written by another server or before
//! this one was started (failed over to a replica that lags, restored from a snapshot), no slot is given
//! until every call that may have been reserved before can no longer matter: P + T + u, or the end of that
//! window. Nothing tells a lost state from a first start, so a first start waits too, unless the operator
//! vouches for a provider that has seen no call, with `SET` of the key [`RedisFreeTier::fresh_key`] just
//! before. The mark is used up at once; a flush that takes the state takes the mark as well.

use octo_core::async_trait;
use std::time::Duration;

use octo_core::{Redis, Script, StoreError, UnixMillis, time::millis};

use super::{Ask, Closed, ClosedReason, Decision, End, FreeTier, Limits, Outcome, Slot, Status, WindowModel};
use crate::stats::{Counts, Kind, Stats, StatsEvent, WindowStats};

/// The rules as Redis runs them.
pub const SCRIPT: Script = Script::new(concat!(
    include_str!("script/state.lua"),
    include_str!("script/slots.lua"),
    include_str!("script/breaker.lua"),
    include_str!("script/learned.lua"),
    include_str!("script/line.lua"),
    include_str!("script/figures.lua"),
    include_str!("script/operations.lua"),
));

/// [`FreeTier`] over a Redis server.
#[derive(Debug)]
pub struct RedisFreeTier<'a, R> {
    redis: &'a R,
    model: WindowModel,
    limits: Limits,
    time: Time,
}

/// Whose clock counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Time {
    /// The server's.
    Servers,
    /// The caller's: for tests and simulations in virtual time.
    Callers,
}

impl<'a, R: Redis> RedisFreeTier<'a, R> {
    /// A counter for a provider of this kind.
    pub fn new(redis: &'a R, model: WindowModel, limits: Limits) -> Self {
        Self { redis, model, limits, time: Time::Servers }
    }

    /// The same on the time its caller gives. Only where one caller makes the time, as in a test: otherwise
    /// the clocks of the instances would matter.
    pub fn in_virtual_time(self) -> Self {
        Self { time: Time::Callers, ..self }
    }

    /// The key that vouches, when there is no state, that the provider has seen no call.
    pub fn fresh_key(&self) -> String {
        self.key("fresh")
    }

    fn key(&self, part: &str) -> String {
        // The model and P are part of the name: for others the scores mean other times.
        format!("{{octo:free}}:{}:{}:{part}", self.model.name(), millis(self.limits.window))
    }

    /// A window's edge: where it lies on the clock that all share, or on the caller's.
    fn shown(&self, edge: i64, ahead: i64) -> UnixMillis {
        UnixMillis(if self.model == WindowModel::Aligned { edge } else { edge + ahead })
    }

    /// The answer's numbers, and what is to be added to its times to have them on the caller's clock.
    async fn run(
        &self,
        operation: &str,
        now: UnixMillis,
        more: &[String],
    ) -> Result<(Vec<i64>, i64), StoreError> {
        let keys = ["ledger", "open", "settled", "fresh", "line", "leases", "figures", "recent"]
            .map(|part| self.key(part));
        let Limits { calls, window, block, timeout, skew } = self.limits;
        let time = if self.time == Time::Callers { now.0.to_string() } else { String::new() };
        let mut args = vec![operation.to_owned(), time, self.model.name().to_owned(), calls.to_string()];
        args.extend([window, block, timeout, skew].map(|duration| millis(duration).to_string()));
        args.push(Kind::KINDS.to_string());
        args.extend_from_slice(more);
        let answer = self.redis.eval(&SCRIPT, &keys, &args).await?;
        let ahead = answer.first().map_or(0, |time| now.0 - time);
        Ok((answer, ahead))
    }
}

fn nonsense(answer: &[i64]) -> StoreError {
    StoreError(format!("the script of the free tier answers {answer:?}"))
}

/// The numbers of what a tally counts.
fn numbers(tally: Option<StatsEvent>) -> Vec<String> {
    tally.into_iter().flat_map(StatsEvent::kinds).map(|kind| kind.number().to_string()).collect()
}

fn closed(reason: i64, reopens_at: i64) -> Option<Closed> {
    let reason = match reason {
        1 => ClosedReason::FreeExhausted,
        2 => ClosedReason::FreeBlocked,
        3 => ClosedReason::FreeFailing,
        _ => return None,
    };
    Some(Closed { reason, reopens_at: UnixMillis(reopens_at) })
}

#[async_trait]
impl<R: Redis> FreeTier for RedisFreeTier<'_, R> {
    type Slot = Slot;

    async fn reserve(&self, ask: &Ask, now: UnixMillis) -> Result<Decision<Slot>, StoreError> {
        let patience = ask.wait_until.map(|until| millis(until.since(now)).to_string());
        let ask = [ask.id.clone(), patience.unwrap_or_default(), i64::from(ask.first).to_string()];
        let (answer, ahead) = self.run("reserve", now, &ask).await?;
        match *answer.as_slice() {
            [time, 1, number, remaining, used, probes] => Ok(Decision::Allow(Slot {
                // Stays on the server's clock: it goes back there.
                reserved_at: UnixMillis(time),
                number,
                remaining,
                used,
                probes: probes == 1,
            })),
            [_, 0, reason, reopens_at] => {
                closed(reason, reopens_at + ahead).map(Decision::Deny).ok_or_else(|| nonsense(&answer))
            }
            [_, 2, ask_again] => Ok(Decision::Queue(UnixMillis(ask_again + ahead))),
            _ => Err(nonsense(&answer)),
        }
    }

    async fn settle(
        &self,
        slot: &Slot,
        end: &End,
        tally: Option<StatsEvent>,
        now: UnixMillis,
    ) -> Result<Option<Closed>, StoreError> {
        let (outcome, wait) = match end.outcome {
            Outcome::Answered => ("answered", Duration::ZERO),
            Outcome::Refused { retry_after } => ("refused", retry_after.unwrap_or_default()),
            Outcome::Overloaded { wait } => ("overloaded", wait),
            Outcome::Rejected => ("rejected", Duration::ZERO),
            Outcome::NotSent => ("not_sent", Duration::ZERO),
            Outcome::Unused => ("unused", Duration::ZERO),
            Outcome::Unknown => ("unknown", Duration::ZERO),
        };
        let told = end.told.within_reason();
        let slot =
            [slot.reserved_at.0, slot.number, slot.used, i64::from(slot.probes)].map(|n| n.to_string());
        let end = [outcome.to_owned(), millis(wait).to_string()];
        let foreign = told.foreign.then_some(1);
        let date = told.date.map(|date| date.0);
        let told = [told.limit, told.remaining, told.reset.map(millis), date, foreign, told.quota]
            .map(|number| number.map(|number| number.to_string()).unwrap_or_default());
        let (answer, ahead) =
            self.run("settle", now, &[&slot[..], &end, &told, &numbers(tally)].concat()).await?;
        match *answer.as_slice() {
            [_, reason, reopens_at] => Ok(closed(reason, reopens_at + ahead)),
            _ => Err(nonsense(&answer)),
        }
    }

    async fn record(&self, tally: StatsEvent, now: UnixMillis) -> Result<(), StoreError> {
        let (answer, _) = self.run("record", now, &numbers(Some(tally))).await?;
        if answer.len() == 1 { Ok(()) } else { Err(nonsense(&answer)) }
    }

    async fn figures(&self, now: UnixMillis) -> Result<Stats, StoreError> {
        let (answer, _) = self.run("figures", now, &[]).await?;
        let [_, waiting, counts @ ..] = answer.as_slice() else { return Err(nonsense(&answer)) };
        let Some((total, windows)) = counts.split_at_checked(Kind::KINDS) else {
            return Err(nonsense(&answer));
        };
        let windows = windows.chunks(1 + Kind::KINDS).map(|window| match window {
            [start, counts @ ..] if counts.len() == Kind::KINDS => Ok(WindowStats {
                // As the server has it, a multiple of P: by our clock it would be some milliseconds beside that.
                starts_at: UnixMillis(*start),
                counts: Counts::from_numbers(counts),
            }),
            _ => Err(nonsense(&answer)),
        });
        let windows = windows.collect::<Result<_, _>>()?;
        Ok(Stats { windows, total: Counts::from_numbers(total), waiting: *waiting })
    }

    async fn status(&self, now: UnixMillis) -> Result<Status, StoreError> {
        let (answer, ahead) = self.run("status", now, &[]).await?;
        match *answer.as_slice() {
            [_, limit, used, remaining, starts, ends, reason, reopens_at] => Ok(Status {
                limit,
                used,
                remaining,
                window_starts_at: self.shown(starts, ahead),
                window_ends_at: self.shown(ends, ahead),
                closed: closed(reason, reopens_at + ahead),
            }),
            _ => Err(nonsense(&answer)),
        }
    }
}

#[cfg(test)]
mod tests {
    //! What it makes of answers. The script itself is tested on a real server, in `tests/sim`.

    use super::*;
    use octo_core::testing::ready;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    /// A server that answers the same to everything.
    struct Canned(&'static [i64]);

    #[async_trait]
    impl Redis for Canned {
        async fn eval(&self, _: &Script, _: &[String], args: &[String]) -> Result<Vec<i64>, StoreError> {
            assert_eq!(args[1], "", "the server's own time counts");
            Ok(self.0.to_vec())
        }
    }

    fn reserve(answer: &'static [i64]) -> Result<Decision<Slot>, StoreError> {
        let second = Duration::from_secs(1);
        let limits = Limits { calls: 1, window: second, block: second, timeout: second, skew: second };
        ready(
            RedisFreeTier::new(&Canned(answer), WindowModel::Sliding, limits)
                .reserve(&Ask { id: "m".into(), first: true, wait_until: None }, NOW),
        )
    }

    #[test]
    fn a_slot_keeps_the_servers_time_and_a_reopening_is_told_in_the_callers() {
        let Ok(Decision::Allow(slot)) = reserve(&[5_000, 1, 7, 0, 1, 1]) else { panic!("no slot") };
        assert_eq!((slot.reserved_at, slot.number, slot.probes), (UnixMillis(5_000), 7, true));
        let Ok(Decision::Deny(closed)) = reserve(&[5_000, 0, 2, 5_900]) else { panic!("a slot") };
        assert_eq!(closed.reopens_at, NOW + Duration::from_millis(900));
        assert_eq!(reserve(&[5_000, 2, 5_400]), Ok(Decision::Queue(NOW + Duration::from_millis(400))));
    }

    #[test]
    fn windows_begin_where_the_server_has_them_and_not_some_milliseconds_beside_it() {
        let second = Duration::from_secs(1);
        let limits = Limits { calls: 1, window: second, block: second, timeout: second, skew: second };
        let starts = |model, answer| {
            let status = ready(RedisFreeTier::new(&Canned(answer), model, limits).status(NOW)).unwrap();
            [status.window_starts_at.0, status.window_ends_at.0]
        };
        // The server is a millisecond ahead of us.
        const STATUS: &[i64] = &[NOW.0 + 1, 1, 0, 1, NOW.0, NOW.0 + 1_000, 0, 0];
        assert_eq!(starts(WindowModel::Aligned, STATUS), [NOW.0, NOW.0 + 1_000]);
        assert_eq!(starts(WindowModel::Sliding, STATUS), [NOW.0 - 1, NOW.0 + 999]);

        let mut answer = vec![NOW.0 + 1, 0];
        answer.extend([0; Kind::KINDS]);
        answer.push(NOW.0);
        answer.extend([0; Kind::KINDS]);
        let canned = Canned(answer.leak());
        let figures = ready(RedisFreeTier::new(&canned, WindowModel::Sliding, limits).figures(NOW)).unwrap();
        assert_eq!(figures.windows.first().unwrap().starts_at, NOW);
    }

    #[test]
    fn a_wrong_answer_is_no_slot() {
        for answer in [&[][..], &[1], &[1, 1, 1], &[1, 0, 9, 1], &[1, 2, 1, 1, 1, 1], &[1, 3, 1]] {
            assert!(reserve(answer).is_err(), "{answer:?}");
        }
    }
}
