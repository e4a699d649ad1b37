use std::time::Duration;

use http::Response;
use octo_core::{
    SendError, UnixMillis,
    testing::{FakeClock, FakeHttp, FakeKeyValue, ready},
};

use super::*;
use crate::{
    config::tests::defaults,
    figures::{Figures, Tally},
    free_tier::KeyValueFreeTier,
};

const NOW: UnixMillis = UnixMillis(1_800_000_030_000);
const PAYING: Sender = Sender { paid_access: true };
const NOT_PAYING: Sender = Sender { paid_access: false };

type Answer = Result<Response<Vec<u8>>, SendError>;

fn result(text: &str) -> Answer {
    Ok(Response::new(format!(r#"{{"response":"{text}"}}"#).into_bytes()))
}

fn status(status: u16) -> Answer {
    Ok(Response::builder().status(status).body(Vec::new()).unwrap())
}

/// Routes one message with the given provider answers to come, and tells who was called.
fn send(store: &FakeKeyValue, sender: Sender, answers: Vec<Answer>) -> (Routed, Vec<String>) {
    let config = Config::read(&defaults().with("free_limit", "1")).unwrap();
    let tier = KeyValueFreeTier::new(store, config.limits);
    let http = answers.into_iter().fold(FakeHttp::default(), FakeHttp::will);
    let message = Message::new("abc".into()).unwrap();
    let gateway = Gateway { config: &config, tier, http: &http, clock: &FakeClock::at(NOW) };
    let routed = ready(gateway.route(sender, "id", &message, async || Ok(None)));
    let called = http.requests.borrow().iter().map(|r| r.uri().host().unwrap_or("").to_owned()).collect();
    (routed, called)
}

const FREE: &str = "free-provider.spin.internal";
const PAID: &str = "paid-provider.spin.internal";

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
        Ok(Response::new(b"garbage".to_vec())),
    ];
    for wrong in wrongs {
        let store = FakeKeyValue::default();
        let (routed, called) = send(&store, PAYING, vec![wrong.clone(), result("cba")]);
        let processed = routed.result.unwrap();
        assert_eq!((processed.provider, processed.reason), (Provider::Paid, Reason::FreeFailed), "{wrong:?}");
        assert_eq!(called, [FREE, PAID]);

        let (routed, called) = send(&FakeKeyValue::default(), NOT_PAYING, vec![wrong]);
        assert!(matches!(routed.result, Err(Unprocessed::FreeFailed(_))));
        assert_eq!(called, [FREE]);
    }
}

#[test]
fn a_slot_is_held_unless_the_call_was_never_sent() {
    for (answer, held) in [
        (Err(SendError::TimedOut), 1),
        (Err(SendError::Broken("cut".into())), 1),
        (status(500), 1),
        (Err(SendError::NotSent("refused".into())), 0),
    ] {
        let store = FakeKeyValue::default();
        send(&store, NOT_PAYING, vec![answer.clone()]);
        let limits = Config::read(&defaults()).unwrap().limits;
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
            paid: Failure::TimedOut,
            reason: Reason::FreeFailed,
            free: Some(Failure::Status(500)),
        })
    );
    assert_eq!(called, [FREE, PAID]);
}

/// A counter that takes its time to give a slot.
struct SlowTier<'a>(&'a FakeClock, Duration, std::cell::RefCell<Vec<Outcome>>);

impl FreeTier for &SlowTier<'_> {
    type Slot = ();

    fn remaining((): &()) -> i64 {
        0
    }

    fn starts_at((): &()) -> Option<UnixMillis> {
        None
    }

    async fn reserve(&self, _ask: &Ask, _now: UnixMillis) -> Result<Verdict<()>, StoreError> {
        self.0.advance(self.1);
        Ok(Verdict::Go(()))
    }

    async fn settle(
        &self,
        (): &(),
        end: &End,
        _tally: Option<Tally>,
        _now: UnixMillis,
    ) -> Result<(), StoreError> {
        self.2.borrow_mut().push(end.outcome);
        Ok(())
    }

    async fn record(&self, _tally: Tally, _now: UnixMillis) -> Result<(), StoreError> {
        Ok(())
    }

    async fn status(&self, _now: UnixMillis) -> Result<crate::free_tier::Status, StoreError> {
        Err(StoreError("not asked for".into()))
    }

    async fn figures(&self, _now: UnixMillis) -> Result<Figures, StoreError> {
        Err(StoreError("not asked for".into()))
    }
}

#[test]
fn a_slot_that_comes_too_late_is_given_back_and_not_used() {
    let config = Config::read(&defaults()).unwrap();
    for (takes, outcome, provider) in [
        (Duration::from_millis(2_500), Outcome::Answered, FREE),
        (Duration::from_millis(2_501), Outcome::NotSent, PAID),
    ] {
        let clock = FakeClock::at(NOW);
        let tier = SlowTier(&clock, takes, std::cell::RefCell::default());
        let http = FakeHttp::default().will(result("cba"));
        let gateway = Gateway { config: &config, tier: &tier, http: &http, clock: &clock };
        let message = Message::new("abc".into()).unwrap();
        ready(gateway.route(PAYING, "id", &message, async || Ok(None))).result.unwrap();
        assert_eq!(*tier.2.borrow(), [outcome]);
        assert_eq!(http.requests.borrow()[0].uri().host(), Some(provider));
    }
}
