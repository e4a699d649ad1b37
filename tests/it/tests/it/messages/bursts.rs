//! With `redis_url`: a burst on a busy machine is not an outage of the counter, and an outage is over with the first
//! answer.

use std::time::Duration;

use futures::future::join_all;
use http::Method;
use octo_host::{Clock, OutboundFault, StoreFault};
use serde_json::json;
use tokio::time::sleep;

use crate::harness::{Answer, Counter, Setup, TestApp, User, in_wasi_0_3};

const LIMIT: i64 = 20;
/// `store_timeout_ms`.
const PATIENCE: Duration = Duration::from_millis(300);
/// Longer than anybody waits for a store.
const TOO_LONG: Duration = Duration::from_millis(700);

fn setup() -> Setup {
    TestApp::with("free_window_model", "sliding")
        .with("free_limit", LIMIT)
        .with("free_window_seconds", 60)
        .with("store_timeout_ms", PATIENCE.as_millis())
        .counting_in(Counter::OwnRedis)
        .by(Clock::system())
}

async fn start() -> TestApp {
    let app = setup().start().await;
    app.vouch_for_a_fresh_provider();
    app
}

async fn burst(user: &User, messages: usize) -> Vec<Answer> {
    join_all((0..messages).map(|_| user.send("hello"))).await
}

fn count(answers: &[Answer], reason: &str) -> usize {
    answers.iter().filter(|answer| answer.json()["reason"] == reason).count()
}

/// A user whose token is older than the paid access.
async fn user_granted_later(app: &TestApp, name: &str) -> User {
    let user = app.user(name).await;
    let root = app.administrator().await;
    let grant = app.patch(&format!("/users/{}", user.id)).bearer(&root.access);
    grant.json(&json!({ "paid_access": true })).await.expect(200);
    user
}

/// The component that asks the stores whether a message may go free.
fn asks_the_stores() -> &'static str {
    if in_wasi_0_3() { "router" } else { "admission" }
}

fn counter_asked(app: &TestApp) -> bool {
    app.host()
        .store_calls()
        .iter()
        .any(|(component, operation, _)| component == asks_the_stores() && operation.starts_with("redis"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_whose_questions_wait_for_their_turn_is_counted_as_ever() {
    let app = start().await;
    let ada = user_granted_later(&app, "ada").await;
    // The machine is too busy to begin; the counter is well.
    app.host().faults().outbound("admission", OutboundFault::Slow(TOO_LONG));
    let answers = burst(&ada, 60).await;
    answers.iter().for_each(|answer| _ = answer.expect(200));
    assert_eq!(count(&answers, "free_available"), 20);
    assert_eq!(count(&answers, "free_exhausted"), 40);
    let books = app.free_provider().books().await;
    assert_eq!((books.taken_total, books.refused_total), (LIMIT, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_come_too_late_for_a_whole_burst_leave_the_counter_open() {
    let app = start().await;
    let ada = app.paying_user("ada").await;
    app.host().faults().redis(StoreFault::Slow(TOO_LONG));
    let answers = burst(&ada, 60).await;
    answers.iter().for_each(|answer| _ = answer.expect(200));
    assert_eq!(count(&answers, "counter_unavailable"), 60);
    // It answered all of them, if late; nobody used what it gave, and it was given back.
    app.host().faults().redis(StoreFault::None);
    app.quiet().await;
    let answers = burst(&ada, 30).await;
    assert_eq!(count(&answers, "counter_unavailable"), 0);
    assert_eq!(count(&answers, "free_available"), 20);
    assert_eq!(app.free_provider().books().await.refused_total, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_answers_nobody_is_left_alone_and_the_first_answer_opens_it_for_all() {
    let app = start().await;
    let ada = app.paying_user("ada").await;
    app.host().faults().redis(StoreFault::Hang);
    for _ in 0..2 {
        assert_eq!(ada.send("hello").await.expect(200)["reason"], "counter_unavailable");
        // What is told after the answer.
        let noted = app.calls_to("admission");
        while app.calls_to("admission") > noted {
            sleep(Duration::from_millis(10)).await;
        }
        sleep(Duration::from_millis(100)).await;
    }
    app.clear_records();
    assert_eq!(ada.send("hello").await.expect(200)["reason"], "counter_unavailable");
    assert!(!counter_asked(&app), "{:?}", app.host().store_calls());
    app.host().faults().redis(StoreFault::None);
    // One of them finds out.
    while ada.send("hello").await.expect(200)["reason"] == "counter_unavailable" {
        sleep(Duration::from_millis(50)).await;
    }
    let answers = burst(&ada, 30).await;
    assert_eq!(count(&answers, "counter_unavailable"), 0);
    assert_eq!(app.free_provider().books().await.refused_total, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn paid_access_that_is_newer_than_the_token_counts_as_long_as_the_key_value_store_answers() {
    let app = start().await;
    let mut stale = user_granted_later(&app, "ada").await;
    let ended = app.paying_user("bob").await;
    ended.call(Method::POST, "/auth/logout").await;
    app.host().faults().redis(StoreFault::Hang);
    let body = stale.send("hello").await.expect(200);
    assert_eq!((&body["provider"], &body["reason"]), (&json!("paid"), &json!("counter_unavailable")));
    ended.send("hello").await.problem(401, "unauthorized");

    // With both away the token alone counts, and it is older.
    for fault in [StoreFault::Down, StoreFault::Hang] {
        app.host().faults().key_value_of(asks_the_stores(), fault);
        let answer = stale.send("hello").await;
        answer.problem(503, "counter-unavailable");
        assert_eq!(answer.header("retry-after"), "1");
        app.host().faults().key_value_of(asks_the_stores(), StoreFault::None);
    }
    stale.refresh(&app).await;
    for fault in [StoreFault::Down, StoreFault::Hang] {
        app.host().faults().key_value_of(asks_the_stores(), fault);
        assert_eq!(stale.send("hello").await.expect(200)["reason"], "counter_unavailable");
        app.host().faults().key_value_of(asks_the_stores(), StoreFault::None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_hangs_or_answers_late_leaves_the_key_free() {
    let app = start().await;
    let (ada, bob) = (app.paying_user("ada").await, app.user("bob").await);
    let send = async |user: &User, key: &str| {
        let call = user.call(Method::POST, "/messages").json(&json!({ "message": "hello" }));
        call.header("idempotency-key", key).await
    };
    for (fault, key) in [(StoreFault::Hang, "k-1"), (StoreFault::Slow(TOO_LONG), "k-2")] {
        app.host().faults().redis(fault);
        send(&bob, key).await.problem(503, "counter-unavailable");
        let paid = send(&ada, key).await.expect(200);
        let again = send(&ada, key).await;
        assert_eq!(again.expect(200), paid);
        assert_eq!(again.header("idempotency-replayed"), "true");
        app.host().faults().redis(StoreFault::None);
        let sent = loop {
            let answer = send(&bob, key).await;
            if answer.status == 200 {
                break answer.json();
            }
            // Not `idempotency-outcome-unknown`, nor in flight.
            answer.problem(503, "counter-unavailable");
            sleep(Duration::from_millis(50)).await;
        };
        assert_eq!(sent["provider"], "free");
    }
}
