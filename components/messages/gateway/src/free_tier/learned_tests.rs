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

fn call(sent_at: UnixMillis, held: i64) -> Ended {
    Ended { sent_at, held, window_ends: at(40_000) }
}

#[test]
fn the_newest_told_limit_stands_and_never_exceeds_the_operators() {
    let mut learned = Learned::default();
    for (told, limit) in [(50, 50), (60, 60), (500, 100), (0, 1)] {
        learned.limit_told(&LIMITS, told, &call(NOW, 1));
        assert_eq!(learned.limit(&LIMITS, at(9_999_999)), limit);
    }
    learned.limit_told(&LIMITS, 100, &call(NOW, 1));
    assert_eq!(learned, Learned::default(), "nothing to remember");
}

/// A call ended at `now` with so many slots held, and was told what is left and for how many seconds.
fn told(learned: &mut Learned, held: i64, left: i64, reset: Option<u64>, now: UnixMillis) {
    let told = RateLimitHints { reset: reset.map(Duration::from_secs), ..RateLimitHints::default() };
    learned.remaining_told(&LIMITS, &call(now, held), left, &told, now);
}

#[test]
fn what_is_left_beside_what_is_held_is_the_limit_until_the_reset() {
    let mut learned = Learned::default();
    told(&mut learned, 7, 10, Some(50), NOW);
    assert_eq!(learned.limit(&LIMITS, at(49_999)), 17);
    assert_eq!(learned.lasting_limit(&LIMITS, NOW), 100, "that is nothing people need to see");
    assert_eq!(learned.limit(&LIMITS, at(50_000)), 100);
    let mut learned = Learned::default();
    told(&mut learned, 7, 10, None, NOW);
    assert_eq!(learned.limit(&LIMITS, at(39_999)), 17);
    assert_eq!(learned.limit(&LIMITS, at(40_000)), 100, "what is told in a window ends with it");
}

#[test]
fn the_quota_that_is_told_with_what_is_left_is_the_limit_until_the_reset() {
    let with = |held, left| {
        let mut learned = Learned::default();
        let told = RateLimitHints { reset: Some(30 * SECOND), quota: Some(10), ..RateLimitHints::default() };
        learned.remaining_told(&LIMITS, &call(NOW, held), left, &told, NOW);
        (learned.limit(&LIMITS, NOW), learned.limit(&LIMITS, at(30_000)))
    };
    assert_eq!(with(1, 9), (10, 100));
    assert_eq!(with(8, 5), (10, 100), "some that we hold are forgotten there");
    assert_eq!(with(20, 9), (29, 100), "it is no quota of our window");
}

#[test]
fn with_nothing_left_it_is_shut_until_the_latest_reset() {
    let mut learned = Learned::default();
    told(&mut learned, 7, 0, Some(1), NOW);
    assert_eq!(learned.shut_until(at(999)), Some(at(1_000)));
    assert_eq!(learned.shut_until(at(1_000)), None);
    assert_eq!(learned.limit(&LIMITS, NOW), 100);
    told(&mut learned, 7, 0, Some(50), NOW);
    told(&mut learned, 7, 0, Some(3), NOW);
    assert_eq!(learned.shut_until(NOW), Some(at(50_000)));
    let mut learned = Learned::default();
    told(&mut learned, 7, 0, None, NOW);
    assert_eq!(learned.shut_until(NOW), Some(at(40_000)), "the window's end");
    let mut learned = Learned::default();
    told(&mut learned, 7, 0, Some(0), NOW);
    assert_eq!(learned, Learned::default(), "over already");
}

#[test]
fn what_our_own_count_says_too_teaches_nothing() {
    for (held, left) in [(60, 40), (100, 0), (100, 3), (1, 99)] {
        let mut learned = Learned::default();
        told(&mut learned, held, left, Some(30), NOW);
        assert_eq!(learned, Learned::default());
    }
}

