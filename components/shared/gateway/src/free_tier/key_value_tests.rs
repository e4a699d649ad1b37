use std::time::Duration;

use octo_core::{
    UnixMillis,
    testing::{FakeKeyValue, ready},
};
use proptest::prelude::*;

use super::*;
use crate::free_tier::Told;

const SECOND: Duration = Duration::from_secs(1);
/// The middle of a window, far from any boundary.
const MIDDLE: UnixMillis = UnixMillis(1_800_000_030_000);

fn limits(calls: i64) -> Limits {
    Limits {
        calls,
        window: 60 * SECOND,
        block: 60 * SECOND,
        timeout: 5 * SECOND,
        skew: Duration::from_millis(250),
    }
}

fn ask() -> Ask {
    Ask { id: "m".into(), first: true, wait_until: None }
}

fn end(outcome: Outcome) -> End {
    End { outcome, told: Told::default() }
}

fn reserve(store: &FakeKeyValue, calls: i64, now: UnixMillis) -> Verdict {
    ready(KeyValueFreeTier::new(store, limits(calls)).reserve(&ask(), now)).unwrap()
}

fn go(verdict: Verdict) -> Reservation {
    match verdict {
        Verdict::Go(reservation) => reservation,
        other => panic!("expected a slot, got {other:?}"),
    }
}

fn closed(verdict: Verdict) -> Closed {
    match verdict {
        Verdict::Closed(closed) => closed,
        other => panic!("expected no slot, got {other:?}"),
    }
}

fn settle(store: &FakeKeyValue, reservation: &Reservation, outcome: Outcome, now: UnixMillis) {
    ready(KeyValueFreeTier::new(store, limits(10)).settle(reservation, &end(outcome), None, now)).unwrap();
}

#[test]
fn exactly_n_slots_are_given_in_a_window_and_n_more_in_the_next() {
    let store = FakeKeyValue::default();
    for left in (0..10).rev() {
        assert_eq!(go(reserve(&store, 10, MIDDLE)).remaining, left);
    }
    let refused = closed(reserve(&store, 10, MIDDLE));
    assert_eq!(refused.reason, ClosedReason::FreeExhausted);
    assert_eq!(refused.reopens_at, UnixMillis(1_800_000_060_250), "the window's end plus the skew");

    assert_eq!(closed(reserve(&store, 10, refused.reopens_at - SECOND)), refused);
    for _ in 0..10 {
        go(reserve(&store, 10, refused.reopens_at));
    }
    closed(reserve(&store, 10, refused.reopens_at));
}

#[test]
fn a_free_call_takes_two_store_calls_away_from_a_boundary_and_none_to_settle() {
    let store = FakeKeyValue::default();
    go(reserve(&store, 10, MIDDLE));
    store.calls.set(0);
    let slot = go(reserve(&store, 10, MIDDLE));
    assert_eq!(store.calls.get(), 2);
    settle(&store, &slot, Outcome::Answered, MIDDLE + SECOND);
    assert_eq!(store.calls.get(), 2);
}

#[test]
fn a_call_near_a_boundary_is_counted_in_both_windows_until_it_provably_stayed_in_one() {
    let store = FakeKeyValue::default();
    let boundary = UnixMillis(1_800_000_060_000);
    let late = boundary - Duration::from_secs(5);
    let slots: Vec<_> = (0..10).map(|_| go(reserve(&store, 10, late))).collect();
    assert!(slots.iter().all(|slot| slot.windows.len() == 2));

    let after = boundary + SECOND;
    assert_eq!(closed(reserve(&store, 10, after)).reopens_at, UnixMillis(1_800_000_120_250));

    settle(&store, &slots[0], Outcome::Answered, late + SECOND);
    settle(&store, &slots[1], Outcome::Unknown, late + SECOND);
    settle(&store, &slots[2], Outcome::Answered, after);
    go(reserve(&store, 10, after));
    closed(reserve(&store, 10, after));
}

#[test]
fn within_the_skew_after_a_boundary_the_old_window_still_counts() {
    let store = FakeKeyValue::default();
    let boundary = UnixMillis(1_800_000_060_000);
    for _ in 0..10 {
        go(reserve(&store, 10, MIDDLE));
    }
    closed(reserve(&store, 10, boundary + Duration::from_millis(249)));
    go(reserve(&store, 10, boundary + Duration::from_millis(250)));
}

