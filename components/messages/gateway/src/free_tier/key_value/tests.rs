use std::time::Duration;

use octo_core::{
    UnixMillis,
    testing::{FakeKeyValue, ready},
};
use proptest::prelude::*;

use super::*;
use crate::{
    free_tier::RateLimitHints,
    routing::Reason,
    stats::{Counts, WindowStats},
};

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
    End { outcome, told: RateLimitHints::default() }
}

fn reserve(store: &FakeKeyValue, calls: i64, now: UnixMillis) -> Decision {
    ready(KeyValueFreeTier::new(store, limits(calls)).reserve(&ask(), now)).unwrap()
}

fn go(verdict: Decision) -> Reservation {
    match verdict {
        Decision::Allow(reservation) => reservation,
        other => panic!("expected a slot, got {other:?}"),
    }
}

fn closed(verdict: Decision) -> Closed {
    match verdict {
        Decision::Deny(closed) => closed,
        other => panic!("expected no slot, got {other:?}"),
    }
}

fn settle(store: &FakeKeyValue, reservation: &Reservation, outcome: Outcome, now: UnixMillis) {
    tell(store, reservation, end(outcome), now);
}

fn tell(store: &FakeKeyValue, reservation: &Reservation, end: End, now: UnixMillis) {
    ready(KeyValueFreeTier::new(store, limits(10)).settle(reservation, &end, None, now)).unwrap();
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
    // The refusal of the first call has halved the limit.
    for _ in 0..4 {
        assert!(go(reserve(&store, 10, reopened + SECOND)).pass.lease.is_none());
    }
    closed(reserve(&store, 10, reopened + SECOND));
    assert!(!store.keys().iter().any(|key| key.contains("probe")));
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

fn wait(store: &FakeKeyValue, calls: i64, now: UnixMillis, until: UnixMillis) -> Decision {
    let ask = Ask { wait_until: Some(until), ..ask() };
    ready(KeyValueFreeTier::new(store, limits(calls)).reserve(&ask, now)).unwrap()
}

#[test]
fn who_waits_books_a_slot_of_the_next_window_and_of_no_later_one() {
    let store = FakeKeyValue::default();
    let starts_at = UnixMillis(1_800_000_060_250);
    go(reserve(&store, 2, MIDDLE));
    assert_eq!(go(wait(&store, 2, MIDDLE, starts_at)).starts_at, None, "there is still a slot now");
    closed(wait(&store, 2, MIDDLE, UnixMillis(starts_at.0 - 1)));
    for left in [1, 0] {
        let booked = go(wait(&store, 2, MIDDLE, starts_at));
        assert_eq!((booked.starts_at, booked.remaining), (Some(starts_at), left));
        assert_eq!(booked.windows, [WindowId::containing(starts_at, 60 * SECOND)]);
    }
    closed(wait(&store, 2, MIDDLE, starts_at));
    closed(reserve(&store, 2, starts_at));
}

#[test]
fn a_booked_slot_that_is_not_used_returns() {
    let store = FakeKeyValue::default();
    go(reserve(&store, 1, MIDDLE));
    let booked = go(wait(&store, 1, MIDDLE, MIDDLE + 60 * SECOND));
    settle(&store, &booked, Outcome::NotSent, MIDDLE + SECOND);
    go(wait(&store, 1, MIDDLE, MIDDLE + 60 * SECOND));
}

#[test]
fn booking_ahead_forgets_no_window_that_still_counts() {
    let store = FakeKeyValue::default();
    let late = UnixMillis(1_800_000_060_000) - SECOND;
    let (old, new) = (WindowId(late.0 / 60_000), WindowId(late.0 / 60_000 + 1));
    let tier = KeyValueFreeTier::new(&store, limits(1));
    ready(tier.give_back([old].iter())).unwrap();
    go(reserve(&store, 1, late));
    // The next window is full, so it books the one after that.
    let booked = go(wait(&store, 1, late, late + 90 * SECOND));
    assert_eq!(booked.windows, [WindowId(new.0 + 1)]);
    assert_eq!([old, new].map(|window| ready(tier.windows().taken(window)).unwrap()), [0, 1]);
}

#[test]
fn a_pause_that_ends_in_time_is_waited_for() {
    let store = FakeKeyValue::default();
    let slot = go(reserve(&store, 10, MIDDLE));
    settle(&store, &slot, Outcome::Refused { retry_after: None }, MIDDLE);
    let reopens = MIDDLE + 60 * SECOND;
    assert_eq!(wait(&store, 10, MIDDLE + SECOND, reopens), Decision::Queue(reopens));
    closed(wait(&store, 10, MIDDLE + SECOND, MIDDLE + 59 * SECOND));
    assert!(go(wait(&store, 10, reopens, reopens)).pass.lease.is_some());
}

fn answered(told: RateLimitHints) -> End {
    End { outcome: Outcome::Answered, told }
}

#[test]
fn answers_that_confirm_the_limit_cost_nothing() {
    let store = FakeKeyValue::default();
    let slots: Vec<_> = (0..10).map(|_| go(reserve(&store, 10, MIDDLE))).collect();
    store.calls.set(0);
    // They may arrive in any order, and the last to arrive are told least.
    for (remaining, slot) in slots.iter().rev().enumerate() {
        let told = RateLimitHints {
            limit: Some(10),
            remaining: Some(9 - remaining as i64),
            reset: Some(30 * SECOND),
            date: Some(MIDDLE),
            ..RateLimitHints::default()
        };
        tell(&store, slot, answered(told), MIDDLE + SECOND);
    }
    // Where the number of a slot alone leaves it open, the counter is read: a `get` and the number.
    assert!(store.calls.get() <= 2 * 9, "{}", store.calls.get());
    assert!(!store.keys().iter().any(|key| key.ends_with("/gate")));
}

#[test]
fn a_lower_limit_that_is_told_is_kept() {
    let store = FakeKeyValue::default();
    let slot = go(reserve(&store, 10, MIDDLE));
    tell(&store, &slot, answered(RateLimitHints { limit: Some(3), ..RateLimitHints::default() }), MIDDLE);
    go(reserve(&store, 10, MIDDLE));
    go(reserve(&store, 10, MIDDLE));
    closed(reserve(&store, 10, MIDDLE));
    let status = ready(KeyValueFreeTier::new(&store, limits(10)).status(MIDDLE)).unwrap();
    assert_eq!((status.limit, status.used, status.remaining), (3, 3, 0));
}

#[test]
fn room_that_is_told_to_be_short_holds_until_its_reset() {
    let store = FakeKeyValue::default();
    let slot = go(reserve(&store, 10, MIDDLE));
    go(reserve(&store, 10, MIDDLE));
    let told = RateLimitHints { remaining: Some(1), reset: Some(20 * SECOND), ..RateLimitHints::default() };
    tell(&store, &slot, answered(told), MIDDLE);
    // Two slots are held and one more call fits.
    go(reserve(&store, 10, MIDDLE));
    closed(reserve(&store, 10, MIDDLE + 19 * SECOND));
    go(reserve(&store, 10, MIDDLE + 20 * SECOND));
}

#[test]
fn with_nothing_left_nobody_asks_until_the_reset_and_everybody_may_then() {
    let store = FakeKeyValue::default();
    let slot = go(reserve(&store, 10, MIDDLE));
    let told = RateLimitHints { remaining: Some(0), reset: Some(SECOND), ..RateLimitHints::default() };
    tell(&store, &slot, answered(told), MIDDLE);
    store.calls.set(0);
    let shut = closed(reserve(&store, 10, MIDDLE));
    assert_eq!((shut.reason, shut.reopens_at), (ClosedReason::FreeExhausted, MIDDLE + SECOND));
    assert_eq!(store.calls.get(), 1);
    let status = ready(KeyValueFreeTier::new(&store, limits(10)).status(MIDDLE)).unwrap();
    assert_eq!((status.limit, status.remaining, status.closed), (10, 0, Some(shut)));
    for left in (0..9).rev() {
        assert_eq!(go(reserve(&store, 10, MIDDLE + SECOND)).remaining, left);
    }
}

#[test]
fn a_provider_that_is_overloaded_is_left_alone_as_long_as_it_says_and_its_limit_stays() {
    let store = FakeKeyValue::default();
    for _ in 0..3 {
        let slot = go(reserve(&store, 10, MIDDLE));
        settle(&store, &slot, Outcome::Overloaded { wait: SECOND }, MIDDLE);
        assert_eq!(closed(reserve(&store, 10, MIDDLE)).reopens_at, MIDDLE + SECOND);
        let probe = go(reserve(&store, 10, MIDDLE + SECOND));
        settle(&store, &probe, Outcome::Answered, MIDDLE + SECOND);
    }
    assert_eq!(ready(KeyValueFreeTier::new(&store, limits(10)).status(MIDDLE)).unwrap().limit, 10);
}

#[test]
fn messages_that_are_refused_hold_their_slots_and_close_nothing() {
    let store = FakeKeyValue::default();
    for left in (0..10).rev() {
        let slot = go(reserve(&store, 10, MIDDLE));
        assert_eq!((slot.remaining, slot.pass), (left, Pass::default()));
        settle(&store, &slot, Outcome::Rejected, MIDDLE);
    }
    assert!(!store.keys().iter().any(|key| key.ends_with("/gate")));
    assert_eq!(closed(reserve(&store, 10, MIDDLE)).reason, ClosedReason::FreeExhausted);
}

#[test]
fn a_probe_whose_message_is_refused_finds_the_provider_there() {
    let store = FakeKeyValue::default();
    let slot = go(reserve(&store, 10, MIDDLE));
    settle(&store, &slot, Outcome::Refused { retry_after: None }, MIDDLE);
    let reopened = MIDDLE + 61 * SECOND;
    let probe = go(reserve(&store, 10, reopened));
    settle(&store, &probe, Outcome::Rejected, reopened);
    assert_eq!(go(reserve(&store, 10, reopened)).pass, Pass::default());
}

#[test]
fn the_latest_of_what_stands_in_the_way_is_told() {
    let store = FakeKeyValue::default();
    let tier = KeyValueFreeTier::new(&store, limits(2));
    let slots = [go(reserve(&store, 2, MIDDLE)), go(reserve(&store, 2, MIDDLE))];
    let window_ends = UnixMillis(1_800_000_060_250);
    for (slot, wait, reopens_at) in [(&slots[0], 5, window_ends), (&slots[1], 50, MIDDLE + 50 * SECOND)] {
        let end = end(Outcome::Overloaded { wait: wait * SECOND });
        let told = ready(tier.settle(slot, &end, None, MIDDLE)).unwrap().unwrap();
        assert_eq!((told.reason, told.reopens_at), (ClosedReason::FreeBlocked, reopens_at));
        assert_eq!(closed(reserve(&store, 2, MIDDLE)), told);
        assert_eq!(ready(tier.status(MIDDLE)).unwrap().closed, Some(told));
    }
    // Without a pause: the message that took the last slot is told when there are others.
    let store = FakeKeyValue::default();
    let tier = KeyValueFreeTier::new(&store, limits(1));
    let slot = go(reserve(&store, 1, MIDDLE));
    let told = ready(tier.settle(&slot, &end(Outcome::Unknown), None, MIDDLE)).unwrap().unwrap();
    assert_eq!((told.reason, told.reopens_at), (ClosedReason::FreeExhausted, window_ends));
}

#[test]
fn a_provider_whose_clock_is_off_gets_its_own_windows_after_a_pause() {
    let store = FakeKeyValue::default();
    let earlier = MIDDLE - 60 * SECOND;
    let slot = go(reserve(&store, 1, earlier));
    settle(&store, &slot, Outcome::Answered, earlier);
    let slot = go(reserve(&store, 1, MIDDLE));
    // 20 seconds ahead.
    let date = Some(MIDDLE + 20 * SECOND);
    tell(&store, &slot, answered(RateLimitHints { date, ..RateLimitHints::default() }), MIDDLE + SECOND);
    // Between 19 and 21 s ahead, and twice the skew. What was reserved before may have been booked in the
    // window that begins by 60.25 s, and arrive until 65.5 s: by 87 s on the provider's clock, whose window
    // then ends by 120 - 18.5 s on ours.
    let paused = closed(reserve(&store, 1, MIDDLE + SECOND));
    assert_eq!(paused.reason, ClosedReason::FreeBlocked);
    assert_eq!(paused.reopens_at, UnixMillis(1_800_000_120_000 - 18_500));

    let probe = go(reserve(&store, 1, paused.reopens_at));
    settle(&store, &probe, Outcome::Answered, paused.reopens_at);
    let next = closed(reserve(&store, 1, paused.reopens_at));
    assert_eq!(next.reopens_at, paused.reopens_at + 60 * SECOND);
}

#[test]
fn a_provider_that_is_ahead_from_the_first_call_on_is_not_paused_and_loses_no_count() {
    let store = FakeKeyValue::default();
    let slot = go(reserve(&store, 2, MIDDLE));
    let date = Some(MIDDLE + 5 * SECOND);
    tell(&store, &slot, answered(RateLimitHints { date, ..RateLimitHints::default() }), MIDDLE + SECOND);
    // The call before counts, and the window ends some 5 s earlier than by our clock.
    go(reserve(&store, 2, MIDDLE + SECOND));
    let full = closed(reserve(&store, 2, MIDDLE + SECOND));
    assert_eq!(full.reason, ClosedReason::FreeExhausted);
    assert!(full.reopens_at < UnixMillis(1_800_000_060_000), "{full:?}");

    // Near the window's end the calls before may have fallen into the next one.
    let store = FakeKeyValue::default();
    let late = MIDDLE + 20 * SECOND;
    let slot = go(reserve(&store, 2, late));
    let date = Some(late + 5 * SECOND);
    tell(&store, &slot, answered(RateLimitHints { date, ..RateLimitHints::default() }), late + SECOND);
    assert_eq!(closed(reserve(&store, 2, late + SECOND)).reason, ClosedReason::FreeBlocked);
}

#[test]
fn a_clock_within_the_skew_moves_nothing() {
    let store = FakeKeyValue::default();
    let slot = go(reserve(&store, 10, MIDDLE));
    for date in [MIDDLE - SECOND, MIDDLE + SECOND] {
        tell(
            &store,
            &slot,
            answered(RateLimitHints { date: Some(date), ..RateLimitHints::default() }),
            MIDDLE + SECOND,
        );
    }
    assert!(!store.keys().iter().any(|key| key.ends_with("/gate")));
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
    assert!(windows <= 3, "{:?}", store.keys());
}

fn paid(reason: Reason) -> StatsEvent {
    StatsEvent { fate: MessageOutcome::Paid(reason), waited: false }
}

const FREE: StatsEvent = StatsEvent { fate: MessageOutcome::Free, waited: false };

#[test]
fn a_free_call_is_counted_without_a_store_call_and_any_other_end_with_one() {
    let store = FakeKeyValue::default();
    let tier = KeyValueFreeTier::new(&store, limits(3));
    let slots: Vec<_> = (0..3).map(|_| go(reserve(&store, 3, MIDDLE))).collect();
    store.calls.set(0);
    ready(tier.settle(&slots[0], &end(Outcome::Answered), Some(FREE), MIDDLE)).unwrap();
    assert_eq!(store.calls.get(), 0);

    let failed = Some(paid(Reason::FreeFailed));
    ready(tier.settle(&slots[1], &end(Outcome::Unknown), failed, MIDDLE)).unwrap();
    for _ in 0..2 {
        closed(reserve(&store, 3, MIDDLE));
        ready(tier.record(paid(Reason::FreeExhausted), MIDDLE)).unwrap();
    }
    store.calls.set(0);
    let waited = StatsEvent { fate: MessageOutcome::Refused(Reason::FreeExhausted), waited: true };
    ready(tier.record(waited, MIDDLE)).unwrap();
    assert!(store.calls.get() <= 7, "{}", store.calls.get());
    store.calls.set(0);
    ready(tier.record(waited, MIDDLE)).unwrap();
    assert_eq!(store.calls.get(), 1 + 2, "the phase, and an increment each for the end and for the wait");

    let figures = ready(tier.figures(MIDDLE)).unwrap();
    let mut counts = Counts::default();
    // The third slot is under way, and taken for a free call until it fails.
    for (kind, times) in [
        (Kind::Outcome(MessageOutcome::Free), 2),
        (Kind::Outcome(MessageOutcome::Paid(Reason::FreeFailed)), 1),
        (Kind::Outcome(MessageOutcome::Paid(Reason::FreeExhausted)), 2),
        (Kind::Outcome(MessageOutcome::Refused(Reason::FreeExhausted)), 2),
        (Kind::Waited, 2),
        (Kind::Oracle, 4),
    ] {
        counts.add(kind, times);
    }
    assert_eq!(figures.total, counts);
    assert_eq!(figures.windows, [WindowStats { starts_at: MIDDLE - 30 * SECOND, counts }]);
    assert_eq!(figures.total.regret(), 1, "the message whose free call was lost");
}

#[test]
fn windows_that_are_over_are_put_away_with_their_counters() {
    let store = FakeKeyValue::default();
    let tier = KeyValueFreeTier::new(&store, limits(2));
    let mut now = MIDDLE;
    for _ in 0..70 {
        let slot = go(reserve(&store, 2, now));
        ready(tier.settle(&slot, &end(Outcome::Answered), Some(FREE), now)).unwrap();
        ready(tier.record(paid(Reason::AllowanceUsed), now)).unwrap();
        now = now + 60 * SECOND;
    }
    let figures = ready(tier.figures(now)).unwrap();
    assert_eq!((figures.total.free, figures.total.not_free()), (70, 70));
    assert!((59..=60).contains(&figures.windows.len()), "{}", figures.windows.len());
    assert!(figures.windows.is_sorted_by(|newer, older| newer.starts_at > older.starts_at));
    assert!(store.keys().len() < 12, "{:?}", store.keys());
}

#[test]
fn a_block_without_calls_leaves_no_counters_behind() {
    let store = FakeKeyValue::default();
    let tier = KeyValueFreeTier::new(&store, limits(2));
    for window in 0..30 {
        ready(tier.record(paid(Reason::FreeBlocked), MIDDLE + window * 60 * SECOND)).unwrap();
    }
    assert!(store.keys().len() < 6, "{:?}", store.keys());
    assert_eq!(ready(tier.figures(MIDDLE + 1_800 * SECOND)).unwrap().total.not_free(), 30);
}

#[test]
fn a_fold_that_crashes_counts_no_window_twice() {
    let store = FakeKeyValue::default();
    let tier = KeyValueFreeTier::new(&store, limits(2));
    let count = |window: u32| ready(tier.record(paid(Reason::FreeBlocked), MIDDLE + window * 60 * SECOND));
    count(0).unwrap();
    let before: Vec<_> =
        store.keys().into_iter().map(|key| (key.clone(), ready(store.get(&key)).unwrap())).collect();
    count(5).unwrap();
    // As if it had crashed between writing the past and removing the counters.
    for (key, value) in before {
        ready(store.set(&key, &value.unwrap())).unwrap();
    }
    count(9).unwrap();
    let total = ready(tier.figures(MIDDLE + 540 * SECOND)).unwrap().total;
    assert_eq!(total.not_free(), 2, "window 5 is no longer in the index, as after a race");
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
    /// this share (in percent) of that time, and ends like this; it would wait for so many milliseconds,
    /// and this is told of the limit.
    Call { skew: i64, takes: u64, arrives_at: u64, ends: Ending, patience: u64, told: RateLimitHints },
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Answered,
    TimedOut,
    Crashed,
    NotSent,
}

fn told() -> impl Strategy<Value = RateLimitHints> {
    let number = || prop::option::weighted(0.2, 0i64..8);
    (number(), number()).prop_map(|(limit, remaining)| RateLimitHints {
        limit,
        remaining,
        ..RateLimitHints::default()
    })
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
        5 => (-250i64..=250, 1u64..5_000, 0u64..=100, ending, prop_oneof![Just(0), 0u64..130_000], told())
            .prop_map(|(skew, takes, arrives_at, ends, patience, told)| {
                Step::Call { skew, takes, arrives_at, ends, patience, told }
            }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The guarantee: whatever the latencies, skews, losses and crashes, whatever is told of the limit, and
    /// whether messages wait or not, no window of the provider ever holds more than N arrivals. When its
    /// clock is off, that holds from the moment an answer has proved it.
    #[test]
    fn no_provider_window_sees_more_than_n_calls(
        calls in 1i64..6,
        ahead in prop_oneof![Just(0), -20_000i64..20_000],
        history in prop::collection::vec(step(), 1..300),
    ) {
        let store = FakeKeyValue::default();
        let tier = KeyValueFreeTier::new(&store, limits(calls));
        let (mut now, mut taught) = (MIDDLE, ahead == 0);
        // Calls by the provider's windows, and whether one of them was reserved by who knew its clock.
        let mut arrivals = std::collections::HashMap::<WindowId, (i64, bool)>::new();
        // Calls in flight: when they end, on whose clock, how.
        let mut ending: Vec<(UnixMillis, i64, Reservation, End)> = Vec::new();
        for step in history {
            match step {
                Step::Wait(ms) => {
                    now = now + Duration::from_millis(ms);
                    let (mut done, open): (Vec<_>, _) = ending.into_iter().partition(|(at, ..)| *at <= now);
                    ending = open;
                    done.sort_by_key(|(at, ..)| *at);
                    for (at, skew, slot, end) in done {
                        ready(tier.settle(&slot, &end, None, UnixMillis(at.0 + skew))).unwrap();
                    }
                    taught |= ready(tier.gate().read()).unwrap().note.phase.is_some();
                }
                Step::Call { skew, takes, arrives_at, ends, patience, told } => {
                    let asked = UnixMillis(now.0 + skew);
                    let ask = Ask {
                        wait_until: (patience > 0).then(|| asked + Duration::from_millis(patience)),
                        ..ask()
                    };
                    let Decision::Allow(slot) = ready(tier.reserve(&ask, asked)).unwrap() else {
                        continue;
                    };
                    // On the instance's clock.
                    let now = slot.starts_at.map_or(now, |at| UnixMillis(at.0 - skew));
                    let arrival = UnixMillis((now + Duration::from_millis(takes * arrives_at / 100)).0 + ahead);
                    if !matches!(ends, Ending::NotSent) {
                        let window = arrivals.entry(WindowId::containing(arrival, 60 * SECOND)).or_default();
                        *window = (window.0 + 1, window.1 || taught);
                    }
                    let date = Some(UnixMillis(arrival.0.div_euclid(1_000) * 1_000));
                    let (takes, end) = match ends {
                        Ending::Answered => (takes, answered(RateLimitHints { date, ..told })),
                        Ending::TimedOut => (5_000, end(Outcome::Unknown)),
                        Ending::NotSent => (takes, end(Outcome::NotSent)),
                        Ending::Crashed => continue,
                    };
                    ending.push((now + Duration::from_millis(takes), skew, slot, end));
                }
            }
        }
        for (window, (count, taught)) in arrivals {
            prop_assert!(!taught || count <= calls, "{count} calls arrived in {window:?}, {calls} allowed");
        }
    }
}
