//! The script in a real Redis says what the pure rules say.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use octo_core::{UnixMillis, testing::ready};
use octo_gateway::{
    free_tier::{
        Ask, Decision, End, FreeTier, Ledger, Limits, Outcome, RateLimitHints, RedisFreeTier, Slot,
        WindowModel,
    },
    routing::Reason,
    stats::{MessageOutcome, StatsEvent},
};
use octo_sim::{real_redis::RealRedis, run::START};
use proptest::prelude::*;
use xtask::servers::Redis;

fn limits(calls: i64) -> Limits {
    Limits {
        calls,
        window: Duration::from_secs(10),
        block: Duration::from_secs(7),
        timeout: Duration::from_secs(3),
        skew: Duration::from_millis(250),
    }
}

fn ask() -> Ask {
    Ask { id: "hasty".into(), first: true, wait_until: None }
}

fn end(outcome: Outcome) -> End {
    End { outcome, told: RateLimitHints::default() }
}

/// What an answer may tell; the date is relative to its end, in milliseconds.
fn told() -> impl Strategy<Value = RateLimitHints> {
    let number = || prop::option::weighted(0.3, 0i64..8);
    let reset = prop::option::of(0u64..12).prop_map(|seconds| seconds.map(Duration::from_secs));
    let date = prop::option::weighted(0.3, prop_oneof![5 => -1_500i64..500, 1 => -60_000i64..60_000]);
    let foreign = prop::bool::weighted(0.2);
    let told = (number(), number(), number(), reset, date, foreign);
    told.prop_map(|(limit, remaining, quota, reset, date, foreign)| RateLimitHints {
        limit,
        remaining,
        reset,
        quota,
        foreign,
        date: date.map(UnixMillis),
    })
}

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    /// Time passes, in milliseconds; backwards too, as after a failover.
    Wait(i64),
    Reserve,
    /// One of a few messages asks, and would wait for so many milliseconds.
    Queue(u8, i64),
    /// One of the calls under way ends.
    Settle(prop::sample::Index, Outcome, RateLimitHints, Option<StatsEvent>),
    Record(StatsEvent),
    Stats,
    Status,
    /// The server forgets everything.
    Flush,
    /// It forgets one kind of key.
    Evict(&'static str),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        12 => Just(Outcome::Answered),
        3 => Just(Outcome::NotSent),
        2 => Just(Outcome::Unused),
        3 => Just(Outcome::Unknown),
        2 => Just(Outcome::Rejected),
        1 => (0u64..20).prop_map(|seconds| Outcome::Overloaded { wait: Duration::from_secs(seconds) }),
        1 => prop::option::of(0u64..20).prop_map(|seconds| Outcome::Refused {
            retry_after: seconds.map(Duration::from_secs)
        }),
    ]
}

fn tally() -> impl Strategy<Value = StatsEvent> {
    let fate = prop::sample::select(vec![
        MessageOutcome::Free,
        MessageOutcome::Paid(Reason::FreeExhausted),
        MessageOutcome::Paid(Reason::CounterUnavailable),
        MessageOutcome::Refused(Reason::FreeFailing),
        MessageOutcome::Failed(Reason::FreeFailed),
    ]);
    (fate, any::<bool>()).prop_map(|(fate, waited)| StatsEvent { fate, waited })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0i64..2_500).prop_map(Step::Wait),
        1 => (-3_000i64..30_000).prop_map(Step::Wait),
        1 => (0i64..900_000).prop_map(Step::Wait),
        20 => Just(Step::Reserve),
        15 => (0u8..6, -100i64..12_000).prop_map(|(id, patience)| Step::Queue(id, patience)),
        15 => (
            any::<prop::sample::Index>(),
            outcome(),
            prop_oneof![Just(RateLimitHints::default()), told()],
            prop::option::of(tally()),
        )
            .prop_map(|(call, outcome, told, tally)| Step::Settle(call, outcome, told, tally)),
        4 => tally().prop_map(Step::Record),
        2 => Just(Step::Stats),
        3 => Just(Step::Status),
    ]
}