#[test]
fn a_full_next_window_gives_back_what_was_taken_in_the_current_one() {
    let store = FakeKeyValue::default();
    let late = UnixMillis(1_800_000_060_000) - Duration::from_secs(2);
    // Fill the next window only: take from both, then give the current one back.
    for _ in 0..10 {
        go(reserve(&store, 10, late));
    }
    let tier = KeyValueFreeTier::new(&store, limits(10));
    for _ in 0..10 {
        ready(tier.give_back([WindowId::containing(late, 60 * SECOND)].iter())).unwrap();
    }
    for _ in 0..5 {
        closed(reserve(&store, 10, late));
    }
    let status = ready(tier.status(late)).unwrap();
    assert_eq!((status.used, status.remaining), (0, 0));
}

#[test]
fn a_call_that_was_never_sent_gives_its_slot_back() {
    let store = FakeKeyValue::default();
    let slot = go(reserve(&store, 1, MIDDLE));
    closed(reserve(&store, 1, MIDDLE));
    settle(&store, &slot, Outcome::NotSent, MIDDLE);
    // The refused attempt above over-filled the window: see `slots_may_return`.
    closed(reserve(&store, 1, MIDDLE));

    let store = FakeKeyValue::default();
    let slot = go(reserve(&store, 1, MIDDLE));
    settle(&store, &slot, Outcome::NotSent, MIDDLE);
    go(reserve(&store, 1, MIDDLE));
}

#[test]
fn a_refusal_blocks_for_the_longer_of_retry_after_and_b() {
    let store = FakeKeyValue::default();
    let slot = go(reserve(&store, 10, MIDDLE));
    let retry_after = Some(90 * SECOND);
    settle(&store, &slot, Outcome::Refused { retry_after }, MIDDLE);
    settle(&store, &slot, Outcome::Refused { retry_after: None }, MIDDLE + SECOND);
    let refused = closed(reserve(&store, 10, MIDDLE + 2 * SECOND));
    assert_eq!(refused.reason, ClosedReason::FreeBlocked);
    assert_eq!(refused.reopens_at, MIDDLE + 90 * SECOND, "the later deadline wins");
}

#[test]
fn after_a_block_one_probe_goes_and_its_answer_reopens_for_all() {
    let store = FakeKeyValue::default();
    let slot = go(reserve(&store, 10, MIDDLE));
    settle(&store, &slot, Outcome::Refused { retry_after: None }, MIDDLE);

    let reopened = MIDDLE + 61 * SECOND;
    let probe = go(reserve(&store, 10, reopened));
    assert!(probe.pass.lease.is_some());
    for _ in 0..5 {
        let other = closed(reserve(&store, 10, reopened));
        assert_eq!(other.reason, ClosedReason::FreeBlocked);
    }
    settle(&store, &probe, Outcome::Answered, reopened + SECOND);
    for _ in 0..9 {
        assert!(go(reserve(&store, 10, reopened + SECOND)).pass.lease.is_none());
    }
    assert!(!store.keys().iter().any(|key| key.contains("probe") || key.ends_with("/gate")));
}

#[test]
fn a_probe_that_crashes_is_replaced_after_the_time_a_call_can_take() {
    let store = FakeKeyValue::default();
    let slot = go(reserve(&store, 10, MIDDLE));
    settle(&store, &slot, Outcome::Refused { retry_after: None }, MIDDLE);

    let reopened = MIDDLE + 61 * SECOND;
    assert!(go(reserve(&store, 10, reopened)).pass.lease.is_some());
    closed(reserve(&store, 10, reopened + 5 * SECOND));
    assert!(go(reserve(&store, 10, reopened + 6 * SECOND)).pass.lease.is_some());
}

#[test]
fn failures_in_a_row_close_the_provider_and_an_answer_reopens_it() {
    let store = FakeKeyValue::default();
    for outcome in [Outcome::Unknown, Outcome::NotSent, Outcome::Unknown, Outcome::NotSent, Outcome::Unknown]
    {
        let slot = go(reserve(&store, 10, MIDDLE));
        settle(&store, &slot, outcome, MIDDLE);
    }
    let refused = closed(reserve(&store, 10, MIDDLE));
    assert_eq!((refused.reason, refused.reopens_at), (ClosedReason::FreeFailing, MIDDLE + 5 * SECOND));
    let status = ready(KeyValueFreeTier::new(&store, limits(10)).status(MIDDLE)).unwrap();
    assert_eq!(status.closed, Some(refused));

    let probe = go(reserve(&store, 10, refused.reopens_at));
    settle(&store, &probe, Outcome::Answered, refused.reopens_at);
    go(reserve(&store, 10, refused.reopens_at));
}

