use octo_core::async_trait;
use std::time::Duration;

use http::Response;
use octo_core::{
    SendError, UnixMillis,
    testing::{FakeClock, FakeHttp, FakeKeyValue, ready},
};

use super::*;
use crate::{
    Config,
    config::tests::defaults,
    free_tier::{FreeTier, KeyValueFreeTier, Reservation, learned::Learned},
};

const NOW: UnixMillis = UnixMillis(1_800_000_030_000);
const PAYING: bool = true;
const NOT_PAYING: bool = false;

type Sent = Result<Response<Vec<u8>>, SendError>;

fn result(text: &str) -> Sent {
    Ok(Response::new(format!(r#"{{"response":"{text}"}}"#).into_bytes()))
}

fn status(status: u16) -> Sent {
    Ok(Response::builder().status(status).body(Vec::new()).unwrap())
}

/// The stores without a bound, as `octo-admission-backend` asks them.
struct Stores<'a, T>(T, &'a FakeClock);

#[async_trait]
impl<T: FreeTier<Slot = Reservation>> Admission for Stores<'_, T> {
    async fn again(&self, ask: &Ask) -> Result<Decision<AnySlot>, StoreError> {
        Ok(self.0.reserve(ask, self.1.now()).await?.map(AnySlot::KeyValue))
    }

    async fn paid_pass(&self, _with_key: bool) -> PaidPass {
        PaidPass { key: Some(Ok("k".into())), permit: Permit::Go(Pass::default()) }
    }

    async fn finish(&self, ending: &RouteOutcome) -> Result<Option<Closed>, StoreError> {
        match &ending.settle {
            Some((AnySlot::KeyValue(slot), end)) => {
                self.0.settle(slot, end, ending.tally, self.1.now()).await
            }
            _ => Ok(None),
        }
    }
}

/// Routes one message over `tier` with the given provider answers to come, and tells who was called.
fn route<T: FreeTier<Slot = Reservation>>(
    tier: T,
    clock: &FakeClock,
    paid_access: bool,
    answers: Vec<Sent>,
) -> (Routed, Vec<String>) {
    route_late(tier, clock, paid_access, answers, Duration::ZERO)
}

/// The same for a message whose slot took so long to get.
fn route_late<T: FreeTier<Slot = Reservation>>(
    tier: T,
    clock: &FakeClock,
    paid_access: bool,
    answers: Vec<Sent>,
    late: Duration,
) -> (Routed, Vec<String>) {
    let config = Config::read(&defaults().with("free_limit", "1")).unwrap();
    let http = answers.into_iter().fold(FakeHttp::default(), FakeHttp::will);
    let message = Message::new("abc".into()).unwrap();
    let admission = Stores(tier, clock);
    let asked_at = clock.now() - late;
    let (free, paid) = (&config.free, &config.paid);
    let gateway = Gateway { free, paid, admission: &admission, http: &http, clock };
    let dispatch = Dispatch { id: "id", message: &message, paid_access, asked_at, wait_until: None };
    let ask = Ask { id: "id".into(), first: true, wait_until: None };
    let verdict = ready(admission.again(&ask));
    let admitted = verdict.map(|verdict| Admitted { permission: Permission::Tier(verdict), paid: None });
    let routed = ready(gateway.route(&dispatch, admitted));
    ready(admission.finish(&routed.ending)).unwrap();
    let called = http.requests.borrow().iter().map(|r| r.uri().host().unwrap_or("").to_owned()).collect();
    (routed, called)
}

/// The same over the key-value store.
fn send(store: &FakeKeyValue, paid_access: bool, answers: Vec<Sent>) -> (Routed, Vec<String>) {
    let limits = Config::read(&defaults().with("free_limit", "1")).unwrap().tier.limits;
    route(KeyValueFreeTier::new(store, limits), &FakeClock::at(NOW), paid_access, answers)
}

const FREE: &str = "free-provider.spin.internal";
const PAID: &str = "paid-provider.spin.internal";

#[test]
fn calls_that_the_store_left_little_time_are_no_failures_of_the_provider() {
    let limits = Config::read(&defaults().with("free_limit", "1000")).unwrap().tier.limits;
    let after_ten_that_timed_out = |late| {
        let (store, clock) = (FakeKeyValue::default(), FakeClock::at(NOW));
        let send = |answer, late| {
            let tier = KeyValueFreeTier::new(&store, limits);
            route_late(tier, &clock, NOT_PAYING, vec![answer], late).1
        };
        for _ in 0..10 {
            send(Err(SendError::TimedOut), late);
        }
        send(result("cba"), Duration::ZERO)
    };
    assert_eq!(after_ten_that_timed_out(Duration::from_secs(2)), [FREE]);
    assert_eq!(after_ten_that_timed_out(Duration::from_millis(20)), [""; 0]);
}

#[test]
fn a_message_goes_free_while_there_is_room_and_paid_after() {
    let store = FakeKeyValue::default();
    let (routed, called) = send(&store, PAYING, vec![result("cba")]);
    let processed = routed.result.unwrap();
    assert_eq!(
        (processed.provider, processed.reason, processed.remaining),
        (Provider::Free, Reason::FreeAvailable, Some(0))
    );
    assert_eq!(called, [FREE]);

    let (routed, called) = send(&store, PAYING, vec![result("cba")]);
    let processed = routed.result.unwrap();
    assert_eq!((processed.provider, processed.reason), (Provider::Paid, Reason::FreeExhausted));
    assert_eq!(called, [PAID]);

    let (routed, called) = send(&store, NOT_PAYING, vec![]);
    assert!(matches!(
        routed.result,
        Err(Unprocessed::Closed(Closed { reason: ClosedReason::FreeExhausted, .. }))
    ));
    assert_eq!(called, [""; 0]);
}

#[test]
fn whatever_the_free_provider_does_wrong_the_message_goes_to_paid_once() {
    let wrongs = [
        Err(SendError::TimedOut),
        Err(SendError::Broken("cut".into())),
        Err(SendError::NotSent("refused".into())),
        Err(SendError::TooLarge),
        status(500),
        status(429),
        status(400),
        status(401),
        status(403),
        Ok(Response::new(b"garbage".to_vec())),
    ];
    for wrong in wrongs {
        let store = FakeKeyValue::default();
        let (routed, called) = send(&store, PAYING, vec![wrong.clone(), result("cba")]);
        let processed = routed.result.unwrap();
        assert_eq!((processed.provider, processed.reason), (Provider::Paid, Reason::FreeFailed), "{wrong:?}");
        assert_eq!(called, [FREE, PAID]);

        let (routed, called) = send(&FakeKeyValue::default(), NOT_PAYING, vec![wrong]);
        assert!(matches!(routed.result, Err(Unprocessed::FreeFailed { .. })));
        assert_eq!(called, [FREE]);
    }
}

#[test]
fn a_slot_is_held_unless_the_call_was_never_sent() {
    for (answer, held) in [
        (Err(SendError::TimedOut), 1),
        (Err(SendError::Broken("cut".into())), 1),
        (status(500), 1),
        (status(400), 1),
        (status(401), 1),
        (Err(SendError::NotSent("refused".into())), 0),
    ] {
        let store = FakeKeyValue::default();
        send(&store, NOT_PAYING, vec![answer.clone()]);
        let limits = Config::read(&defaults()).unwrap().tier.limits;
        assert_eq!(
            ready(KeyValueFreeTier::new(&store, limits).status(NOW)).unwrap().used,
            held,
            "{answer:?}"
        );
    }
}

#[test]
fn a_refusal_blocks_the_free_provider_for_everybody() {
    let store = FakeKeyValue::default();
    send(&store, PAYING, vec![status(429), result("cba")]);
    let (routed, called) = send(&store, PAYING, vec![result("cba")]);
    assert_eq!(routed.result.unwrap().reason, Reason::FreeBlocked);
    assert_eq!(called, [PAID]);
    let (routed, _) = send(&store, NOT_PAYING, vec![]);
    let reopens_at = NOW + Duration::from_secs(60);
    let closed = Closed { reason: ClosedReason::FreeBlocked, reopens_at };
    assert_eq!(routed.result, Err(Unprocessed::Closed(closed)));
}

#[test]
fn a_message_that_is_refused_for_quota_is_told_until_when() {
    let store = FakeKeyValue::default();
    let (routed, _) = send(&store, NOT_PAYING, vec![status(429)]);
    let Err(Unprocessed::FreeFailed { closed: Some(closed), .. }) = routed.result else {
        panic!("{routed:?}")
    };
    assert_eq!(closed.reason, ClosedReason::FreeBlocked);
    assert_eq!(closed.reopens_at, NOW + Duration::from_secs(60));
}

#[test]
fn messages_that_both_providers_refuse_close_neither() {
    let store = FakeKeyValue::default();
    for round in 0..20 {
        let answers = if round == 0 { vec![status(400), status(422)] } else { vec![status(422)] };
        let (routed, _) = send(&store, PAYING, answers);
        let Err(Unprocessed::PaidFailed { paid, free, .. }) = routed.result else { panic!("{routed:?}") };
        assert_eq!(paid, PaidFailure::Called(Failure::MessageRefused(422)));
        assert_eq!(free, (round == 0).then_some(Failure::MessageRefused(400)));
    }
    assert!(!store.keys().iter().any(|key| key.ends_with("/gate")), "{:?}", store.keys());
}

#[test]
fn without_its_store_nothing_is_sent_free_and_paying_senders_are_served() {
    let store = FakeKeyValue::default();
    store.down.set(true);
    let (routed, called) = send(&store, PAYING, vec![result("cba")]);
    assert_eq!(routed.result.unwrap().reason, Reason::CounterUnavailable);
    assert_eq!(called, [PAID]);
    let (routed, called) = send(&store, NOT_PAYING, vec![]);
    assert_eq!(routed.result, Err(Unprocessed::CounterUnavailable));
    assert_eq!(called, [""; 0]);
    assert_eq!(routed.store_errors.len(), 1);
}

#[test]
fn when_both_fail_the_message_is_reported_unprocessed_with_both_failures() {
    let store = FakeKeyValue::default();
    let (routed, called) = send(&store, PAYING, vec![status(500), Err(SendError::TimedOut)]);
    assert_eq!(
        routed.result,
        Err(Unprocessed::PaidFailed {
            paid: PaidFailure::Called(Failure::TimedOut),
            reason: Reason::FreeFailed,
            free: Some(Failure::Status(500)),
        })
    );
    assert_eq!(called, [FREE, PAID]);
}

/// A counter that takes its time to give a slot.
struct SlowTier<'a>(&'a FakeClock, Duration, octo_core::testing::Locked<Vec<Outcome>>);

