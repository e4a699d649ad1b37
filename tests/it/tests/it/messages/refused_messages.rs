//! Messages that no provider takes end with their sender: nobody else's are held up by them.

use std::time::Duration;

use futures::{StreamExt, stream};
use http::Method;
use octo_gateway::free_tier::WindowModel;
use octo_host::Clock;
use serde_json::json;

use crate::harness::{Counter, NOON, Setup, TestApp};
use crate::mock_providers::{Latency, MockFree, MockPaid, Mood};

const BAD: usize = 1_000;
const GOOD: usize = 100;
/// Fewer than there are messages: so both what is free and what is paid for is seen.
const CALLS: i64 = 200;
const WINDOW: Duration = Duration::from_secs(3_600);

/// One user sends a thousand messages that both providers refuse, another a hundred good ones meanwhile.
async fn one_user_does_not_close_the_service(model: WindowModel, setup: Setup) {
    let plan = MockFree::allowing(model, CALLS, WINDOW, Duration::from_secs(60));
    // The key-value form goes by the tests' clock, the script by its server's.
    let clock = if model == WindowModel::Aligned { Clock::manual(NOON) } else { Clock::system() };
    let free = plan.by(clock.clone()).start().await;
    let paid = MockPaid::start(Latency::NONE).await;
    free.will(Mood::RefusesBadOnes(413));
    paid.will(Mood::RefusesBadOnes(422));
    let setup = setup.with("free_window_seconds", WINDOW.as_secs()).with("free_limit", CALLS);
    let app = setup.with("store_timeout_ms", 5_000).calling(&free, &paid).by(clock).start().await;
    if model != WindowModel::Aligned {
        app.vouch_for_a_fresh_provider();
    }
    let (ada, bob) = (app.paying_user("ada").await, app.paying_user("bob").await);

    let bad = stream::iter(0..BAD).map(async |number| {
        let message = json!({ "message": format!("bad {number}") });
        let response = ada.call_on(number % 2, Method::POST, "/messages").json(&message).await;
        let problem = response.problem(422, "message-refused");
        assert!(!problem["detail"].as_str().unwrap().contains("send it again"), "{problem}");
        let statuses: Vec<_> =
            problem["providers"].as_array().unwrap().iter().map(|p| p["status"].clone()).collect();
        assert!(statuses == [json!(413), json!(422)] || statuses == [json!(422)], "{problem}");
    });
    let good = stream::iter(0..GOOD).map(async |number| {
        let body = bob.send_by(number % 2, "good").await.expect(200);
        assert_eq!(body["response"], "doog");
        body["reason"].as_str().unwrap().to_owned()
    });
    let (_, reasons) =
        tokio::join!(bad.buffer_unordered(8).count(), good.buffer_unordered(2).collect::<Vec<_>>());
    assert_eq!(reasons.len(), GOOD);
    let went_free = reasons.iter().filter(|reason| *reason == "free_available").count();
    let paid_for = reasons.iter().filter(|reason| *reason == "free_exhausted").count();
    assert_eq!(went_free + paid_for, GOOD, "neither blocked nor failing nor failed: {reasons:?}");
    assert!(went_free > 0, "{reasons:?}");
    // Every free call was made: nothing was paid for while there was room.
    assert_eq!((free.arrivals().len() as i64, free.refused()), (CALLS, 0));
    let quota = bob.quota().await;
    assert_eq!((&quota["limit"], &quota["closed_because"]), (&json!(CALLS), &json!("free_exhausted")));

    if model == WindowModel::Aligned {
        app.clock().advance(WINDOW);
        let (ada, bob) = (app.log_in(&ada.email).await, app.log_in(&bob.email).await);
        let send = async |tokens: &crate::harness::Answer, message: &str| {
            let token = tokens.json()["access_token"].as_str().unwrap().to_owned();
            app.post("/messages").bearer(&token).json(&json!({ "message": message })).await
        };
        send(&ada, "bad").await.problem(422, "message-refused");
        assert_eq!(send(&bob, "good").await.expect(200)["reason"], "free_available");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_refused_messages_of_one_user_hold_up_nobody_counted_in_the_key_value_store() {
    let setup = TestApp::setup().several(2);
    one_user_does_not_close_the_service(WindowModel::Aligned, setup).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_refused_messages_of_one_user_hold_up_nobody_counted_in_redis() {
    let setup = TestApp::with("free_window_model", "sliding").several(2).counting_in(Counter::StoresRedis);
    one_user_does_not_close_the_service(WindowModel::Sliding, setup).await;
}
