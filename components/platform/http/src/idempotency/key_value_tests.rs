use octo_core::testing::Locked;

use http::{HeaderMap, HeaderValue};
use octo_core::testing::{
    FakeKeyValue,
    interleave::{Fate, Interleaving, Task, Turn},
    ready,
};
use proptest::prelude::*;

use super::*;
use crate::Response;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const SCOPE: Scope<'_> = Scope { caller: "user-1", route: "POST /messages" };

fn key(text: &str) -> IdempotencyKey {
    let value = HeaderValue::from_str(text).unwrap();
    let headers = HeaderMap::from_iter([(http::HeaderName::from_static("idempotency-key"), value)]);
    IdempotencyKey::read(&headers).unwrap().unwrap()
}

fn request(body: &str) -> Fingerprint {
    Fingerprint::of(&[body.as_bytes()])
}

fn answer(body: &str) -> StoredAnswer {
    StoredAnswer::of(&Response::new(body.as_bytes().to_vec())).unwrap()
}

fn begin(store: &FakeKeyValue, text: &str, body: &str, now: UnixMillis) -> Begun {
    ready(begun(store, text, body, now)).unwrap()
}

/// Looks, and claims what is free.
async fn begun(store: &impl KeyValue, text: &str, body: &str, now: UnixMillis) -> Result<Begun, StoreError> {
    let idempotency = KeyValueIdempotency::new(store);
    match idempotency.look(&key(text), SCOPE, &request(body), now).await? {
        Some(known) => Ok(known),
        None => idempotency.claim(&key(text), SCOPE, request(body), now).await,
    }
}

fn first(begun: Begun) -> Claim {
    match begun {
        Begun::First(claim) => claim,
        other => panic!("expected to be the first, got {other:?}"),
    }
}

fn replay(begun: Begun) -> String {
    match begun {
        Begun::Replay(answer) => String::from_utf8(answer.into_response().into_body()).unwrap(),
        other => panic!("expected a replay, got {other:?}"),
    }
}

