//! A provider or a store that fails: the message is answered all the same when it can be, nobody processes it
//! twice, and the quota is right afterwards.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use octo_host::{OutboundFault, StoreFault};
use serde_json::{Value, json};

use crate::harness::{Answer, TestApp, User};

const FREE: &str = "free-provider";
const PAID: &str = "paid-provider";

/// An application whose providers have 300 ms.
async fn app() -> TestApp {
    let setup = TestApp::with("free_provider_timeout_ms", 300).with("paid_provider_timeout_ms", 300);
    setup.start().await
}

fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> OutboundFault {
    let mut answer = http::Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    OutboundFault::Respond(answer.body(Bytes::from_static(body.as_bytes())).unwrap())
}

/// Every way a call can fail but a refusal: its name, whether the slot stays held, and the status that a user
/// without paid access sees.
fn failures() -> Vec<(OutboundFault, &'static str, i64, u16)> {
    let garbage = |body| answer(200, &[("content-type", "application/json")], body);
    vec![
        (OutboundFault::Cut, "connection_broken", 1, 502),
        (OutboundFault::CutMidBody, "connection_broken", 1, 502),
        (OutboundFault::Hang, "timed_out", 1, 502),
        (OutboundFault::Slow(Duration::from_secs(1)), "timed_out", 1, 502),
        (OutboundFault::Status(500), "bad_status", 1, 502),
        (OutboundFault::Status(302), "bad_status", 1, 502),
        (OutboundFault::Status(503), "bad_status", 1, 502),
        (garbage("<html>"), "bad_answer", 1, 502),
        (garbage("{}"), "bad_answer", 1, 502),
        (garbage("{\"response\":7}"), "bad_answer", 1, 502),
        (garbage(""), "bad_answer", 1, 502),
        (OutboundFault::Refuse, "unreachable", 0, 503),
    ]
}

/// Sends a message and checks that each provider was called at most once for it: how often, free and paid.
async fn send(app: &TestApp, user: &User) -> (Answer, usize, usize) {
    app.clear_records();
    let answer = user.send("hello").await;
    // A call that was given up enters the record when the host gets to it.
    let calls = || (app.calls_to(FREE), app.calls_to(PAID));
    let (mut free, mut paid) = calls();
    loop {
        tokio::time::sleep(Duration::from_millis(30)).await;
        if calls() == (free, paid) {
            break;
        }
        (free, paid) = calls();
    }
    assert!(free <= 1 && paid <= 1, "called {free} and {paid} times");
    (answer, free, paid)
}

