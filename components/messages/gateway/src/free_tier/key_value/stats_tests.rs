//! What has been stays as it was, whatever the limit becomes; and windows begin where people expect them.

use std::time::Duration;

use octo_core::testing::{FakeKeyValue, ready};

use super::*;
use crate::{free_tier::learned::Learned, routing::Reason, stats::Counts};

/// 30 s into a window of a minute.
const MIDDLE: UnixMillis = UnixMillis(1_800_000_030_000);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn tier(store: &FakeKeyValue, calls: i64) -> KeyValueFreeTier<'_, FakeKeyValue> {
    let skew = Duration::from_millis(250);
    let limits = Limits { calls, window: MINUTE, block: MINUTE, timeout: 5 * SECOND, skew };
    KeyValueFreeTier::new(store, limits)
}

/// Sends messages: free while there is room, then paid for.
fn send(store: &FakeKeyValue, calls: i64, messages: usize, now: UnixMillis) {
    let tier = tier(store, calls);
    for _ in 0..messages {
        let ask = Ask { id: "m".into(), first: true, wait_until: None };
        match ready(tier.reserve(&ask, now)).unwrap() {
            Decision::Allow(slot) => {
                let end = End { outcome: Outcome::Answered, told: Default::default() };
                let tally = Some(StatsEvent { fate: MessageOutcome::Free, waited: false });
                ready(tier.settle(&slot, &end, tally, now)).unwrap();
            }
            _ => {
                let fate = MessageOutcome::Paid(Reason::FreeExhausted);
                ready(tier.record(StatsEvent { fate, waited: false }, now)).unwrap();
            }
        }
    }
}

fn total(store: &FakeKeyValue, calls: i64, now: UnixMillis) -> Counts {
    ready(tier(store, calls).figures(now)).unwrap().total
}

/// Free, not free, and what a perfect caller could not have sent free.
fn shown(store: &FakeKeyValue, calls: i64, now: UnixMillis) -> (i64, i64, i64) {
    let total = total(store, calls, now);
    (total.free, total.not_free(), total.oracle)
}

#[test]
fn a_limit_that_changes_between_windows_leaves_the_past_as_it_was() {
    for (before, after) in [(100, 50), (50, 100), (100, 1)] {
        let store = FakeKeyValue::default();
        send(&store, before, 120, MIDDLE);
        let was = (before, 120 - before, 120 - before);
        for later in [Duration::ZERO, SECOND, MINUTE, 10 * MINUTE, 100 * MINUTE] {
            assert_eq!(shown(&store, after, MIDDLE + later), was, "{before} to {after}, {later:?} later");
        }
        // When it is put away, too.
        send(&store, after, 1, MIDDLE + 5 * MINUTE);
        let windows = ready(tier(&store, after).figures(MIDDLE + 5 * MINUTE)).unwrap().windows;
        assert_eq!(windows.iter().map(|window| window.counts.free).collect::<Vec<_>>(), [1, before]);
        assert_eq!(total(&store, after, MIDDLE + 5 * MINUTE).free, before + 1);
    }
}

#[test]
fn a_limit_that_changes_within_a_window_takes_nothing_back_and_counts_nothing_twice() {
    let store = FakeKeyValue::default();
    send(&store, 100, 80, MIDDLE);
    send(&store, 50, 40, MIDDLE + SECOND);
    assert_eq!(shown(&store, 50, MIDDLE + SECOND), (80, 40, 40));
    assert_eq!(shown(&store, 100, MIDDLE + SECOND), (80, 40, 40));

    let store = FakeKeyValue::default();
    send(&store, 50, 50, MIDDLE);
    send(&store, 100, 60, MIDDLE + SECOND);
    assert_eq!(shown(&store, 100, MIDDLE + SECOND), (100, 10, 10));
}

#[test]
fn what_was_written_before_windows_had_bounds_is_still_read() {
    let store = FakeKeyValue::default();
    send(&store, 2, 3, MIDDLE);
    let window = MIDDLE.0 / 60_000;
    let paid = Kind::Outcome(MessageOutcome::Paid(Reason::FreeExhausted)).number();
    let index = format!(r#"{{"windows":[{window}],"kinds":[{paid}]}}"#);
    ready(store.set("gateway/free/60/index", index.as_bytes())).unwrap();
    assert_eq!(shown(&store, 2, MIDDLE), (2, 1, 1));
    send(&store, 2, 1, MIDDLE + 5 * MINUTE);
    assert_eq!(shown(&store, 2, MIDDLE + 5 * MINUTE), (3, 1, 1));
}

#[test]
fn windows_begin_at_whole_seconds_where_the_providers_clock_may_agree_with_that() {
    for (least, most, begins) in [
        (-250, 250, "2027-01-15T08:00:00.000Z"),
        (-247, 250, "2027-01-15T08:00:00.000Z"),
        (-250, 252, "2027-01-15T08:00:00.000Z"),
        (-900, 300, "2027-01-15T08:00:00.000Z"),
        (2_499, 3_499, "2027-01-15T07:59:57.000Z"),
        (-3_001, -2_003, "2027-01-15T08:00:03.000Z"),
        // A second and a half: no whole one can be meant.
        (1_400, 1_600, "2027-01-15T07:59:58.500Z"),
    ] {
        let limits = tier(&FakeKeyValue::default(), 1).limits;
        let view = View::with_clock_ahead(limits, &Learned::default(), MIDDLE, (least, most));
        assert_eq!(view.start(view.current()).to_string(), begins, "{least} to {most}");
    }
}