fn refusal(begun: Begun) -> Refusal {
    match begun {
        Begun::Refused(refusal) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn finish(store: &FakeKeyValue, claim: Claim, body: &str) {
    ready(KeyValueIdempotency::new(store).finish(claim, answer(body))).unwrap();
}

fn forget_old(store: &FakeKeyValue, now: UnixMillis) {
    ready(KeyValueIdempotency::new(store).forget_old(now, AFTER_A_FIRST)).unwrap();
}

#[test]
fn a_repeat_waits_for_the_first_and_then_gets_its_answer() {
    let store = FakeKeyValue::default();
    let claim = first(begin(&store, "k", "hi", NOW));
    assert_eq!(refusal(begin(&store, "k", "hi", NOW + SECOND)), Refusal::InFlight);
    finish(&store, claim, "ih");
    assert_eq!(replay(begin(&store, "k", "hi", NOW + SECOND)), "ih");
    assert_eq!(replay(begin(&store, "k", "hi", NOW + 24 * HOUR)), "ih");
    finish(&store, first(begin(&store, "other", "hi", NOW)), "");
}

#[test]
fn a_key_belongs_to_one_request_from_the_moment_it_is_claimed() {
    let store = FakeKeyValue::default();
    let claim = first(begin(&store, "k", "hi", NOW));
    assert_eq!(refusal(begin(&store, "k", "ho", NOW)), Refusal::Mismatch);
    finish(&store, claim, "ih");
    assert_eq!(refusal(begin(&store, "k", "ho", NOW)), Refusal::Mismatch);
}

#[test]
fn a_holder_that_crashed_leaves_an_unknown_outcome_and_a_slow_one_still_answers() {
    let store = FakeKeyValue::default();
    let claim = first(begin(&store, "k", "hi", NOW));
    assert_eq!(refusal(begin(&store, "k", "hi", NOW + LEASE)), Refusal::InFlight);
    assert_eq!(refusal(begin(&store, "k", "hi", NOW + LEASE + SECOND)), Refusal::Unknown);
    finish(&store, claim, "ih");
    assert_eq!(replay(begin(&store, "k", "hi", NOW + LEASE + SECOND)), "ih");
}

#[test]
fn a_holder_that_crashed_before_its_record_is_noticed_by_the_first_repeat() {
    let store = FakeKeyValue::default();
    ready(store.increment(&counter(&Name::of(&key("k"), SCOPE)), 1)).unwrap();
    assert_eq!(refusal(begin(&store, "k", "hi", NOW)), Refusal::InFlight);
    assert_eq!(refusal(begin(&store, "k", "hi", NOW + LEASE)), Refusal::InFlight);
    assert_eq!(refusal(begin(&store, "k", "hi", NOW + LEASE + SECOND)), Refusal::Unknown);
}

#[test]
fn a_claim_and_an_answer_may_travel_between_components() {
    let store = FakeKeyValue::default();
    let travelled = |begun: Begun| serde_json::from_slice(&serde_json::to_vec(&begun).unwrap()).unwrap();
    finish(&store, first(travelled(begin(&store, "k", "hi", NOW))), "i\u{0}h");
    assert_eq!(replay(travelled(begin(&store, "k", "hi", NOW))), "i\u{0}h");
}

#[test]
fn a_released_key_is_as_if_it_had_never_been_used() {
    let store = FakeKeyValue::default();
    let claim = first(begin(&store, "k", "hi", NOW));
    ready(KeyValueIdempotency::new(&store).release(claim)).unwrap();
    assert_eq!(store.keys(), ["idempotency/drawn"]);
    finish(&store, first(begin(&store, "k", "ho", NOW)), "oh");
    assert_eq!(replay(begin(&store, "k", "ho", NOW)), "oh");
}

#[test]
fn a_first_request_takes_six_store_calls_and_a_repeat_one() {
    let store = FakeKeyValue::default();
    let claim = first(begin(&store, "k", "hi", NOW));
    assert_eq!(store.calls.get(), 5);
    finish(&store, claim, "ih");
    assert_eq!(store.calls.get(), 6);
    replay(begin(&store, "k", "hi", NOW));
    assert_eq!(store.calls.get(), 7);
}

#[test]
fn nothing_begins_while_the_store_is_away() {
    let store = FakeKeyValue::default();
    store.down.set(true);
    assert!(ready(begun(&store, "k", "hi", NOW)).is_err());
    store.down.set(false);
    _ = first(begin(&store, "k", "hi", NOW));
}

#[test]
fn answers_are_kept_for_a_day_at_least_and_the_store_does_not_grow() {
    const A_DAY: u32 = 10;
    const EVERY: Duration = Duration::from_secs(24 * 3600 / A_DAY as u64);
    let store = FakeKeyValue::default();
    let name = |number: u32| format!("k{number}");
    for number in 0..30 * A_DAY {
        let now = NOW + number * EVERY;
        let claim = first(begin(&store, &name(number), "hi", now));
        // Some requests crash, before or after their record, and some are released.
        match number % 7 {
            0 => {}
            1 => ready(Record::delete(&store, &claim.0.name)).unwrap(),
            2 => ready(KeyValueIdempotency::new(&store).release(claim)).unwrap(),
            _ => finish(&store, claim, &name(number)),
        }
        store.calls.set(0);
        forget_old(&store, now);
        assert!(store.calls.get() <= 22, "work is bounded: {} calls", store.calls.get());
        if let Some(yesterday) = number.checked_sub(A_DAY).filter(|number| number % 7 > 2) {
            assert_eq!(replay(begin(&store, &name(yesterday), "hi", now)), name(yesterday));
        }
        // Four days of claims with an entry, a counter and a record each; the two numbers; nothing else.
        assert!(store.keys().len() <= (5 * A_DAY * 3 + 2) as usize, "{} keys", store.keys().len());
    }
    let end = NOW + 30 * 24 * HOUR;
    for number in 0..24 * A_DAY {
        if number % 7 == 2 {
            continue;
        }
        let claim = first(begin(&store, &name(number), "ho", end));
        ready(KeyValueIdempotency::new(&store).release(claim)).unwrap();
    }
}

#[test]
fn after_a_long_silence_the_old_claims_go_two_at_a_time() {
    let store = FakeKeyValue::default();
    for number in 0..20 {
        finish(&store, first(begin(&store, &format!("old{number}"), "hi", NOW)), "ih");
    }
    forget_old(&store, NOW);
    let full = store.keys().len();
    for day in 1..=3 {
        for number in 0..10 {
            let now = NOW + day * 400 * 24 * HOUR;
            finish(&store, first(begin(&store, &format!("new{day}-{number}"), "hi", now)), "ih");
            forget_old(&store, now);
        }
    }
    assert_eq!(full, 20 * 3 + 2);
    for number in 0..20 {
        _ = first(begin(&store, &format!("old{number}"), "ho", NOW + 1200 * 24 * HOUR));
    }
}

#[test]
fn without_a_new_key_old_claims_go_by_the_clock() {
    let store = FakeKeyValue::default();
    for number in 0..50 {
        finish(&store, first(begin(&store, &format!("old{number}"), "hi", NOW)), "ih");
    }
    assert!(store.keys().len() > 150);
    let mut now = NOW;
    let sweep = |now| while ready(KeyValueIdempotency::new(&store).forget_old(now, 16)).unwrap() {};
    for _ in 0..4 * 24 {
        sweep(now);
        assert_eq!(replay(begin(&store, "old7", "hi", NOW)), "ih");
        now = now + HOUR;
        if now.since(NOW) > 70 * HOUR {
            break;
        }
    }
    for _ in 0..30 {
        sweep(now);
        now = now + HOUR;
    }
    assert_eq!(store.keys(), ["idempotency/drawn", "idempotency/progress"]);
    // Once all is done, a look costs one read.
    store.calls.set(0);
    assert!(!ready(KeyValueIdempotency::new(&store).forget_old(now, 16)).unwrap());
    assert_eq!(store.calls.get(), 1);
}

#[test]
fn an_entry_and_a_record_are_removed_only_with_their_own_claim() {
    let store = FakeKeyValue::default();
    let name = Name::of(&key("k"), SCOPE);
    let earlier = Claimed { name: name.clone(), number: 1, fingerprint: request("hi"), at: NOW };
    ready(Register::new(&store).draw()).unwrap();
    ready(Register::new(&store).write(&earlier)).unwrap();
    finish(&store, first(begin(&store, "k", "hi", NOW)), "ih");
    // The later claim has the number 2; its turn never comes, for nothing is marked after it.
    ready(store.delete("idempotency/claim/2")).unwrap();
    for day in 0..6 {
        forget_old(&store, NOW + day * 25 * HOUR);
    }
    let own: Vec<_> = store.keys().into_iter().filter(|key| key.starts_with("idempotency/key/")).collect();
    assert_eq!(own, [counter(&name), format!("idempotency/key/{name}/record")]);
    assert!(!store.keys().contains(&"idempotency/claim/1".to_owned()));
}

#[test]
fn a_claim_without_a_record_gets_one_a_day_before_it_loses_its_counter() {
    let store = FakeKeyValue::default();
    let claim = first(begin(&store, "k", "hi", NOW));
    let name = claim.0.name;
    ready(Record::delete(&store, &name)).unwrap();
    let mut seen = Vec::new();
    for day in 0..8 {
        forget_old(&store, NOW + day * 25 * HOUR);
        let record = ready(Record::read(&store, &name)).unwrap().is_some();
        seen.push((record, store.keys().contains(&counter(&name))));
    }
    // Requests that saw no record on the second day are over on the third.
    seen.dedup();
    assert_eq!(seen, [(false, true), (true, true), (true, false), (false, false)]);
}

#[test]
fn a_claim_with_an_entry_has_its_counter_wherever_a_release_breaks_off() {
    for calls in 0..=5 {
        let world = Interleaving::at(NOW);
        let claim = first(begin(&world.store, "k", "hi", NOW));
        let counter = counter(&claim.0.name);
        let release: Task<'_> = Box::pin(async { _ = KeyValueIdempotency::new(&world).release(claim).await });
        let mut turns = vec![Turn::Step(0, Fate::Done); calls];
        turns.push(Turn::Crash(0));
        world.run([release], &turns);
        let keys = world.store.keys();
        let entered = keys.contains(&"idempotency/claim/1".to_owned());
        assert!(!entered || keys.contains(&counter), "after {calls} calls: {keys:?}");
    }
}

/// What a request does with its claim.
#[derive(Clone, Copy, Debug)]
enum End {
    Finish,
    Release,
    Abandon,
}

#[derive(Clone, Debug)]
struct Plan {
    /// Its key: 0 is the one that is watched.
    key: u8,
    end: End,
    /// How far its instance's clock is off, in milliseconds.
    skew: i64,
}

/// Some requests at about the same time, then perhaps a pause.
#[derive(Clone, Debug)]
struct Rush {
    plans: Vec<Plan>,
    turns: Vec<Turn>,
    pause: Option<Duration>,
}

const IN_A_RUSH: usize = 4;

fn a_plan() -> impl Strategy<Value = Plan> {
    let end = prop_oneof![3 => Just(End::Finish), 3 => Just(End::Release), 1 => Just(End::Abandon)];
    (prop_oneof![4 => Just(0_u8), 1 => any::<u8>()], end, -2000_i64..2000).prop_map(|(key, end, skew)| Plan {
        key,
        end,
        skew,
    })
}

fn a_fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        30 => Just(Fate::Done), 1 => Just(Fate::Unsent), 1 => Just(Fate::Unheard), 2 => Just(Fate::Late)
    ]
}

