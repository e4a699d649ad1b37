//! What the rules say, one sentence at a time. That they keep the guarantee in any history, and that the
//! script says the same, is tested with simulated providers in `tests/sim`.

use super::*;

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

    fn reserve(&mut self, seconds: u64) -> Verdict<Slot> {
        self.0.reserve(&mut self.1, at(seconds))
    }

    fn go(&mut self, seconds: u64) -> Slot {
        match self.reserve(seconds) {
            Verdict::Go(slot) => slot,
            other => panic!("no slot after {seconds} s: {other:?}"),
        }
    }

    /// When it says that it reopens, in seconds after the start, and why it is closed.
    fn closed(&mut self, seconds: u64) -> (i64, ClosedReason) {
        match self.reserve(seconds) {
            Verdict::Closed(closed) => ((closed.reopens_at.0 - START.0) / 1000, closed.reason),
            other => panic!("not closed after {seconds} s: {other:?}"),
        }
    }

    fn settle(&mut self, slot: &Slot, outcome: Outcome, seconds: u64) {
        self.0.settle(&mut self.1, slot, outcome, at(seconds));
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
