//! What the rules say, one sentence at a time. That they keep the guarantee in any history, and that the
//! script says the same, is tested with simulated providers in `tests/sim`.

use std::time::Duration;

use super::*;
use crate::free_tier::RateLimitHints;

const SECOND: Duration = Duration::from_secs(1);
const START: UnixMillis = UnixMillis(1_800_000_000_000);
const ANSWERED: Outcome = Outcome::Answered;

fn ledger(model: WindowModel, calls: i64) -> Ledger {
    let limits = Limits { calls, window: 60 * SECOND, block: 30 * SECOND, timeout: 4 * SECOND, skew: SECOND };
    Ledger { model, limits }
}

/// Seconds after the start, which is a multiple of the window.
fn at(seconds: u64) -> UnixMillis {
    START + Duration::from_secs(seconds)
}

struct Counter(Ledger, State);

impl Counter {
    fn new(model: WindowModel, calls: i64) -> Self {
        let ledger = ledger(model, calls);
        Self(ledger, ledger.fresh(START))
    }

    fn reserve(&mut self, seconds: u64) -> Decision<Slot> {
        let ask = Ask { id: "hasty".into(), first: true, wait_until: None };
        self.0.reserve(&mut self.1, &ask, at(seconds))
    }

    /// Asks for `id`, which waits until so many seconds after the start; when it shall ask again, in
    /// milliseconds after the start.
    fn wait(&mut self, id: &str, seconds: u64, until: u64) -> Result<Slot, Option<i64>> {
        let ask = Ask { id: id.into(), first: false, wait_until: Some(at(until)) };
        match self.0.reserve(&mut self.1, &ask, at(seconds)) {
            Decision::Allow(slot) => Ok(slot),
            Decision::Queue(again) => Err(Some(again.0 - START.0)),
            Decision::Deny(_) => Err(None),
        }
    }

    fn go(&mut self, seconds: u64) -> Slot {
        match self.reserve(seconds) {
            Decision::Allow(slot) => slot,
            other => panic!("no slot after {seconds} s: {other:?}"),
        }
    }

    /// When it says that it reopens, in seconds after the start, and why it is closed.
    fn closed(&mut self, seconds: u64) -> (i64, ClosedReason) {
        match self.reserve(seconds) {
            Decision::Deny(closed) => ((closed.reopens_at.0 - START.0) / 1000, closed.reason),
            other => panic!("not closed after {seconds} s: {other:?}"),
        }
    }

    fn settle(&mut self, slot: &Slot, outcome: Outcome, seconds: u64) {
        self.tell(slot, outcome, RateLimitHints::default(), seconds);
    }

    /// The call ends, and its answer tells something.
    fn tell(&mut self, slot: &Slot, outcome: Outcome, told: RateLimitHints, seconds: u64) {
        self.0.settle(&mut self.1, slot, &End { outcome, told }, None, at(seconds));
    }

    fn status(&mut self, seconds: u64) -> Status {
        self.0.status(&mut self.1, at(seconds))
    }

    /// A call that is answered.
    fn call(&mut self, from: u64, to: u64) {
        let slot = self.go(from);
        self.settle(&slot, ANSWERED, to);
    }
}

use ClosedReason::{FreeBlocked, FreeExhausted, FreeFailing};

#[test]
fn a_sliding_slot_comes_back_a_window_after_the_call_ended() {
    let mut counter = Counter::new(WindowModel::Sliding, 2);
    counter.call(0, 2);
    counter.call(1, 4);
    assert_eq!(counter.closed(61), (62, FreeExhausted));
    counter.go(62);
    assert_eq!(counter.closed(62), (64, FreeExhausted));
}

#[test]
fn an_aligned_slot_comes_back_after_the_window_in_which_the_call_may_have_arrived() {
    let mut counter = Counter::new(WindowModel::Aligned, 2);
    counter.call(10, 12);
    counter.call(57, 59);
    // By the provider's clock the second may have arrived in the next window.
    assert_eq!(counter.closed(59), (61, FreeExhausted));
    counter.call(61, 62);
    assert_eq!(counter.closed(62), (121, FreeExhausted));
}

#[test]
fn anchored_slots_come_back_together_a_window_after_the_first_answer() {
    let mut counter = Counter::new(WindowModel::Anchored, 3);
    counter.call(0, 2);
    counter.call(30, 31);
    counter.call(50, 59);
    assert_eq!(counter.closed(61), (62, FreeExhausted));
    for _ in 0..3 {
        counter.go(62);
    }
}