#[test]
fn a_policy_of_another_window_shuts_and_lowers_nothing() {
    for foreign in [
        RateLimitHints { foreign: true, reset: Some(SECOND), ..RateLimitHints::default() },
        // A longer one, for its reset lies behind our window's.
        RateLimitHints { reset: Some(1_800 * SECOND), ..RateLimitHints::default() },
    ] {
        let mut learned = Learned::default();
        learned.remaining_told(&LIMITS, &call(NOW, 7), 3, &foreign, NOW);
        assert_eq!(learned, Learned::default());
        learned.remaining_told(&LIMITS, &call(NOW, 100), 0, &foreign, NOW);
        assert_eq!(
            learned.shut_until(NOW),
            Some(NOW + foreign.reset.unwrap()),
            "though ours is full as well"
        );
        assert_eq!(learned.limit(&LIMITS, NOW), 100);
    }
    let mut learned = Learned::default();
    learned.refused(&LIMITS, 7, &RateLimitHints { foreign: true, ..RateLimitHints::default() }, NOW);
    assert_eq!(learned, Learned::default());
}

#[test]
fn while_room_is_proved_short_the_least_that_was_proved_stands() {
    let mut learned = Learned::default();
    told(&mut learned, 1, 59, Some(20), NOW);
    told(&mut learned, 60, 10, Some(40), NOW);
    assert_eq!(learned.limit(&LIMITS, at(39_999)), 60);
    assert_eq!(learned.limit(&LIMITS, at(40_000)), 100);
    let known = learned;
    told(&mut learned, 30, 30, Some(41), NOW);
    assert_eq!(learned, known, "seconds are whole, so that is no news");
}

#[test]
fn a_later_call_that_finds_more_left_lifts_what_was_learned_earlier() {
    let mut learned = Learned::default();
    learned.refused(&LIMITS, 60, &RateLimitHints::default(), NOW);
    told(&mut learned, 3, 2, Some(60), NOW);
    assert_eq!(learned.limit(&LIMITS, at(1)), 5);
    let earlier = call(at(-1), 4);
    learned.remaining_told(&LIMITS, &earlier, 80, &RateLimitHints::default(), at(2));
    assert_eq!(learned.limit(&LIMITS, at(2)), 5, "sent before, it says nothing of later");
    told(&mut learned, 4, 5, Some(60), at(3));
    assert_eq!((learned.room.unwrap().calls, learned.limit(&LIMITS, at(3))), (9, 9));
    told(&mut learned, 41, 59, Some(60), at(4));
    assert_eq!((learned.room, learned.limit(&LIMITS, at(4))), (None, 60), "what is found, and no more");
    told(&mut learned, 1, 99, Some(60), at(4));
    assert_eq!(learned, Learned::default());
    learned.refused(&LIMITS, 60, &RateLimitHints::default(), at(5));
    learned.limit_told(&LIMITS, 90, &call(at(6), 1));
    assert_eq!(learned.limit(&LIMITS, at(6)), 90);
}

#[test]
fn a_refusal_lowers_the_limit_below_the_refused_call_but_at_most_by_half() {
    for (used, limit) in [(81, 80), (51, 50), (3, 50), (100, 99)] {
        let mut learned = Learned::default();
        learned.refused(&LIMITS, used, &RateLimitHints::default(), NOW);
        assert_eq!(learned.limit(&LIMITS, NOW), limit);
        assert_eq!(learned.limit(&LIMITS, NOW + 600 * SECOND), 100, "then it is tried again");
    }
    let mut learned = Learned::default();
    learned.limit_told(&LIMITS, 20, &call(NOW, 1));
    learned.refused(&LIMITS, 60, &RateLimitHints::default(), NOW);
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
                0 => learned.limit_told(&LIMITS, first, &call(now, 1)),
                1 => told(&mut learned, first + 1, second, Some(1), now),
                _ => learned.refused(&LIMITS, first, &RateLimitHints::default(), now),
            }
            prop_assert!((1..=100).contains(&learned.limit(&LIMITS, now)));
        }
    }
}
