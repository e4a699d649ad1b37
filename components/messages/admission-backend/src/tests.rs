//! Asked right here or through the component, the stores say the same.

use octo_core::async_trait;
use octo_core::testing::Locked;
use std::time::Duration;

use octo_core::{
    Clock, HttpOut, SendError, StoreError, UnixMillis,
    ports::{CallLimits, NoRedis},
    testing::{FakeClock, FakeEntropy, FakeHttp, FakeKeyValue, FakeSettings, ready},
};
use octo_gateway::{
    TierConfig,
    admission::{Admission, RouteOutcome},
    free_tier::{AnySlot, Ask, ClosedReason, Decision, End, Outcome, RateLimitHints},
    routing::Permission,
    stats::{MessageOutcome, StatsEvent},
};

use crate::{AdmissionBackend, AdmissionRequest, Asked, Local, Refusal, Remote, Service, WaitingClient};

const NOW: UnixMillis = UnixMillis(1_800_000_030_000);

fn settings() -> FakeSettings {
    FakeSettings::of(&[
        ("free_limit", "1"),
        ("free_window_seconds", "60"),
        ("free_block_seconds", "60"),
        ("free_window_model", "aligned"),
        ("free_clock_skew_ms", "250"),
        ("free_provider_timeout_ms", "5000"),
        ("paid_provider_timeout_ms", "10000"),
        ("redis_url", "redis://none.invalid:6379"),
        ("redis_password", ""),
        ("store_timeout_ms", "1000"),
    ])
}

/// The component, called as if over HTTP.
struct Chained<'a> {
    store: &'a FakeKeyValue,
    clock: &'a FakeClock,
    /// What comes instead of its answer.
    instead: Locked<Option<SendError>>,
    /// How many times the platform has no instance for it.
    full: Locked<usize>,
    /// Whether its caller still waits for the answer.
    is_heard: Locked<bool>,
}

impl<'a> Chained<'a> {
    fn over(store: &'a FakeKeyValue, clock: &'a FakeClock) -> Self {
        Self { store, clock, instead: Locked::new(None), full: Locked::new(0), is_heard: Locked::new(true) }
    }
}

#[async_trait]
impl HttpOut for Chained<'_> {
    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        _: CallLimits,
    ) -> Result<http::Response<Vec<u8>>, SendError> {
        if let Some(error) = self.instead.take() {
            return Err(error);
        }
        assert_eq!(request.uri().host(), Some("admission.spin.internal"));
        if let Some(left) = self.full.get().checked_sub(1) {
            self.full.set(left);
            return Ok(http::Response::builder().status(500).body(Vec::new()).unwrap());
        }
        let service = Service {
            settings: settings(),
            store: Borrowed(self.store),
            http: FakeHttp::default(),
            clock: FakeClock::at(self.clock.now()),
            entropy: FakeEntropy::default(),
            redis: |_| -> NoRedis { panic!("no address is given") },
        };
        let response = service.handle(request.map(Ok), || self.is_heard.get()).await;
        let response = response.unwrap_or_else(|problem| octo_http::respond::problem(&problem));
        Ok(http::Response::new(octo_http::enclosed::pack(&response)))
    }
}

/// The test's store, for a component of its own.
struct Borrowed<'a>(&'a FakeKeyValue);

#[async_trait]
impl octo_core::KeyValue for Borrowed<'_> {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.get(key).await
    }

    async fn set(&self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.0.set(key, value).await
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.0.delete(key).await
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, StoreError> {
        self.0.increment(key, delta).await
    }
}

fn ask() -> Ask {
    Ask { id: "m".into(), first: true, wait_until: None }
}