fn same(redis: &RealRedis, model: WindowModel, calls: i64, vouched: bool, history: &[Step]) {
    let ledger = Ledger { model, limits: limits(calls) };
    let tier = RedisFreeTier::new(redis, model, ledger.limits).in_virtual_time();
    redis.command(&["FLUSHALL"]).unwrap();
    if vouched {
        redis.command(&["SET", &tier.fresh_key(), "1"]).unwrap();
    }
    let mut now = START;
    // Made at the first operation that finds none, as the script does.
    let mut kept = None;
    let mut vouched = vouched;
    let mut made = |now| {
        if std::mem::take(&mut vouched) { ledger.fresh(now) } else { ledger.recovered(now) }
    };
    let mut under_way: Vec<Slot> = Vec::new();
    for (index, step) in history.iter().enumerate() {
        match step {
            Step::Wait(ms) => now = UnixMillis(now.0 + ms),
            Step::Reserve | Step::Queue(..) => {
                let ask = match step {
                    Step::Queue(id, patience) => Ask {
                        id: id.to_string(),
                        first: false,
                        wait_until: Some(UnixMillis(now.0 + patience)),
                    },
                    _ => ask(),
                };
                let state = kept.get_or_insert_with(|| made(now));
                let pure = ledger.reserve(state, &ask, now);
                let mut scripted = ready(tier.reserve(&ask, now)).unwrap();
                // The tier puts times on the caller's clock, which may be behind.
                match &mut scripted {
                    Decision::Deny(closed) => closed.reopens_at.0 -= now.0 - state.latest().0,
                    Decision::Queue(again) => again.0 -= now.0 - state.latest().0,
                    Decision::Allow(_) => {}
                }
                assert_eq!(pure, scripted, "{model:?}: step {index} of {history:?}");
                if let Decision::Allow(slot) = pure {
                    under_way.push(slot);
                }
            }
            Step::Settle(call, outcome, told, tally) if !under_way.is_empty() => {
                let slot = under_way.swap_remove(call.index(under_way.len()));
                let date = told.date.map(|date| UnixMillis(now.0 + date.0));
                let end = End { outcome: *outcome, told: RateLimitHints { date, ..*told } };
                let state = kept.get_or_insert_with(|| made(now));
                let pure = ledger.settle(state, &slot, &end, *tally, now);
                let mut scripted = ready(tier.settle(&slot, &end, *tally, now)).unwrap();
                if let Some(closed) = &mut scripted {
                    closed.reopens_at.0 -= now.0 - state.latest().0;
                }
                assert_eq!(pure, scripted, "{model:?}: step {index} of {history:?}");
            }
            Step::Settle(..) => {}
            Step::Status => {
                let state = kept.get_or_insert_with(|| made(now));
                let pure = ledger.status(state, now);
                let mut scripted = ready(tier.status(now)).unwrap();
                let ahead = now.0 - state.latest().0;
                // Aligned windows lie where the server has them, whatever the caller's clock says.
                if model != WindowModel::Aligned {
                    scripted.window_starts_at.0 -= ahead;
                    scripted.window_ends_at.0 -= ahead;
                }
                if let Some(closed) = &mut scripted.closed {
                    closed.reopens_at.0 -= ahead;
                }
                assert_eq!(pure, scripted, "{model:?}: step {index} of {history:?}");
            }
            Step::Record(tally) => {
                ledger.record(kept.get_or_insert_with(|| made(now)), *tally, now);
                ready(tier.record(*tally, now)).unwrap();
            }
            Step::Stats => {
                let state = kept.get_or_insert_with(|| made(now));
                let pure = ledger.figures(state, now);
                // Windows begin where the server has them, whatever the caller's clock says.
                let scripted = ready(tier.figures(now)).unwrap();
                assert_eq!(pure, scripted, "{model:?}: step {index} of {history:?}");
            }
            Step::Flush => {
                redis.command(&["FLUSHALL"]).unwrap();
                kept = None;
            }
            Step::Evict(part) => {
                redis.command(&["DEL", &tier.fresh_key().replace("fresh", part)]).unwrap();
            }
        }
    }
}

