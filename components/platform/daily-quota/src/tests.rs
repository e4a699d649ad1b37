use octo_core::testing::Locked;
use std::{collections::HashMap, time::Duration};

use octo_core::testing::{
    FakeKeyValue,
    interleave::{Fate, Interleaving, Task, Turn},
    ready,
};
use proptest::prelude::*;

use super::*;

/// 2027-01-15, 08:00 UTC
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const MIDNIGHT: UnixMillis = UnixMillis(1_800_057_600_000);
const DAY: Duration = UtcDay::LENGTH;

fn take(store: &FakeKeyValue, now: UnixMillis) -> Verdict {
    ready(Allowance { store, per_day: 3 }.take("u", now)).unwrap()
}

fn taken(verdict: Verdict) -> Taken {
    match verdict {
        Verdict::Taken(taken) => taken,
        Verdict::UsedUp { .. } => panic!("expected a message to be left"),
    }
}

fn standing(store: &FakeKeyValue, now: UnixMillis) -> (i64, String) {
    let standing = ready(Allowance { store, per_day: 3 }.standing("u", now)).unwrap();
    (standing.left, standing.refills_on.to_string())
}

#[test]
fn a_day_has_its_messages_and_the_next_has_them_again() {
    let store = FakeKeyValue::default();
    for left in (0..3).rev() {
        let taken = taken(take(&store, NOW));
        assert_eq!((taken.left, taken.refills_at), (left, MIDNIGHT));
    }
    assert_eq!(take(&store, NOW), Verdict::UsedUp { refills_at: MIDNIGHT });
    assert_eq!(take(&store, MIDNIGHT - Duration::from_millis(1)), Verdict::UsedUp { refills_at: MIDNIGHT });
    let taken = taken(take(&store, MIDNIGHT));
    assert_eq!((taken.left, taken.refills_at), (2, MIDNIGHT + DAY));
    assert_eq!(ready(Allowance { store: &store, per_day: 3 }.standing("v", MIDNIGHT)).unwrap().left, 3);
}

#[test]
fn more_is_taken_only_as_far_as_there_is_some_and_each_kind_is_counted_by_itself() {
    let store = FakeKeyValue::default();
    let allowance = Allowance { store: &store, per_day: 10 };
    let first = taken(ready(allowance.take(&kept_for("u"), NOW)).unwrap());
    assert!(ready(allowance.take_more(&first, 8)).unwrap());
    assert!(!ready(allowance.take_more(&first, 2)).unwrap());
    assert!(ready(allowance.take_more(&first, 1)).unwrap());
    assert!(matches!(ready(allowance.take(&kept_for("u"), NOW)), Ok(Verdict::UsedUp { .. })));
    for other in ["u".to_owned(), paid_by("u"), kept_for("v")] {
        assert_eq!(taken(ready(allowance.take(&other, NOW)).unwrap()).left, 9, "{other}");
    }
}

#[test]
fn what_did_not_go_free_is_given_back_however_often_others_were_refused() {
    let store = FakeKeyValue::default();
    let first = taken(take(&store, NOW));
    taken(take(&store, NOW));
    taken(take(&store, NOW));
    for _ in 0..5 {
        assert!(matches!(take(&store, NOW), Verdict::UsedUp { .. }));
    }
    // By another component, say.
    let first = serde_json::from_str(&serde_json::to_string(&first).unwrap()).unwrap();
    ready(Allowance { store: &store, per_day: 3 }.give_back(first)).unwrap();
    assert_eq!(taken(take(&store, NOW)).left, 0);
    assert!(matches!(take(&store, NOW), Verdict::UsedUp { .. }));
}

#[test]
fn the_standing_is_shown_without_taking_or_leaving_anything() {
    let store = FakeKeyValue::default();
    assert_eq!(standing(&store, NOW), (3, "2027-01-16".into()));
    assert!(store.keys().is_empty());
    taken(take(&store, NOW));
    let keys = store.keys();
    assert_eq!(standing(&store, NOW), (2, "2027-01-16".into()));
    assert_eq!(standing(&store, MIDNIGHT), (3, "2027-01-17".into()));
    assert_eq!(store.keys(), keys);
    for _ in 0..3 {
        _ = take(&store, NOW);
    }
    assert_eq!(standing(&store, NOW), (0, "2027-01-16".into()));
    // An operator allows less than was taken already.
    let less = Allowance { store: &store, per_day: 1 };
    assert_eq!(ready(less.standing("u", NOW)).unwrap().left, 0);
}