fn a_turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        40 => (0..IN_A_RUSH, a_fate()).prop_map(|(task, fate)| Turn::Step(task, fate)),
        1 => (0..IN_A_RUSH).prop_map(Turn::Crash),
        1 => Just(Turn::Land),
        1 => (1_u64..100).prop_map(|seconds| Turn::Wait(Duration::from_secs(seconds))),
    ]
}

fn a_rush() -> impl Strategy<Value = Rush> {
    let pause = prop_oneof![1 => Just(None), 2 => (1_u32..30).prop_map(|hours| Some(hours * HOUR))];
    (prop::collection::vec(a_plan(), IN_A_RUSH), prop::collection::vec(a_turn(), 0..80), pause)
        .prop_map(|(plans, turns, pause)| Rush { plans, turns, pause })
}

/// Checks the invariant for the watched key, on a clock that is right.
#[derive(Default)]
struct Watch {
    claimed: Locked<Option<UnixMillis>>,
    firsts: Locked<usize>,
}

impl Watch {
    fn first(&self, now: UnixMillis) {
        if let Some(before) = self.claimed.replace(Some(now)) {
            assert!(now.since(before) >= 24 * HOUR, "claimed again after {:?}", now.since(before));
        }
        self.firsts.set(self.firsts.get() + 1);
    }