#[test]
fn an_anchored_straggler_may_have_opened_the_next_window() {
    let mut counter = Counter::new(WindowModel::Anchored, 2);
    counter.call(0, 2);
    // The window may have ended at 60: this call is in it or opened the next.
    counter.call(58, 60);
    counter.go(62);
    assert_eq!(counter.closed(62).1, FreeExhausted);
}

#[test]
fn a_crashed_anchored_call_leaves_with_its_window() {
    let mut counter = Counter::new(WindowModel::Anchored, 2);
    counter.call(0, 2);
    counter.go(30);
    assert_eq!(counter.closed(61), (62, FreeExhausted));
    counter.go(62);
    counter.go(62);
}

#[test]
fn a_token_flows_back_from_the_end_of_the_call() {
    let mut counter = Counter::new(WindowModel::TokenBucket, 2);
    counter.call(0, 2);
    counter.call(2, 3);
    assert_eq!(counter.closed(3), (32, FreeExhausted));
    counter.go(32);
}

#[test]
fn a_full_bucket_gives_no_more_than_n_at_once() {
    let mut counter = Counter::new(WindowModel::TokenBucket, 2);
    counter.go(0);
    counter.go(0);
    // Were both charged now, a token would be there half a window later.
    assert_eq!(counter.closed(1), (31, FreeExhausted));
}

#[test]
fn after_n_calls_the_provider_is_left_alone_for_its_block() {
    let mut counter = Counter::new(WindowModel::CountThenBlock, 2);
    counter.call(0, 1);
    counter.call(500, 502);
    assert_eq!(counter.closed(502), (532, FreeExhausted));
    counter.go(532);
    counter.go(532);
}

#[test]
fn after_a_lost_call_each_call_that_may_be_the_last_goes_alone() {
    let mut counter = Counter::new(WindowModel::CountThenBlock, 3);
    counter.call(0, 1);
    counter.go(1);
    counter.call(2, 3);
    // Counted or not, the lost call is over after 1 + 5 + 30 seconds.
    assert_eq!(counter.closed(4), (36, FreeExhausted));
    counter.call(36, 36);
    assert_eq!(counter.closed(36), (66, FreeExhausted));
    // Now the provider has blocked in either case; its count is 0 or 1.
    counter.go(66);
    counter.go(66);
    assert_eq!(counter.closed(66).1, FreeExhausted);
}

#[test]
fn a_refusal_shows_where_the_count_stands() {
    let mut counter = Counter::new(WindowModel::CountThenBlock, 3);
    counter.1 = counter.0.recovered(START);
    let slot = counter.go(35);
    counter.settle(&slot, Outcome::Refused { retry_after: None }, 36);
    assert_eq!(counter.closed(40), (66, FreeBlocked));
    counter.call(66, 67);
    counter.go(67);
    counter.go(67);
    assert_eq!(counter.closed(67).1, FreeExhausted);
}

#[test]
fn of_calls_under_way_at_a_refusal_nobody_knows_whether_they_are_in_the_new_count() {
    let mut counter = Counter::new(WindowModel::CountThenBlock, 4);
    let slots = [0; 4].map(|now| counter.go(now));
    // From now on the limit is taken to be 3.
    counter.settle(&slots[3], Outcome::Refused { retry_after: None }, 1);
    counter.settle(&slots[1], Outcome::NotSent, 1);
    counter.settle(&slots[2], Outcome::NotSent, 1);
    // It arrived before the provider closed, or after it opened again, though it was answered.
    counter.settle(&slots[0], Outcome::Answered, 2);
    counter.call(32, 33);
    counter.call(63, 64);
    // These two were counted. The next may be the third, as may the one after it, so each goes alone.
    counter.call(94, 95);
    assert_eq!(counter.closed(95), (125, FreeExhausted));
}

#[test]
fn a_call_that_was_never_sent_gives_its_slot_back() {
    for model in WindowModel::ALL {
        let mut counter = Counter::new(model, 1);
        let slot = counter.go(0);
        counter.closed(0);
        counter.settle(&slot, Outcome::NotSent, 1);
        counter.go(1);
    }
}

#[test]
fn blocks_merge_and_one_probe_reopens_for_all() {
    for model in WindowModel::ALL {
        let mut counter = Counter::new(model, 10);
        let slots = [counter.go(0), counter.go(0)];
        counter.settle(&slots[0], Outcome::Refused { retry_after: Some(90 * SECOND) }, 1);
        counter.settle(&slots[1], Outcome::Refused { retry_after: None }, 2);
        assert_eq!(counter.closed(90), (91, FreeBlocked), "the later deadline wins");

        let crashed = counter.go(91);
        assert!(crashed.probes);
        assert_eq!(counter.closed(95), (96, FreeBlocked));
        let unsent = counter.go(96);
        counter.settle(&unsent, Outcome::NotSent, 96);
        assert_eq!(counter.closed(96), (101, FreeFailing), "the probe failed");
        let probe = counter.go(101);
        assert!(probe.probes);
        assert_eq!(counter.closed(101).1, FreeFailing);
        counter.settle(&probe, ANSWERED, 102);
        assert!(!counter.go(102).probes);
    }
}