fn provider_and_reason(body: &Value) -> (&str, &str) {
    (body["provider"].as_str().unwrap(), body["reason"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_free_provider_does_wrong_a_paying_user_is_answered_by_paid() {
    for (fault, name, held, _) in failures() {
        let app = app().await;
        let ada = app.paying_user("ada").await;
        app.host().faults().outbound(FREE, fault.clone());
        let (answer, free, paid) = send(&app, &ada).await;
        let body = answer.expect(200);
        assert_eq!(body["response"], "olleh", "{fault:?}");
        assert_eq!(provider_and_reason(&body), ("paid", "free_failed"), "{fault:?}");
        assert_eq!((free, paid), (1, 1), "{fault:?}");
        assert_eq!(app.paid_provider().books().await.metered, [body["id"].as_str().unwrap()]);
        let quota = ada.quota().await;
        assert_eq!((quota["used"].as_i64(), &quota["free_open"]), (Some(held), &json!(true)), "{fault:?}");
        assert!(app.log().contains("free_failure"), "{name}: {}", app.log());

        // One failure closes nothing.
        app.host().faults().outbound(FREE, OutboundFault::None);
        let (answer, free, paid) = send(&app, &ada).await;
        assert_eq!(provider_and_reason(&answer.expect(200)), ("free", "free_available"), "{fault:?}");
        assert_eq!((free, paid), (1, 0), "{fault:?}");
        assert_eq!(ada.quota().await["used"], held + 1, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_paid_access_a_failure_of_the_free_provider_is_told_and_sending_again_works() {
    let app = app().await;
    let ada = app.user("ada").await;
    let mut used = 0;
    for (fault, name, held, status) in failures() {
        app.clock().advance(Duration::from_secs(60));
        app.host().faults().outbound(FREE, fault.clone());
        let (answer, free, paid) = send(&app, &ada).await;
        let problem = answer.problem(status, "free-provider-failed");
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(problem["providers"][0]["provider"], "free", "{fault:?}");
        assert_eq!(problem["providers"][0]["failure"], name, "{fault:?}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("safe to send it again") && detail.contains("paid access"), "{detail}");
        assert_eq!((free, paid), (1, 0), "{fault:?}");
        assert_eq!(ada.quota().await["used"], held, "{fault:?}");

        app.host().faults().outbound(FREE, OutboundFault::None);
        assert_eq!(send(&app, &ada).await.0.expect(200)["provider"], "free", "{fault:?}");
        used += 1;
    }
    assert_eq!(app.paid_provider().books().await.metered_total, 0);
    assert!(used > 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_cut_is_in_the_providers_books_once() {
    let app = app().await;
    let ada = app.paying_user("ada").await;
    app.host().faults().outbound_times(FREE, OutboundFault::Cut, 1);
    let id = ada.send("hello").await.expect(200)["id"].as_str().unwrap().to_owned();
    assert_eq!(app.free_provider().books().await.taken, [id.as_str()]);
    assert_eq!(app.paid_provider().books().await.metered, [id.as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_held_for_calls_of_unknown_end_keep_the_provider_from_an_overrun() {
    let app = TestApp::with("free_limit", 3).with("free_provider_timeout_ms", 200).start().await;
    let ada = app.paying_user("ada").await;
    // The provider takes both calls, although we never hear of it.
    app.host().faults().outbound_times(FREE, OutboundFault::Cut, 2);
    let mut providers = Vec::new();
    for _ in 0..5 {
        providers.push(ada.send("hello").await.expect(200)["provider"].as_str().unwrap().to_owned());
    }
    assert_eq!(providers, ["paid", "paid", "free", "paid", "paid"]);
    let books = app.free_provider().books().await;
    assert_eq!((books.taken_total, books.refused_total), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_closes_the_free_provider_until_its_retry_after() {
    for (retry_after, block) in [("90", 90), ("7", 60), ("Fri, 15 Jan 2027 08:02:30 GMT", 120), ("x", 60)] {
        let app = app().await;
        let ada = app.paying_user("ada").await;
        app.host().faults().outbound_times(FREE, answer(429, &[("retry-after", retry_after)], ""), 1);
        let (answer, free, paid) = send(&app, &ada).await;
        assert_eq!(provider_and_reason(&answer.expect(200)), ("paid", "free_failed"));
        assert_eq!((free, paid), (1, 1));
        let quota = ada.quota().await;
        assert_eq!(quota["closed_because"], "free_blocked");
        assert_eq!(quota["free_reopens_in_seconds"], block, "{retry_after}");

        app.clock().advance(Duration::from_millis(block * 1_000 - 1));
        let (answer, free, paid) = send(&app, &ada).await;
        assert_eq!(provider_and_reason(&answer.expect(200)), ("paid", "free_blocked"), "{retry_after}");
        assert_eq!((free, paid), (0, 1));

        app.clock().advance(Duration::from_millis(1));
        let (answer, free, paid) = send(&app, &ada).await;
        assert_eq!(provider_and_reason(&answer.expect(200)), ("free", "free_available"), "{retry_after}");
        assert_eq!((free, paid), (1, 0));
        assert_eq!(ada.quota().await["free_open"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_paid_access_a_block_is_told_with_its_end() {
    let app = app().await;
    let ada = app.user("ada").await;
    app.host().faults().outbound_times(FREE, answer(429, &[("retry-after", "90")], ""), 1);
    let (answer, ..) = send(&app, &ada).await;
    let problem = answer.problem(503, "free-provider-failed");
    assert_eq!(problem["providers"][0]["failure"], "refused");
    assert_eq!(answer.header("retry-after"), "90", "the message that met it is told, too");
    let (answer, free, _) = send(&app, &ada).await;
    let problem = answer.problem(429, "free-provider-blocked");
    assert_eq!(answer.header("retry-after"), "90");
    assert_eq!(answer.header("ratelimit"), r#""free";r=0;t=90"#);
    assert_eq!(problem["reason"], "free_blocked");
    assert_eq!(free, 0);
    app.clock().advance(Duration::from_secs(90));
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_of_a_block_and_of_a_full_window_is_told() {
    let app = TestApp::with("free_limit", 1).start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    app.host().faults().outbound_times(FREE, answer(503, &[("retry-after", "5")], ""), 1);
    // 30 s to the window's end, and the clocks may disagree by 250 ms.
    for (user, status) in [(&ada, 503), (&bob, 429)] {
        let answer = user.send("hello").await;
        assert_eq!((answer.status, answer.header("retry-after")), (status, "31"));
    }
    assert_eq!(ada.quota().await["free_reopens_in_seconds"], 31);
    app.clock().advance(Duration::from_secs(31));
    assert_eq!(bob.send("hello").await.expect(200)["provider"], "free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_not_accepted_is_logged_as_the_operators_fault() {
    for (status, logged) in [(401, true), (403, true), (407, true), (400, false), (500, false)] {
        let app = app().await;
        let ada = app.paying_user("ada").await;
        for provider in [FREE, PAID] {
            app.host().faults().outbound(provider, OutboundFault::Status(status));
        }
        ada.send("hello").await;
        app.quiet().await;
        assert_eq!(app.log().contains("operator_error"), logged, "{status}: {}", app.log());
        assert_eq!(app.log().contains("free_provider_key"), logged, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_block_a_single_call_finds_out_whether_it_is_over() {
    let app = TestApp::setup().several(3).start().await;
    let ada = app.paying_user("ada").await;
    let faults = |fault: OutboundFault| {
        for host in app.hosts() {
            host.faults().outbound(FREE, fault.clone());
        }
    };
    faults(OutboundFault::Status(429));
    ada.send("hello").await.expect(200);

    // Still closed: the one that asks pays for all, and closes it again.
    for _ in 0..2 {
        app.clock().advance(Duration::from_secs(60));
        app.clear_records();
        let answers = join_all((0..20).map(|number| ada.send_by(number % 3, "hello"))).await;
        assert_eq!(app.calls_to(FREE), 1);
        for answer in &answers {
            assert_eq!(answer.expect(200)["provider"], "paid");
        }
        let failed = answers.iter().filter(|answer| answer.json()["reason"] == "free_failed").count();
        assert_eq!(failed, 1);
    }

    // Open again, but slow to say so: only the one that asks waits for it.
    faults(OutboundFault::Slow(Duration::from_millis(500)));
    app.clock().advance(Duration::from_secs(60));
    app.clear_records();
    let answers = join_all((0..20).map(|number| ada.send_by(number % 3, "hello"))).await;
    let free = answers.iter().filter(|answer| answer.expect(200)["provider"] == "free").count();
    assert_eq!((free, app.calls_to(FREE)), (1, 1));
    faults(OutboundFault::None);
    assert_eq!(ada.send("hello").await.expect(200)["reason"], "free_available");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_using_up_the_free_provider_is_noticed_by_what_its_answers_say() {
    let app = TestApp::with("free_limit", 5).start().await;
    let ada = app.paying_user("ada").await;
    for number in 0..3 {
        let call = http::Request::post("/process").header("content-type", "application/json");
        let call = call.header("idempotency-key", format!("stranger-{number}"));
        let call = call.body(Bytes::from_static(b"{\"message\":\"x\"}")).unwrap();
        assert_eq!(app.host().call(FREE, call).await.unwrap().status(), 200);
    }
    let mut reasons = Vec::new();
    for _ in 0..5 {
        reasons.push(ada.send("hello").await.expect(200)["reason"].as_str().unwrap().to_owned());
    }
    let (free, paid) = ("free_available", "free_exhausted");
    assert_eq!(reasons, [free, free, paid, paid, paid]);
    let books = app.free_provider().books().await;
    assert_eq!((books.taken_total, books.refused_total), (5, 0));
    // What the stranger took is back in the next window, and what was told of this one is over.
    app.clock().advance(Duration::from_secs(31));
    for _ in 0..5 {
        assert_eq!(ada.send("hello").await.expect(200)["reason"], free);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_both_providers_fail_the_answer_names_both_and_sending_again_works() {
    let failed = |provider: &str, failure: &str, detail: &str| json!({ "provider": provider, "failure": failure, "detail": detail });
    let with_status = |provider: &str, failure: &str, detail: &str, status: u16| json!({ "provider": provider, "failure": failure, "detail": detail, "status": status });
    let free = with_status("free", "bad_status", "answered with status 500", 500);
    for (fault, status, paid) in [
        (OutboundFault::Status(500), 502, with_status("paid", "bad_status", "answered with status 500", 500)),
        (OutboundFault::Hang, 502, failed("paid", "timed_out", "did not answer in time")),
        (OutboundFault::Cut, 502, failed("paid", "connection_broken", "broke the connection")),
        (OutboundFault::Refuse, 503, failed("paid", "unreachable", "could not be reached")),
        (OutboundFault::Status(429), 503, with_status("paid", "refused", "takes no calls for now", 429)),
    ] {
        let app = app().await;
        let ada = app.paying_user("ada").await;
        app.host().faults().outbound(FREE, OutboundFault::Status(500));
        app.host().faults().outbound(PAID, fault.clone());
        let (answer, free_calls, paid_calls) = send(&app, &ada).await;
        let problem = answer.problem(status, "providers-failed");
        assert_eq!((free_calls, paid_calls), (1, 1));
        assert_eq!(problem["providers"], json!([free, paid]));
        assert_eq!(problem["reason"], "free_failed");
        assert_eq!(answer.header("retry-after"), "1");
        assert!(problem["detail"].as_str().unwrap().contains("safe to send it again"), "{problem}");

        app.host().faults().outbound(PAID, OutboundFault::None);
        // As long as the answer said: a provider that refuses is left alone for that.
        app.clock().advance(Duration::from_secs(1));
        assert_eq!(send(&app, &ada).await.0.expect(200)["provider"], "paid");
        app.host().faults().outbound(FREE, OutboundFault::None);
        assert_eq!(send(&app, &ada).await.0.expect(200)["provider"], "free");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_free_is_used_up_and_paid_fails_only_paid_is_named() {
    let app = TestApp::with("free_limit", 1).start().await;
    let ada = app.paying_user("ada").await;
    ada.send("hello").await.expect(200);
    app.host().faults().outbound(PAID, OutboundFault::Status(500));
    let (answer, free, paid) = send(&app, &ada).await;
    let problem = answer.problem(502, "providers-failed");
    assert_eq!((free, paid), (0, 1));
    assert_eq!(problem["providers"].as_array().unwrap().len(), 1);
    assert_eq!(problem["reason"], "free_exhausted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_providers_can_be_told_to_misbehave_by_a_variable() {
    for (fault, name) in [("slow:1000", "timed_out"), ("status:503", "bad_status"), ("garbage", "bad_answer")]
    {
        let app = app().await;
        let (ada, bob) = (app.paying_user("ada").await, app.user("bob").await);
        app.host().set_variable("free_provider_fault", fault).unwrap();
        let (answer, free, paid) = send(&app, &ada).await;
        assert_eq!(provider_and_reason(&answer.expect(200)), ("paid", "free_failed"), "{fault}");
        assert_eq!((free, paid), (1, 1));
        let problem = bob.send("hello").await.problem(502, "free-provider-failed");
        assert_eq!(problem["providers"][0]["failure"], name, "{fault}");
        // It takes the calls all the same, and they count.
        assert_eq!(app.free_provider().books().await.taken_total, 2, "{fault}");
        assert_eq!(ada.quota().await["used"], 2, "{fault}");

        app.host().set_variable("paid_provider_fault", fault).unwrap();
        let problem = ada.send("hello").await.problem(502, "providers-failed");
        assert_eq!(problem["providers"][1]["failure"], name, "{fault}");
        app.host().set_variable("free_provider_fault", "slow:20").unwrap();
        assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_store_nothing_is_sent_free_on_a_guess() {
    for fault in [StoreFault::Down, StoreFault::WrongAnswer] {
        let app = app().await;
        let (ada, bob) = (app.paying_user("ada").await, app.user("bob").await);
        app.host().faults().key_value_of("router", fault);
        app.clear_records();
        if fault == StoreFault::Down {
            let (answer, free, paid) = send(&app, &ada).await;
            assert_eq!(provider_and_reason(&answer.expect(200)), ("paid", "counter_unavailable"));
            assert_eq!((free, paid), (0, 1));
            let problem = bob.send("hello").await.problem(503, "counter-unavailable");
            assert!(problem["detail"].as_str().unwrap().contains("paid access"), "{problem}");
            assert_eq!(ada.call(http::Method::GET, "/messages/quota").await.status, 503);
        } else {
            // A record that makes no sense lets nobody in.
            ada.send("hello").await.problem(401, "unauthorized");
        }
        assert_eq!(app.calls_to(FREE), 0);

        app.host().faults().key_value_of("router", StoreFault::None);
        for user in [&ada, &bob] {
            assert_eq!(user.send("hello").await.expect(200)["provider"], "free");
        }
        assert_eq!(ada.quota().await["used"], 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_sign_on_has_no_store_either_messages_are_still_answered() {
    let app = app().await;
    let ada = app.paying_user("ada").await;
    for component in ["router", "auth"] {
        app.host().faults().key_value_of(component, StoreFault::Down);
    }
    let (answer, free, paid) = send(&app, &ada).await;
    assert_eq!(provider_and_reason(&answer.expect(200)), ("paid", "counter_unavailable"));
    assert_eq!((free, paid), (0, 1));
    assert_eq!(ada.call(http::Method::GET, "/users/me").await.status, 200);
    // What has to be remembered cannot be done, and says so.
    ada.call(http::Method::POST, "/auth/logout").await.problem(503, "unavailable");
    app.log_in(&ada.email).await.problem(503, "unavailable");
    ada.send("hello").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_dies_and_returns_empty_takes_nothing_along_but_the_count() {
    let mut app = TestApp::setup().several(3).start().await;
    let ada = app.paying_user("ada").await;
    for host in 0..3 {
        assert_eq!(ada.send_by(host, "hello").await.expect(200)["provider"], "free");
    }
    app.redis_mut().kill();
    for host in 0..3 {
        app.clear_records();
        // The providers of this application keep their books in the same Redis.
        ada.send_by(host, "hello").await.problem(503, "providers-failed");
        assert_eq!((app.calls_to(FREE), app.calls_to(PAID)), (0, 1));
    }
    app.redis_mut().restart().unwrap();
    for host in 0..3 {
        assert_eq!(ada.send_by(host, "hello").await.expect(200)["provider"], "free");
    }
    let books = app.free_provider().books().await;
    assert_eq!((books.taken_total, books.refused_total), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_keeps_messages_from_both_providers_until_the_host_gives_up() {
    let app = TestApp::setup().giving_up_after(Duration::from_millis(500)).start().await;
    let ada = app.paying_user("ada").await;
    app.host().faults().key_value_of("router", StoreFault::Hang);
    let (answer, free, paid) = send(&app, &ada).await;
    // A component cannot stop waiting for a store: the place it runs in does.
    assert_eq!(answer.status, 504);
    assert_eq!((free, paid), (0, 0));
    app.host().faults().key_value_of("router", StoreFault::None);
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_slow_only_costs_time() {
    let app = app().await;
    let ada = app.user("ada").await;
    app.host().faults().key_value(StoreFault::Slow(Duration::from_millis(20)));
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");
    app.host().faults().key_value(StoreFault::None);
    assert_eq!(ada.quota().await["used"], 1);
}