    fn released(&self) {
        self.claimed.set(None);
    }
}

async fn carry_out(world: &Interleaving, plan: Plan, watch: &Watch) {
    let now = UnixMillis(world.now().0 + plan.skew);
    let idempotency = KeyValueIdempotency::new(world);
    let watched = plan.key == 0;
    let Ok(Begun::First(claim)) = begun(world, &format!("k{}", plan.key), "hi", now).await else { return };
    if watched {
        watch.first(world.now());
    }
    _ = match plan.end {
        End::Finish => idempotency.finish(claim, answer("ih")).await,
        End::Release => {
            if watched {
                watch.released();
            }
            idempotency.release(claim).await
        }
        End::Abandon => Ok(()),
    };
    _ = idempotency.forget_old(UnixMillis(world.now().0 + plan.skew), AFTER_A_FIRST).await;
}

/// Takes the rushes through one world; returns how often the watched key was claimed.
fn play(rushes: Vec<Rush>) -> usize {
    let world = Interleaving::at(NOW);
    let watch = Watch::default();
    let (mut tasks, mut turns): (Vec<Task<'_>>, Vec<Turn>) = Default::default();
    for rush in rushes {
        let before = tasks.len();
        turns.extend(rush.turns.into_iter().map(|turn| match turn {
            Turn::Step(task, fate) => Turn::Step(before + task, fate),
            Turn::Crash(task) => Turn::Crash(before + task),
            other => other,
        }));
        turns.extend(rush.pause.map(Turn::Pass));
        for plan in rush.plans {
            tasks.push(Box::pin(carry_out(&world, plan, &watch)));
        }
    }
    world.run(tasks, &turns);
    watch.firsts.get()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_two_claims_are_outstanding_and_an_unreleased_one_is_the_last_for_a_day(
        rushes in prop::collection::vec(a_rush(), 1..14),
    ) {
        play(rushes);
    }
}

/// What was left of the watched key's first claim.
#[derive(Clone, Copy, Debug)]
enum Left {
    Answer,
    Record,
    Entry,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// Several instances remove one old claim, each from an earlier or later moment on, while its key is used
    /// again.
    #[test]
    fn removing_an_old_claim_lets_nobody_in_who_would_be_the_second(
        left in prop_oneof![Just(Left::Answer), Just(Left::Record), Just(Left::Entry)],
        days in 0_u32..4,
        ends in prop::collection::vec(prop_oneof![Just(End::Finish), Just(End::Release)], 4),
        bursts in prop::collection::vec((0_usize..7, 1_usize..9, a_fate(), any::<bool>()), 0..24),
    ) {
        let world = Interleaving::at(NOW);
        let claim = first(begin(&world.store, "k0", "hi", NOW));
        match left {
            Left::Answer => finish(&world.store, claim, "ih"),
            Left::Record => {}
            Left::Entry => ready(Record::delete(&world.store, &claim.0.name)).unwrap(),
        }
        for _ in 0..days {
            forget_old(&world.store, world.now());
            world.clock.advance(25 * HOUR);
        }
        let watch = Watch::default();
        let mut tasks: Vec<Task<'_>> = Vec::new();
        for end in ends {
            tasks.push(Box::pin(carry_out(&world, Plan { key: 0, end, skew: 0 }, &watch)));
        }
        for _ in 0..3 {
            tasks.push(Box::pin(async { _ = KeyValueIdempotency::new(&world).forget_old(world.now(), 2).await }));
        }
        let mut turns = Vec::new();
        for (task, steps, fate, land) in bursts {
            turns.extend(std::iter::repeat_n(Turn::Step(task, Fate::Done), steps));
            turns.push(Turn::Step(task, fate));
            turns.extend(land.then_some(Turn::Land));
        }
        world.run(tasks, &turns);
    }
}

#[test]
fn without_faults_somebody_always_claims() {
    let plans = |end| vec![Plan { key: 0, end, skew: 0 }; IN_A_RUSH];
    let steps = || (0..200).map(|turn| Turn::Step(turn % IN_A_RUSH, Fate::Done)).collect();
    let rush = |end| Rush { plans: plans(end), turns: steps(), pause: None };
    assert_eq!(play(vec![rush(End::Finish), rush(End::Finish)]), 1);
    assert_eq!(play(vec![rush(End::Release), rush(End::Release), rush(End::Abandon)]), 3);
}