#[test]
fn failures_in_a_row_close_the_provider_whatever_their_slots_do() {
    for model in WindowModel::ALL {
        let mut counter = Counter::new(model, 10);
        for outcome in [Outcome::Unknown, Outcome::NotSent, Outcome::Unknown, Outcome::NotSent] {
            let slot = counter.go(0);
            counter.settle(&slot, outcome, 1);
        }
        let slot = counter.go(1);
        counter.settle(&slot, Outcome::Unknown, 2);
        assert_eq!(counter.closed(2), (7, FreeFailing), "{model:?}");
        let probe = counter.go(7);
        counter.settle(&probe, Outcome::Unknown, 8);
        assert_eq!(counter.closed(8), (18, FreeFailing));
        let probe = counter.go(18);
        counter.settle(&probe, Outcome::Refused { retry_after: None }, 19);
        assert_eq!(counter.closed(19), (49, FreeBlocked));
    }
}

#[test]
fn those_in_line_are_served_in_their_order_and_before_all_others() {
    let mut counter = Counter::new(WindowModel::Sliding, 2);
    counter.call(0, 1);
    counter.call(0, 2);
    assert_eq!(counter.wait("a", 59, 70), Err(Some(60_000)));
    assert_eq!(counter.wait("b", 59, 70), Err(Some(60_000)));
    // One slot is back, and it is kept for the first in line.
    assert_eq!(counter.wait("b", 61, 70), Err(Some(62_000)));
    assert_eq!(counter.closed(61).1, FreeExhausted);
    assert_eq!(counter.status(61).remaining, 0);
    assert!(counter.wait("a", 61, 70).is_ok());
    assert!(counter.wait("b", 62, 70).is_ok());
    assert_eq!(counter.closed(62).1, FreeExhausted);
}

#[test]
fn who_waits_in_vain_is_told_at_once() {
    let mut counter = Counter::new(WindowModel::Sliding, 1);
    counter.call(0, 2);
    assert_eq!(counter.wait("a", 50, 61), Err(None), "the slot comes back after 62 seconds");
    assert_eq!(counter.wait("a", 50, 62), Err(Some(51_000)));
    assert_eq!(counter.wait("a", 51, 51), Err(None), "the time is over");
    assert_eq!(counter.1.line.length(), 0);
}

#[test]
fn a_crashed_waiter_is_overtaken_after_its_lease() {
    let mut counter = Counter::new(WindowModel::Sliding, 1);
    counter.call(0, 2);
    assert!(counter.wait("crashed", 60, 80).is_err());
    assert!(counter.wait("b", 61, 80).is_err());
    assert_eq!(counter.wait("b", 62, 80), Err(Some(63_000)));
    assert!(counter.wait("b", 63, 80).is_ok());
}

#[test]
fn a_short_pause_is_waited_for_and_its_probe_is_the_first_in_line() {
    for model in WindowModel::ALL {
        let mut counter = Counter::new(model, 10);
        let slot = counter.go(0);
        counter.settle(&slot, Outcome::Refused { retry_after: None }, 1);
        assert_eq!(counter.wait("a", 29, 40), Err(Some(30_000)));
        assert_eq!(counter.wait("b", 29, 40), Err(Some(30_000)));
        assert_eq!(counter.wait("b", 31, 40), Err(Some(32_000)), "{model:?}: one probe, and it is a's turn");
        assert!(counter.wait("a", 31, 40).unwrap().probes);
    }
}

#[test]
fn with_nothing_left_nothing_goes_until_the_reset_and_everything_then() {
    for model in WindowModel::ALL.into_iter().filter(|model| *model != WindowModel::CountThenBlock) {
        let mut counter = Counter::new(model, 10);
        let slot = counter.go(0);
        let told =
            RateLimitHints { remaining: Some(0), reset: Some(7 * SECOND), ..RateLimitHints::default() };
        counter.tell(&slot, ANSWERED, told, 1);
        assert_eq!(counter.closed(1), (8, FreeExhausted), "{model:?}");
        let status = counter.status(1);
        assert_eq!((status.limit, status.remaining), (10, 0));
        for _ in 0..9 {
            counter.go(8);
        }
    }
}

