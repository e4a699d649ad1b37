use proptest::prelude::*;

use super::*;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
const LIMITS: Limits = Limits {
    calls: 100,
    window: Duration::from_secs(60),
    block: Duration::from_secs(30),
    timeout: Duration::from_secs(5),
    skew: Duration::from_millis(250),
};

fn at(ms: i64) -> UnixMillis {
    UnixMillis(NOW.0 + ms)
}

#[test]
fn the_newest_told_limit_stands_and_never_exceeds_the_operators() {
    let mut learned = Learned::default();
    for (told, limit) in [(50, 50), (60, 60), (500, 100), (0, 1)] {
        learned.limit_told(&LIMITS, told);
        assert_eq!(learned.limit(&LIMITS, NOW), limit);
    }
    learned.limit_told(&LIMITS, 100);
    assert_eq!(learned, Learned::default(), "nothing to remember");
}

fn remaining(learned: &mut Learned, used: i64, given_since: i64, left: i64, reset: u64, now: UnixMillis) {
    let reset = Some(Duration::from_secs(reset));
    learned.remaining_told(&LIMITS, &Around { used, given_since }, left, reset, now);
}

#[test]
fn room_is_what_was_given_and_what_is_left() {
    let mut learned = Learned::default();
    remaining(&mut learned, 3, 4, 10, 90, NOW);
    assert_eq!(learned.limit(&LIMITS, at(90_999)), 17);
    assert_eq!(learned.limit(&LIMITS, at(91_000)), 100);
    let mut learned = Learned::default();
    remaining(&mut learned, 3, 4, 0, 5, NOW);
    assert_eq!(learned.limit(&LIMITS, at(60_999)), 7, "a window at least");
    assert_eq!(learned.limit(&LIMITS, at(61_000)), 100);
}

#[test]
fn while_room_is_proved_short_the_least_that_was_proved_stands() {
    let mut learned = Learned::default();
    remaining(&mut learned, 1, 0, 59, 0, NOW);
    remaining(&mut learned, 80, 0, 0, 0, at(20_000));
    assert_eq!(learned.limit(&LIMITS, at(60_999)), 60);
    assert_eq!(learned.limit(&LIMITS, at(61_000)), 100, "not worth a write");
    let mut learned = Learned::default();
    remaining(&mut learned, 1, 0, 59, 0, NOW);
    remaining(&mut learned, 80, 0, 0, 0, at(30_000));
    assert_eq!(learned.limit(&LIMITS, at(90_999)), 60);
}

#[test]
fn room_that_fits_the_limit_teaches_nothing() {
    let mut learned = Learned::default();
    learned.remaining_told(&LIMITS, &Around { used: 60, given_since: 0 }, 40, None, NOW);
    assert_eq!(learned, Learned::default());
}

#[test]
fn a_refusal_lowers_the_limit_below_the_refused_call_but_at_most_by_half() {
    for (used, limit) in [(81, 80), (51, 50), (3, 50), (100, 99)] {
        let mut learned = Learned::default();
        learned.refused(&LIMITS, used, NOW);
        assert_eq!(learned.limit(&LIMITS, NOW), limit);
        assert_eq!(learned.limit(&LIMITS, NOW + 600 * SECOND), 100, "then it is tried again");
    }
    let mut learned = Learned::default();
    learned.limit_told(&LIMITS, 20);
    learned.refused(&LIMITS, 60, NOW);
    assert_eq!(learned.limit(&LIMITS, NOW), 20, "a call given by another limit tells nothing of this one");
}

#[test]
fn a_clock_that_is_provably_off_moves_the_windows_once_an_hour() {
    let mut learned = Learned::default();
    // Sent at 0 and back at 100 ms, while the provider had its second 3.
    assert!(learned.date_told(&LIMITS, at(0), at(3_000), at(100)));
    assert_eq!(learned.ahead(&LIMITS), (2_900 - 500, 3_999 + 500));
    assert!(!learned.date_told(&LIMITS, at(0), at(-9_000), at(100)));
    assert_eq!(learned.ahead(&LIMITS), (2_400, 4_499));
    assert!(learned.date_told(&LIMITS, at(3_600_100), at(3_591_100), at(3_600_100)));
}

#[test]
fn later_answers_narrow_what_is_known_of_the_clock() {
    let mut learned = Learned::default();
    // 3.2 s ahead.
    assert!(learned.date_told(&LIMITS, at(0), at(3_000), at(0)));
    assert_eq!(learned.ahead(&LIMITS), (3_000 - 500, 3_999 + 500));
    for sent in [700, 850] {
        let date = (sent + 3_200) / 1_000 * 1_000;
        assert!(!learned.date_told(&LIMITS, at(sent), at(date), at(sent)));
    }
    assert_eq!(learned.ahead(&LIMITS), (3_150 - 500, 3_299 + 500));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    /// A clock within u never moves the windows, and one that is off is always within what is known of it
    /// once that was moved.
    #[test]
    fn what_is_known_of_the_clock_is_true(
        ahead in -9_000i64..9_000,
        calls in prop::collection::vec((0i64..3_000, 0i64..2_000, 0i64..2_000), 1..40),
    ) {
        let (mut learned, mut sent) = (Learned::default(), 0);
        for (pause, there, back) in calls {
            sent += pause;
            let date = (NOW.0 + sent + there + ahead).div_euclid(1_000) * 1_000;
            let moved = learned.date_told(&LIMITS, at(sent), UnixMillis(date), at(sent + there + back));
            prop_assert!(!moved || ahead.abs() > 250);
        }
        let (least, most) = learned.ahead(&LIMITS);
        prop_assert!(learned.phase.is_none() || (least <= ahead && ahead <= most));
    }

    /// Whatever is told, in whatever order: never more than the operator allows, never less than one.
    #[test]
    fn the_limit_stays_between_one_and_the_operators(
        facts in prop::collection::vec((0u8..3, 0i64..300, 0i64..300, 0i64..100_000), 1..40),
    ) {
        let (mut learned, mut now) = (Learned::default(), NOW);
        for (kind, first, second, later) in facts {
            now = UnixMillis(now.0 + later);
            match kind {
                0 => learned.limit_told(&LIMITS, first),
                1 => {
                    let around = Around { used: first, given_since: 0 };
                    learned.remaining_told(&LIMITS, &around, second, Some(SECOND), now);
                }
                _ => learned.refused(&LIMITS, first, now),
            }
            prop_assert!((1..=100).contains(&learned.limit(&LIMITS, now)));
        }
    }
}