#[test]
fn the_script_and_the_rules_agree_in_any_history() {
    let server = Redis::start().unwrap();
    let redis = RealRedis::connect(&server.url()).unwrap();
    let histories = (1i64..6, any::<bool>(), prop::collection::vec(step(), 1..150));
    for model in WindowModel::ALL {
        // A runner counts its cases over all its runs.
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) };
        proptest::test_runner::TestRunner::new(config)
            .run(&histories, |(calls, vouched, history)| {
                same(&redis, model, calls, vouched, &history);
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn a_flush_is_met_with_the_pause_of_a_lost_state() {
    let server = Redis::start().unwrap();
    let redis = RealRedis::connect(&server.url()).unwrap();
    for model in WindowModel::ALL {
        let history = [
            Step::Reserve,
            Step::Wait(500),
            Step::Flush,
            Step::Reserve,
            Step::Status,
            Step::Wait(60_000),
            Step::Reserve,
        ];
        same(&redis, model, 3, true, &history);
    }
}

#[test]
fn a_state_that_lost_one_key_is_lost() {
    let server = Redis::start().unwrap();
    let redis = RealRedis::connect(&server.url()).unwrap();
    for model in WindowModel::ALL {
        for part in ["ledger", "open"] {
            same(&redis, model, 3, true, &[Step::Reserve, Step::Evict(part)]);
            let tier = RedisFreeTier::new(&redis, model, limits(3)).in_virtual_time();
            let verdict = ready(tier.reserve(&ask(), START)).unwrap();
            assert!(matches!(verdict, Decision::Deny(_)), "{model:?} without {part}: {verdict:?}");
        }
    }
}

#[test]
fn an_old_state_from_a_snapshot_is_not_believed() {
    let mut server = Redis::start().unwrap();
    for model in WindowModel::ALL {
        let redis = RealRedis::connect(&server.url()).unwrap();
        let tier = RedisFreeTier::new(&redis, model, limits(3));
        redis.command(&["SET", &tier.fresh_key(), "1"]).unwrap();
        assert!(matches!(ready(tier.reserve(&ask(), START)).unwrap(), Decision::Allow(_)));
        redis.command(&["SAVE"]).unwrap();
        assert!(matches!(ready(tier.reserve(&ask(), START)).unwrap(), Decision::Allow(_)));
        server.restart().unwrap();

        let redis = RealRedis::connect(&server.url()).unwrap();
        let tier = RedisFreeTier::new(&redis, model, limits(3));
        let state = tier.fresh_key().replace("fresh", "ledger");
        assert_eq!(server.ask(&format!("EXISTS {state}")).unwrap(), "1", "the snapshot must have been read");
        assert!(matches!(ready(tier.reserve(&ask(), START)).unwrap(), Decision::Deny(_)), "{model:?}");
    }
}

#[test]
fn on_its_own_clock_every_key_expires_and_has_the_hash_tag() {
    let server = Redis::start().unwrap();
    let redis = RealRedis::connect(&server.url()).unwrap();
    for model in WindowModel::ALL {
        let tier = RedisFreeTier::new(&redis, model, limits(3));
        redis.command(&["SET", &tier.fresh_key(), "1"]).unwrap();
        let Decision::Allow(slot) = ready(tier.reserve(&ask(), START)).unwrap() else { panic!("no slot") };
        ready(tier.reserve(&ask(), START)).unwrap();
        ready(tier.settle(&slot, &end(Outcome::Answered), None, START)).unwrap();
        let queue = Ask { wait_until: Some(START + Duration::from_secs(25)), ..ask() };
        while !matches!(ready(tier.reserve(&queue, START)).unwrap(), Decision::Queue(_)) {}
        for part in ["ledger", "open", "settled", "line", "leases", "figures", "recent"] {
            let key = tier.fresh_key().replace("fresh", part);
            assert!(key.starts_with("{octo:free}:"));
            let left: i64 = server.ask(&format!("PTTL {key}")).unwrap().parse().unwrap();
            let absent = part == "settled" && model == WindowModel::TokenBucket
                || part == "recent" && model != WindowModel::Sliding;
            assert!(left > 0 || absent && left == -2, "{key} has {left} ms left");
        }
    }
}