#[test]
fn nobody_gets_any_of_an_allowance_of_none() {
    let store = FakeKeyValue::default();
    for per_day in [0, -1] {
        let none = Allowance { store: &store, per_day };
        assert!(matches!(ready(none.take("u", NOW)).unwrap(), Verdict::UsedUp { .. }));
        assert_eq!(ready(none.standing("u", NOW)).unwrap().left, 0);
    }
}

#[test]
fn a_message_takes_two_store_calls_after_the_first_of_the_day() {
    let store = FakeKeyValue::default();
    taken(take(&store, NOW));
    store.calls.set(0);
    taken(take(&store, NOW));
    assert_eq!(store.calls.get(), 2);
}

#[test]
fn a_user_has_three_keys_at_most_after_any_days() {
    let store = FakeKeyValue::default();
    for day in [0, 1, 2, 3, 10, 11, 100, 400, 401] {
        for _ in 0..5 {
            _ = take(&store, NOW + day * DAY);
            assert!(store.keys().len() <= 3, "{:?}", store.keys());
        }
    }
}

#[test]
fn an_instance_whose_clock_is_behind_counts_on_the_day_that_has_begun() {
    let store = FakeKeyValue::default();
    taken(take(&store, MIDNIGHT));
    let behind = taken(take(&store, MIDNIGHT - Duration::from_secs(1)));
    assert_eq!((behind.left, behind.refills_at), (1, MIDNIGHT + DAY));
    assert_eq!(standing(&store, MIDNIGHT - Duration::from_secs(1)), (1, "2027-01-17".into()));
}

#[test]
fn a_broken_clock_keeps_nobody_waiting_for_its_day() {
    let store = FakeKeyValue::default();
    for _ in 0..4 {
        _ = take(&store, NOW + 1000 * DAY);
    }
    assert_eq!(standing(&store, NOW).0, 3);
    assert_eq!(taken(take(&store, NOW)).left, 2);
    _ = take(&store, NOW + 1000 * DAY);
    assert_eq!(taken(take(&store, NOW)).left, 1, "nor does it forget what was taken");
    taken(take(&store, NOW + DAY));
    taken(take(&store, NOW + 2 * DAY));
    assert!(store.keys().len() <= 3, "{:?}", store.keys());
}

#[test]
fn without_the_store_nothing_is_taken() {
    let store = FakeKeyValue::default();
    store.down.set(true);
    assert!(ready(Allowance { store: &store, per_day: 3 }.take("u", NOW)).is_err());
}

/// Messages held by day.
type Held = Locked<HashMap<UnixMillis, i64>>;

async fn send(world: &Interleaving, skew: i64, goes_free: bool, held: &Held) {
    let allowance = Allowance { store: world, per_day: 2 };
    let Ok(Verdict::Taken(taken)) = allowance.take("u", UnixMillis(world.now().0 + skew)).await else {
        return;
    };
    let change = |by| {
        let mut held = held.borrow_mut();
        let count = held.entry(taken.refills_at).or_insert(0);
        *count += by;
        assert!(*count <= 2, "{count} messages held");
    };
    change(1);
    if !goes_free {
        change(-1);
        _ = allowance.give_back(taken).await;
    }
}

fn a_turn() -> impl Strategy<Value = Turn> {
    let fate = || {
        prop_oneof![
            20 => Just(Fate::Done), 1 => Just(Fate::Unsent), 1 => Just(Fate::Unheard), 1 => Just(Fate::Late)
        ]
    };
    prop_oneof![
        40 => (0_usize..16, fate()).prop_map(|(task, fate)| Turn::Step(task, fate)),
        1 => (0_usize..16).prop_map(Turn::Crash),
        1 => Just(Turn::Land),
        3 => (1_u64..2000).prop_map(|millis| Turn::Wait(Duration::from_millis(millis))),
        1 => (1_u32..60).prop_map(|hours| Turn::Pass(hours * Duration::from_secs(3600))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    /// Around midnight, with clocks that disagree, calls that fail, and instances that crash.
    #[test]
    fn nobody_ever_holds_more_than_a_days_messages(
        messages in prop::collection::vec((-3000_i64..3000, any::<bool>()), 16),
        turns in prop::collection::vec(a_turn(), 0..120),
    ) {
        let world = Interleaving::at(MIDNIGHT - Duration::from_secs(2));
        let held = Held::default();
        let tasks = messages
            .into_iter()
            .map(|(skew, goes_free)| -> Task<'_> { Box::pin(send(&world, skew, goes_free, &held)) });
        world.run(tasks, &turns);
    }
}