#[async_trait]
impl FreeTier for &SlowTier<'_> {
    type Slot = Reservation;

    async fn reserve(&self, _ask: &Ask, _now: UnixMillis) -> Result<Decision, StoreError> {
        self.0.advance(self.1);
        Ok(Decision::Allow(Reservation {
            windows: vec![],
            used: 0,
            remaining: 0,
            pass: Pass::default(),
            learned: Learned::default(),
            reserved_at: NOW,
            starts_at: None,
        }))
    }

    async fn settle(
        &self,
        _: &Reservation,
        end: &End,
        _: Option<StatsEvent>,
        _: UnixMillis,
    ) -> Result<Option<Closed>, StoreError> {
        self.2.borrow_mut().push(end.outcome);
        Ok(None)
    }

    async fn record(&self, _: StatsEvent, _: UnixMillis) -> Result<(), StoreError> {
        Ok(())
    }

    async fn status(&self, _: UnixMillis) -> Result<crate::free_tier::Status, StoreError> {
        Err(StoreError("not asked for".into()))
    }

    async fn figures(&self, _: UnixMillis) -> Result<crate::stats::Stats, StoreError> {
        Err(StoreError("not asked for".into()))
    }
}

#[test]
fn a_slot_that_comes_too_late_is_given_back_and_not_used() {
    for (takes, outcome, provider) in [
        (Duration::from_millis(2_500), Outcome::Answered, FREE),
        (Duration::from_millis(2_501), Outcome::Unused, PAID),
    ] {
        let clock = FakeClock::at(NOW);
        let tier = SlowTier(&clock, takes, octo_core::testing::Locked::default());
        let (routed, called) = route(&tier, &clock, PAYING, vec![result("cba")]);
        routed.result.unwrap();
        assert_eq!(*tier.2.borrow(), [outcome]);
        assert_eq!(called, [provider]);
    }
}