#[test]
fn an_overloaded_provider_is_left_alone_as_long_as_it_says_and_its_limit_stays() {
    for model in WindowModel::ALL {
        let mut counter = Counter::new(model, 10);
        for round in 0..3 {
            let slot = counter.go(10 * round);
            counter.settle(&slot, Outcome::Overloaded { wait: SECOND }, 10 * round);
            assert_eq!(counter.closed(10 * round), (10 * round as i64 + 1, FreeBlocked), "{model:?}");
            let probe = counter.go(10 * round + 1);
            counter.settle(&probe, ANSWERED, 10 * round + 1);
        }
        assert_eq!(counter.status(31).limit, 10);
    }
}

#[test]
fn messages_that_are_refused_hold_their_slots_and_close_nothing() {
    for model in WindowModel::ALL {
        let mut counter = Counter::new(model, 10);
        for _ in 0..10 {
            let slot = counter.go(0);
            counter.settle(&slot, Outcome::Rejected, 0);
        }
        assert_eq!(counter.closed(0).1, FreeExhausted, "{model:?}");
    }
}

#[test]
fn the_latest_of_what_stands_in_the_way_is_told() {
    let mut counter = Counter::new(WindowModel::Sliding, 2);
    let slots = [counter.go(0), counter.go(0)];
    counter.settle(&slots[0], Outcome::Overloaded { wait: 5 * SECOND }, 1);
    // Its outcome is unknown, so it is held until 5 seconds are over and a window more.
    assert_eq!(counter.closed(1), (65, FreeBlocked));
    counter.settle(&slots[1], Outcome::Overloaded { wait: 70 * SECOND }, 1);
    assert_eq!(counter.closed(1), (71, FreeBlocked));
}

#[test]
fn what_a_lone_call_is_told_to_be_left_shows_where_the_count_stands() {
    let mut counter = Counter::new(WindowModel::CountThenBlock, 10);
    counter.1 = counter.0.recovered(START);
    let lone = counter.go(35);
    counter.tell(&lone, ANSWERED, RateLimitHints { remaining: Some(6), ..RateLimitHints::default() }, 36);
    let slots: Vec<_> = (0..6).map(|_| counter.go(36)).collect();
    assert_eq!(counter.closed(36).1, FreeExhausted);
    // The others were under way together: what they are told is no news.
    for (slot, left) in slots.iter().zip((0..6).rev()) {
        counter.tell(
            slot,
            ANSWERED,
            RateLimitHints { remaining: Some(left), ..RateLimitHints::default() },
            37,
        );
    }
    assert_eq!(counter.closed(37), (67, FreeExhausted));
    for _ in 0..10 {
        counter.go(67);
    }
}

#[test]
fn a_state_that_is_trusted_again_is_as_one_that_was_never_lost() {
    for model in WindowModel::ALL.into_iter().filter(|model| *model != WindowModel::CountThenBlock) {
        let (mut lost, mut fresh) = (Counter::new(model, 4), Counter::new(model, 4));
        lost.1 = lost.0.recovered(START);
        for seconds in 65..300 {
            let (first, second) = (lost.reserve(seconds), fresh.reserve(seconds));
            assert_eq!(first, second, "{model:?}");
            if let (Decision::Allow(first), Decision::Allow(second)) = (first, second) {
                let left = Some(first.remaining);
                for (counter, slot) in [(&mut lost, first), (&mut fresh, second)] {
                    counter.tell(
                        &slot,
                        ANSWERED,
                        RateLimitHints { remaining: left, ..RateLimitHints::default() },
                        seconds,
                    );
                }
            }
            assert_eq!(lost.status(seconds), fresh.status(seconds), "{model:?}");
        }
    }
}

#[test]
fn a_limit_that_is_told_holds_for_every_model() {
    for model in WindowModel::ALL {
        let mut counter = Counter::new(model, 10);
        let slot = counter.go(0);
        counter.tell(&slot, ANSWERED, RateLimitHints { limit: Some(2), ..RateLimitHints::default() }, 1);
        if model != WindowModel::TokenBucket {
            counter.go(1);
        }
        assert_eq!(counter.closed(1).1, FreeExhausted, "{model:?}");
        assert_eq!((counter.status(1).limit, counter.status(1).used), (2, 2));
    }
}

#[test]
fn room_is_reckoned_with_the_calls_that_overtook() {
    let mut counter = Counter::new(WindowModel::Sliding, 10);
    let slots: Vec<_> = (0..10).map(|_| counter.go(0)).collect();
    // The last reserved arrives first.
    for (order, slot) in slots.iter().rev().enumerate() {
        counter.tell(
            slot,
            ANSWERED,
            RateLimitHints { remaining: Some(9 - order as i64), ..RateLimitHints::default() },
            1,
        );
    }
    assert_eq!(counter.status(1).limit, 10);
}