#[test]
fn a_refused_probe_renews_the_block() {
    let store = FakeKeyValue::default();
    let slot = go(reserve(&store, 10, MIDDLE));
    settle(&store, &slot, Outcome::Refused { retry_after: None }, MIDDLE);
    let reopened = MIDDLE + 61 * SECOND;
    let probe = go(reserve(&store, 10, reopened));
    settle(&store, &probe, Outcome::Refused { retry_after: None }, reopened);
    assert_eq!(closed(reserve(&store, 10, reopened + SECOND)).reopens_at, reopened + 60 * SECOND);
}

#[test]
fn old_windows_are_forgotten() {
    let store = FakeKeyValue::default();
    let mut now = MIDDLE;
    for step in [1, 1, 7, 1, 300, 2] {
        now = now + step * 60 * SECOND;
        go(reserve(&store, 10, now));
        ready(KeyValueFreeTier::new(&store, limits(10)).status(now)).unwrap();
    }
    let windows = store.keys().iter().filter(|key| key.contains("/window/")).count();
    assert!(windows <= 2, "{:?}", store.keys());
}

#[test]
fn no_slot_is_given_while_the_store_is_away() {
    let store = FakeKeyValue::default();
    store.down.set(true);
    assert!(ready(KeyValueFreeTier::new(&store, limits(10)).reserve(&ask(), MIDDLE)).is_err());
}

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    /// Some time passes, in milliseconds.
    Wait(u64),
    /// A call is made on an instance whose clock is off by this much, takes so long, reaches the provider at
    /// this share (in percent) of that time, and ends like this.
    Call { skew: i64, takes: u64, arrives_at: u64, ends: Ending },
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Answered,
    TimedOut,
    Crashed,
    NotSent,
}

fn step() -> impl Strategy<Value = Step> {
    let ending = prop_oneof![
        8 => Just(Ending::Answered),
        1 => Just(Ending::TimedOut),
        1 => Just(Ending::Crashed),
        1 => Just(Ending::NotSent),
    ];
    prop_oneof![
        2 => (0u64..9_000).prop_map(Step::Wait),
        5 => (-250i64..=250, 1u64..5_000, 0u64..=100, ending)
            .prop_map(|(skew, takes, arrives_at, ends)| Step::Call { skew, takes, arrives_at, ends }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The guarantee: whatever the latencies, skews, losses and crashes, no window of the provider ever
    /// holds more than N arrivals.
    #[test]
    fn no_provider_window_sees_more_than_n_calls(
        calls in 1i64..6,
        history in prop::collection::vec(step(), 1..300),
    ) {
        let store = FakeKeyValue::default();
        let tier = KeyValueFreeTier::new(&store, limits(calls));
        let mut now = MIDDLE;
        let mut arrivals = std::collections::HashMap::<WindowId, i64>::new();
        // Calls in flight: when they end, on whose clock, how.
        let mut ending: Vec<(UnixMillis, i64, Reservation, Outcome)> = Vec::new();
        for step in history {
            match step {
                Step::Wait(ms) => {
                    now = now + Duration::from_millis(ms);
                    let (done, open) = ending.into_iter().partition(|(at, ..)| *at <= now);
                    ending = open;
                    let mut done: Vec<_> = done;
                    done.sort_by_key(|(at, ..)| *at);
                    for (at, skew, slot, outcome) in done {
                        ready(tier.settle(&slot, &end(outcome), None, UnixMillis(at.0 + skew))).unwrap();
                    }
                }
                Step::Call { skew, takes, arrives_at, ends } => {
                    let Verdict::Go(slot) = ready(tier.reserve(&ask(), UnixMillis(now.0 + skew))).unwrap() else {
                        continue;
                    };
                    if !matches!(ends, Ending::NotSent) {
                        let arrival = now + Duration::from_millis(takes * arrives_at / 100);
                        *arrivals.entry(WindowId::containing(arrival, 60 * SECOND)).or_default() += 1;
                    }
                    let end = now + Duration::from_millis(takes);
                    match ends {
                        Ending::Answered => ending.push((end, skew, slot, Outcome::Answered)),
                        Ending::TimedOut => ending.push((now + 5 * SECOND, skew, slot, Outcome::Unknown)),
                        Ending::NotSent => ending.push((end, skew, slot, Outcome::NotSent)),
                        Ending::Crashed => {}
                    }
                }
            }
        }
        for (window, count) in arrivals {
            prop_assert!(count <= calls, "{count} calls arrived in {window:?}, {calls} allowed");
        }
    }
}