/// What a backend says to a message and to what becomes of it, over a store of its own.
fn conversation<D: AdmissionBackend>(backend: &D, store: &FakeKeyValue) {
    let Ok(Decision::Allow(slot)) = ready(backend.again(&ask())) else { panic!("no slot") };
    assert!(matches!(slot, AnySlot::KeyValue(_)));
    assert_eq!(ready(backend.status()).unwrap().used, 1);
    let Ok(Decision::Deny(closed)) = ready(backend.again(&ask())) else { panic!("a slot too many") };
    assert_eq!(closed.reason, ClosedReason::FreeExhausted);

    let end = End { outcome: Outcome::Refused { retry_after: None }, told: RateLimitHints::default() };
    let tally = Some(StatsEvent { fate: MessageOutcome::Free, waited: false });
    let ending = RouteOutcome { settle: Some((slot, end)), tally, ..RouteOutcome::default() };
    assert_eq!(ready(backend.finish(&ending)).unwrap().unwrap().reason, ClosedReason::FreeBlocked);
    let closed = ready(backend.status()).unwrap().closed.unwrap();
    assert_eq!(closed.reason, ClosedReason::FreeBlocked);
    ready(backend.figures()).unwrap();

    let key = ready(backend.paid_pass(true)).key.unwrap().unwrap();
    assert_eq!(ready(backend.paid_pass(true)).key, Some(Ok(key)));
    assert_eq!(ready(backend.paid_pass(false)).key, None);

    store.down.set(true);
    assert!(ready(backend.again(&ask())).is_err());
    assert!(ready(backend.finish(&ending)).is_err());
    assert!(ready(backend.paid_pass(true)).key.unwrap().is_err());
    store.down.set(false);

    let nobody = AdmissionRequest { token: Some("x.y.z".into()), message: None };
    match ready(backend.admit(&nobody)) {
        Err(refusal) => assert_eq!(refusal.status().map(|status| status.as_u16()), Some(401)),
        Ok(_) => panic!("let in with no token"),
    }
}

#[test]
fn the_stores_say_the_same_here_and_through_the_component() {
    let (store, clock) = (FakeKeyValue::default(), FakeClock::at(NOW));
    let config = TierConfig::read(&settings()).unwrap();
    let (http, entropy) = (FakeHttp::default(), FakeEntropy::default());
    let (config, store_here) = (&config, &store);
    let redis: Option<NoRedis> = None;
    let (http, clock, entropy, client) = (&http, &clock, &entropy, WaitingClient::NONE);
    conversation(&Local { config, store: store_here, redis, http, clock, entropy, client }, &store);

    let store = FakeKeyValue::default();
    let chained = Chained::over(&store, clock);
    conversation(&Remote { http: &chained, clock, timeout: Duration::from_secs(1) }, &store);
}

#[test]
fn a_component_that_does_not_answer_in_time_is_a_store_that_is_away() {
    let (store, clock) = (FakeKeyValue::default(), FakeClock::at(NOW));
    let chained = Chained::over(&store, &clock);
    let backend = Remote { http: &chained, clock: &clock, timeout: Duration::from_secs(1) };
    chained.instead.set(Some(SendError::TimedOut));
    let message = Asked {
        id: "m".into(),
        wait_until: None,
        needs_paid_key: false,
        daily: None,
        paid_daily: None,
        counted: true,
        once: None,
    };
    let application = AdmissionRequest { token: None, message: Some(message) };
    assert!(matches!(ready(backend.admit(&application)), Err(Refusal::Silent(_))));
    // What was never put says nothing of the stores.
    for error in [SendError::NotSent("no".into()), SendError::Broken("no".into()), SendError::TooLarge] {
        chained.instead.set(Some(error));
        assert!(matches!(ready(backend.admit(&application)), Err(Refusal::Away(_))));
    }
    chained.instead.set(Some(SendError::TimedOut));
    assert!(ready(backend.again(&ask())).is_err());
    chained.instead.set(Some(SendError::TimedOut));
    // Whether the paid provider may be called is not known then, so it may.
    let pass = ready(backend.paid_pass(true));
    assert!(pass.key.unwrap().is_err());
    assert!(matches!(pass.permit, octo_gateway::breaker::Permit::Go(_)));
}

#[test]
fn while_the_platform_has_no_instance_one_waits_for_it_and_not_for_ever() {
    let (store, clock) = (FakeKeyValue::default(), FakeClock::at(NOW));
    let chained = Chained::over(&store, &clock);
    let backend = Remote { http: &chained, clock: &clock, timeout: Duration::from_secs(1) };
    chained.full.set(10);
    assert!(matches!(ready(backend.again(&ask())), Ok(Decision::Allow(_))));
    assert!((1..3_000).contains(&clock.now().since(NOW).as_millis()));

    chained.full.set(usize::MAX);
    let began = clock.now();
    assert!(ready(backend.again(&ask())).is_err());
    assert!(clock.now().since(began) <= Duration::from_secs(8));
}

#[test]
fn a_permission_survives_the_way_between_the_components() {
    let refills = Permission::AllowanceUsed(NOW);
    let text = serde_json::to_string(&refills).unwrap();
    assert_eq!(serde_json::from_str::<Permission>(&text).unwrap(), refills);
}
