//! The mock providers do what they are there for.

use std::time::Duration;

use http::Method;
use octo_gateway::free_tier::WindowModel;
use octo_host::Clock;
use serde_json::json;

use super::{Fields, Latency, MockFree, MockPaid, Mood};
use crate::harness::{Answer, Call, PAID_KEY};

const NOON: u64 = 1_800_000_000_000;
const WINDOW: Duration = Duration::from_secs(10);

fn call(origin: &str, id: &str) -> Call {
    let address = origin.trim_start_matches("http://").parse().unwrap();
    let call = Call::new(address, Method::POST, "/process").json(&json!({ "message": "hello" }));
    call.header("x-request-id", id).header("idempotency-key", id)
}

async fn send(free: &MockFree, id: &str) -> Answer {
    call(&free.origin(), id).await
}

#[tokio::test]
async fn a_free_provider_takes_its_calls_and_then_says_until_when_it_does_not() {
    let clock = Clock::manual(NOON);
    let free = MockFree::allowing(WindowModel::Sliding, 3, WINDOW, Duration::from_secs(20));
    let free = free.by(clock.clone()).start().await;
    for id in ["a", "b", "c"] {
        assert_eq!(send(&free, id).await.expect(200)["response"], "olleh");
        clock.advance(Duration::from_secs(1));
    }
    let refusal = send(&free, "d").await;
    assert_eq!((refusal.status, refusal.header("retry-after")), (429, "20"));
    assert_eq!(refusal.header("date"), "Fri, 15 Jan 2027 08:00:03 GMT");
    clock.advance(Duration::from_secs(20));
    send(&free, "e").await.expect(200);
    assert_eq!((free.arrivals().len(), free.refused(), free.fullest_window()), (5, 1, 4));
}

#[tokio::test]
async fn what_it_tells_of_its_limit_is_true_in_every_model() {
    for (model, resets) in [
        (WindowModel::Aligned, [10, 7]),
        (WindowModel::Anchored, [10, 7]),
        (WindowModel::Sliding, [10, 7]),
        // A token is back after 5 s, no matter who takes one meanwhile.
        (WindowModel::TokenBucket, [5, 2]),
        // Nothing comes back to a count but by its block.
        (WindowModel::CountThenBlock, [20, 20]),
    ] {
        let clock = Clock::manual(NOON);
        let plan = MockFree::allowing(model, 2, WINDOW, Duration::from_secs(20)).by(clock.clone());
        let draft = plan.clone().telling(Fields::Draft).start().await;
        let three = plan.telling(Fields::Three).start().await;
        for (remaining, reset) in [1, 0].into_iter().zip(resets) {
            let told = send(&draft, &remaining.to_string()).await;
            assert_eq!(told.header("ratelimit"), format!("\"calls\";r={remaining};t={reset}"), "{model:?}");
            assert_eq!(told.header("ratelimit-policy"), "\"calls\";q=2;w=10");
            let told = send(&three, &remaining.to_string()).await;
            assert_eq!(told.header("ratelimit-limit"), "2");
            assert_eq!(told.header("ratelimit-remaining"), remaining.to_string());
            assert_eq!(told.header("ratelimit-reset"), reset.to_string());
            clock.advance(Duration::from_secs(3));
        }
    }
}

#[tokio::test]
async fn a_provider_fails_breaks_and_hangs_on_command_and_writes_down_every_call() {
    let paid = MockPaid::start(Latency::around(1.0, 2.0)).await;
    let send = |id| call(&paid.origin(), id).bearer(PAID_KEY);
    send("a").await.expect(200);
    paid.will(Mood::Fails(503));
    assert_eq!(send("b").await.status, 503);
    paid.will(Mood::Breaks);
    assert!(send("c").attempt().await.is_none());
    paid.will(Mood::Hangs);
    assert!(tokio::time::timeout(Duration::from_millis(200), send("d").attempt()).await.is_err());
    paid.will(Mood::Answers);
    assert_eq!(call(&paid.origin(), "e").bearer("wrong").await.status, 401);
    let taken: Vec<_> = paid.arrivals().into_iter().map(|call| (call.id, call.taken)).collect();
    let expected = [("a", true), ("b", true), ("c", true), ("d", true), ("e", false)];
    assert_eq!(taken, expected.map(|(id, taken)| (id.to_owned(), taken)));
}
