//! Messages with an `Idempotency-Key`: however often and wherever they are sent, a provider is called once.

use std::time::Duration;

use futures::future::join_all;
use http::Method;
use octo_host::{Clock, OutboundFault, StoreFault};
use serde_json::json;

use crate::harness::{Answer, Call, Counter, TestApp, User};

const FREE: &str = "free-provider";
const PAID: &str = "paid-provider";

fn call(user: &User, host: usize, key: &str, message: &str) -> Call {
    let call = user.call_on(host, Method::POST, "/messages").json(&json!({ "message": message }));
    call.header("idempotency-key", key)
}

async fn send(user: &User, host: usize, key: &str, message: &str) -> Answer {
    call(user, host, key, message).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_message_gets_the_first_answer_on_every_host_and_is_processed_once() {
    let app = TestApp::setup().several(3).start().await;
    let ada = app.user("ada").await;
    let first = send(&ada, 0, "\"k-1\"", "hello").await;
    let body = first.expect(200);
    for host in [0, 1, 2] {
        let again = send(&ada, host, "k-1", "hello").await;
        assert_eq!(again.expect(200), body);
        assert_eq!(again.header("idempotency-replayed"), "true");
    }
    assert_eq!(app.calls_to(FREE), 1);
    send(&ada, 1, "k-1", "something else").await.problem(422, "idempotency-key-reused");
    // Another user's key of the same name is another key.
    let bob = app.user("bob").await;
    assert_ne!(send(&bob, 0, "k-1", "hello").await.expect(200)["id"], body["id"]);
    send(&ada, 0, "", "hello").await.problem(400, "invalid-idempotency-key");
    send(&ada, 0, &"k".repeat(256), "hello").await.problem(400, "invalid-idempotency-key");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_on_three_hosts_one_is_processed_and_the_rest_wait_or_get_its_answer() {
    let app = TestApp::setup().several(3).start().await;
    let ada = app.user("ada").await;
    for host in app.hosts() {
        host.faults().outbound(FREE, OutboundFault::Slow(Duration::from_millis(300)));
    }
    let calls = (0..30).map(|number| send(&ada, number % 3, "k-1", "hello"));
    let answers = join_all(calls).await;
    let processed: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.problem(409, "idempotency-key-in-flight");
        assert_eq!(answer.header("retry-after"), "1");
    }
    assert!(!processed.is_empty());
    assert!(processed.iter().all(|answer| answer.json() == processed[0].json()));
    assert_eq!(app.calls_to(FREE), 1);
    app.quiet().await;
    assert_eq!(ada.quota().await["used"], 1, "the copies took no slot from others");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_no_provider_saw_may_be_sent_again_with_its_key() {
    let app = TestApp::with("free_limit", 1).start().await;
    let ada = app.user("ada").await;
    ada.send("hello").await.expect(200);
    send(&ada, 0, "k-1", "hello").await.problem(429, "free-quota-exhausted");
    app.clock().advance(Duration::from_secs(60));
    assert_eq!(send(&ada, 0, "k-1", "hello").await.expect(200)["provider"], "free");
    // A mistake is not the key's.
    send(&ada, 0, "k-2", "").await.problem(422, "invalid-fields");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_repeated_and_not_tried_again() {
    let app = TestApp::start().await;
    let ada = app.paying_user("ada").await;
    for provider in [FREE, PAID] {
        app.host().faults().outbound(provider, OutboundFault::Cut);
    }
    app.clear_records();
    let first = send(&ada, 0, "k-1", "hello").await;
    first.problem(502, "providers-failed");
    for provider in [FREE, PAID] {
        app.host().faults().outbound(provider, OutboundFault::None);
    }
    let again = send(&ada, 0, "k-1", "hello").await;
    assert_eq!((again.status, again.text()), (502, first.text()));
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!((app.calls_to(FREE), app.calls_to(PAID)), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crashed_host_was_doing_is_never_done_again() {
    let mut app = TestApp::setup().several(2).start().await;
    let ada = app.user("ada").await;
    app.hosts()[1].faults().outbound(FREE, OutboundFault::Hang);
    let cut_off = call(&ada, 1, "k-1", "hello");
    let cut_off = tokio::spawn(async move { cut_off.attempt().await.is_none() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    app.crash(1);
    assert!(cut_off.await.unwrap());

    send(&ada, 0, "k-1", "hello").await.problem(409, "idempotency-key-in-flight");
    app.clock().advance(Duration::from_secs(61));
    send(&ada, 0, "k-1", "hello").await.problem(409, "idempotency-outcome-unknown");
    assert_eq!(app.calls_to(FREE), 0, "the other host made the only call");
    send(&ada, 0, "k-2", "hello").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_store_a_message_with_a_key_is_refused_and_not_processed() {
    let app = TestApp::start().await;
    let ada = app.paying_user("ada").await;
    app.host().faults().key_value(StoreFault::Down);
    app.clear_records();
    send(&ada, 0, "k-1", "hello").await.problem(503, "unavailable");
    assert_eq!((app.calls_to(FREE), app.calls_to(PAID)), (0, 0));
    app.host().faults().key_value(StoreFault::None);
    send(&ada, 0, "k-1", "hello").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn counted_in_redis_a_repeated_message_gets_its_first_answer_too() {
    let setup = TestApp::setup().by(Clock::system()).several(2);
    let app = setup.counting_in(Counter::StoresRedis).start().await;
    let ada = app.paying_user("ada").await;
    let first = send(&ada, 0, "k-1", "hello").await;
    let again = send(&ada, 1, "k-1", "hello").await;
    assert_eq!(again.expect(200), first.expect(200));
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(app.calls_to(FREE) + app.calls_to(PAID), 1);
    send(&ada, 1, "k-1", "something else").await.problem(422, "idempotency-key-reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_provider_processed_leaves_its_key_free_whatever_stood_in_the_way() {
    let refusals = [OutboundFault::Status(429), OutboundFault::Status(400), OutboundFault::Status(413)];
    for fault in refusals.into_iter().chain([OutboundFault::Refuse]) {
        let app = TestApp::start().await;
        let (ada, bob) = (app.paying_user("ada").await, app.user("bob").await);
        for provider in [FREE, PAID] {
            app.host().faults().outbound(provider, fault.clone());
        }
        for user in [&ada, &bob] {
            let refused = send(user, 0, "k-1", "hello").await;
            assert!(refused.status >= 400, "{fault:?}: {}", refused.text());
            // Again, while it still stands in the way: no repetition.
            let again = send(user, 0, "k-1", "hello").await;
            assert!(!again.headers.contains_key("idempotency-replayed"), "{fault:?}: {}", again.text());
        }
        for provider in [FREE, PAID] {
            app.host().faults().outbound(provider, OutboundFault::None);
        }
        app.clock().advance(Duration::from_secs(61));
        for user in [&ada, &bob] {
            // Even another message: the key is as if it had never been used.
            assert_eq!(send(user, 0, "k-1", "hullo").await.expect(200)["response"], "olluh", "{fault:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_processed_is_kept_and_does_not_say_that_it_is_safe_to_send_it_again() {
    let lost = [OutboundFault::Cut, OutboundFault::CutMidBody, OutboundFault::Status(500)];
    for fault in lost {
        let app = TestApp::start().await;
        let bob = app.user("bob").await;
        app.host().faults().outbound(FREE, fault.clone());
        let first = send(&bob, 0, "k-1", "hello").await;
        let detail = first.problem(502, "free-provider-failed")["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("with a new key") && !detail.contains("safe to send it again"), "{detail}");
        app.host().faults().outbound(FREE, OutboundFault::None);
        assert_eq!(send(&bob, 0, "k-1", "hello").await.text(), first.text(), "{fault:?}");
        send(&bob, 0, "k-2", "hello").await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_and_refused_tokens_leave_no_key_behind() {
    let app = TestApp::setup().over_redis().start().await;
    let ada = app.user("ada").await;
    for body in [json!({}), json!({ "message": "" }), json!({ "message": 7 })] {
        let call = ada.call(Method::POST, "/messages").json(&body).header("idempotency-key", "k-1");
        call.await.problem(422, "invalid-fields");
    }
    let call = app.post("/messages").bearer("x.y.z").json(&json!({ "message": "hello" }));
    call.header("idempotency-key", "k-1").await.problem(401, "unauthorized");
    assert_eq!(kept(&app), 0);
    send(&ada, 0, "k-1", "hello").await.expect(200);
    assert_eq!(kept(&app), 1);
}

/// How many keys have a record.
fn kept(app: &TestApp) -> i64 {
    let count = "EVAL \"return #redis.call('KEYS','*idempotency/key/*/record')\" 0";
    app.redis().ask(count).unwrap().trim().trim_start_matches(':').parse().unwrap()
}

/// Bytes of the files of the key-value store.
fn stored(app: &TestApp) -> u64 {
    let files = std::fs::read_dir(app.host().state_dir()).unwrap().map(Result::unwrap);
    let files = files.filter(|file| file.file_name().to_string_lossy().starts_with("sqlite_key_value"));
    files.map(|file| file.metadata().unwrap().len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_messages_of_control_characters_take_a_few_megabytes_of_the_store() {
    let app = TestApp::with("free_limit", 100).start().await;
    let ada = app.user("ada").await;
    let before = stored(&app);
    for number in 0..50_usize {
        let code = |index: usize| char::from(u8::try_from((index * index + number) % 31 + 1).unwrap());
        let message: String = (0..64 * 1024).map(code).collect();
        let key = format!("k-{number}");
        let first = send(&ada, 0, &key, &message).await;
        let again = send(&ada, 0, &key, &message).await;
        assert_eq!((first.expect(200), again.header("idempotency-replayed")), (again.json(), "true"));
    }
    let taken = stored(&app) - before;
    assert!(taken < 8 * 1024 * 1024, "{taken} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scheduler_removes_old_keys_although_no_new_one_comes() {
    const KEY: &str = "the key of the scheduler";
    let app = TestApp::with("jobs_key", KEY).with("free_limit", 100).over_redis().start().await;
    let ada = app.user("ada").await;
    for number in 0..40 {
        send(&ada, 0, &format!("k-{number}"), "hello").await.expect(200);
    }
    assert_eq!(kept(&app), 40);
    for hour in 0..120 {
        app.post("/internal/jobs/drain").bearer(KEY).await.expect(200);
        if hour < 24 {
            assert_eq!(kept(&app), 40, "after {hour} hours");
        }
        app.clock().advance(Duration::from_secs(3600));
    }
    assert_eq!(kept(&app), 0);
    let keys = "EVAL \"return #redis.call('KEYS','*idempotency/*')\" 0";
    assert_eq!(app.redis().ask(keys).unwrap().trim().trim_start_matches(':'), "2", "two numbers are left");
}