#[test]
fn a_refusal_of_a_call_that_should_fit_lowers_the_limit_for_ten_windows() {
    let mut counter = Counter::new(WindowModel::Sliding, 10);
    for _ in 0..6 {
        counter.call(0, 0);
    }
    let (seventh, eighth) = (counter.go(0), counter.go(0));
    counter.settle(&seventh, Outcome::Refused { retry_after: None }, 1);
    counter.settle(&eighth, Outcome::Refused { retry_after: None }, 1);
    assert_eq!(counter.status(1).limit, 6, "the second refusal belongs to the first");
    assert_eq!(counter.status(600).limit, 6);
    assert_eq!(counter.status(601).limit, 10);
}

#[test]
fn a_bucket_flows_by_the_limit_that_is_told() {
    let mut counter = Counter::new(WindowModel::TokenBucket, 60);
    let slot = counter.go(0);
    counter.tell(&slot, ANSWERED, RateLimitHints { limit: Some(2), ..RateLimitHints::default() }, 0);
    // It may be empty, and the call took a token.
    assert_eq!(counter.closed(0), (60, FreeExhausted));
}

#[test]
fn aligned_windows_move_to_where_the_providers_clock_has_them() {
    let mut counter = Counter::new(WindowModel::Aligned, 1);
    let slot = counter.go(10);
    // 20 seconds ahead; the skew is 1 second.
    counter.tell(&slot, ANSWERED, RateLimitHints { date: Some(at(31)), ..RateLimitHints::default() }, 11);
    // It may be 18 to 22.999 seconds ahead. What was reserved before arrives by 16 and a half, in the window
    // that ends at 42 by our clock, at the latest.
    assert_eq!(counter.closed(11), (42, FreeBlocked));
    let status = counter.status(11);
    assert_eq!((status.window_ends_at.0 - START.0) / 1000, 39);
    let probe = counter.go(42);
    counter.settle(&probe, ANSWERED, 43);
    assert_eq!(counter.closed(43), (102, FreeExhausted));
}

#[test]
fn the_figures_tell_every_end_and_what_the_oracle_could_not_send() {
    use crate::{routing::Reason, stats::MessageOutcome};
    let mut counter = Counter::new(WindowModel::Aligned, 1);
    let slot = counter.go(0);
    let free = StatsEvent { fate: MessageOutcome::Free, waited: true };
    counter.0.settle(
        &mut counter.1,
        &slot,
        &End { outcome: ANSWERED, told: RateLimitHints::default() },
        Some(free),
        at(1),
    );
    counter.closed(1);
    counter.0.record(
        &mut counter.1,
        StatsEvent { fate: MessageOutcome::Paid(Reason::FreeExhausted), waited: false },
        at(1),
    );
    let slot = counter.go(61);
    counter.settle(&slot, Outcome::Refused { retry_after: None }, 62);

    let figures = counter.0.figures(&mut counter.1, at(63));
    let starts: Vec<_> = figures.windows.iter().map(|window| window.starts_at).collect();
    assert_eq!(starts, [at(60), START]);
    assert_eq!(figures.windows[0].counts.blocked, 1);
    let first = &figures.windows[1].counts;
    assert_eq!((first.free, first.waited, first.not_free(), first.oracle, first.regret()), (1, 1, 1, 1, 0));
    assert_eq!((figures.total.free, figures.total.blocked, figures.waiting), (1, 1, 0));
    assert_eq!(counter.0.figures(&mut counter.1, at(60 * 60)).windows.len(), 1, "an hour of them is kept");
}

#[test]
fn a_lost_state_stays_closed_until_what_it_knew_is_over() {
    for (model, until) in [
        (WindowModel::Sliding, 65),
        (WindowModel::Anchored, 65),
        (WindowModel::TokenBucket, 65),
        (WindowModel::Aligned, 61),
        (WindowModel::CountThenBlock, 35),
    ] {
        let mut counter = Counter::new(model, 10);
        counter.1 = counter.0.recovered(START);
        assert_eq!(counter.closed(0), (until, FreeBlocked), "{model:?}");
        counter.go(until as u64);
    }
}

#[test]
fn time_does_not_go_back() {
    let mut counter = Counter::new(WindowModel::Sliding, 1);
    counter.call(100, 101);
    assert_eq!(counter.closed(3), (161, FreeExhausted));
}
