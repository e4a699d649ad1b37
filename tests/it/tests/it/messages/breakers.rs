//! A provider that keeps failing is left alone by all instances, and one real message finds out whether it
//! works again.

use std::time::Duration;

use futures::future::join_all;
use octo_host::OutboundFault;

use crate::harness::TestApp;

const FREE: &str = "free-provider";
const PAID: &str = "paid-provider";
/// Failures in a row that close a provider, and for how long at first.
const FAILURES: usize = 5;
const COOL_DOWN: Duration = Duration::from_secs(5);

fn break_everywhere(app: &TestApp, provider: &str, fault: &OutboundFault) {
    for host in app.hosts() {
        host.faults().outbound(provider, fault.clone());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_free_provider_is_left_alone_by_all_hosts_until_one_probe_is_answered() {
    let app = TestApp::with("free_limit", 100).several(2).start().await;
    let ada = app.paying_user("ada").await;
    break_everywhere(&app, FREE, &OutboundFault::Status(500));
    let reason = async |host| {
        let body = ada.send_by(host, "hello").await.expect(200);
        assert_eq!(body["response"], "olleh");
        body["reason"].as_str().unwrap().to_owned()
    };
    for number in 0..FAILURES {
        assert_eq!(reason(number % 2).await, "free_failed");
    }
    app.clear_records();
    for host in [0, 1] {
        assert_eq!(reason(host).await, "free_failing");
    }
    assert_eq!(app.calls_to(FREE), 0);
    assert_eq!(ada.quota().await["closed_because"], "free_failing");

    // One message tries it, and fails: it is left alone for twice as long.
    app.clock().advance(COOL_DOWN);
    let reasons = join_all((0..20).map(|number| reason(number % 2))).await;
    assert_eq!(reasons.iter().filter(|reason| *reason == "free_failed").count(), 1);
    assert_eq!(app.calls_to(FREE), 1);
    app.clock().advance(COOL_DOWN);
    assert_eq!(reason(0).await, "free_failing");

    break_everywhere(&app, FREE, &OutboundFault::None);
    app.clock().advance(COOL_DOWN);
    assert_eq!(reason(1).await, "free_available");
    assert_eq!(reason(0).await, "free_available");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_paid_provider_is_not_asked_for_a_while_and_the_client_is_told_for_how_long() {
    let app = TestApp::with("free_limit", 1).several(2).start().await;
    let ada = app.paying_user("ada").await;
    ada.send("hello").await.expect(200);
    break_everywhere(&app, PAID, &OutboundFault::Status(500));
    for number in 0..FAILURES {
        ada.send_by(number % 2, "hello").await.problem(502, "providers-failed");
    }
    app.clear_records();
    let answer = ada.send_by(1, "hello").await;
    let problem = answer.problem(503, "providers-failed");
    assert_eq!(answer.header("retry-after"), "5");
    assert_eq!(problem["providers"][0]["failure"], "left_alone");
    assert_eq!(app.calls_to(PAID), 0);

    app.clock().advance(COOL_DOWN);
    break_everywhere(&app, PAID, &OutboundFault::None);
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "paid");
    assert_eq!(ada.send_by(1, "hello").await.expect(200)["provider"], "paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_provider_that_refuses_is_left_alone_for_as_long_as_it_says() {
    let app = TestApp::with("free_limit", 1).start().await;
    let ada = app.paying_user("ada").await;
    ada.send("hello").await.expect(200);
    let refusal = http::Response::builder().status(429).header("retry-after", "17");
    let refusal = OutboundFault::Respond(refusal.body(bytes::Bytes::new()).unwrap());
    break_everywhere(&app, PAID, &refusal);
    ada.send("hello").await.problem(503, "providers-failed");
    break_everywhere(&app, PAID, &OutboundFault::None);
    app.clear_records();
    assert_eq!(ada.send("hello").await.header("retry-after"), "17");
    assert_eq!(app.calls_to(PAID), 0);
    app.clock().advance(Duration::from_secs(17));
    ada.send("hello").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_both_providers_down_nobody_waits_for_either_and_both_are_found_again() {
    let app = TestApp::with("free_limit", 100).start().await;
    let ada = app.paying_user("ada").await;
    for provider in [FREE, PAID] {
        break_everywhere(&app, provider, &OutboundFault::Refuse);
    }
    for _ in 0..FAILURES {
        ada.send("hello").await.problem(503, "providers-failed");
    }
    app.clear_records();
    ada.send("hello").await.problem(503, "providers-failed");
    assert_eq!((app.calls_to(FREE), app.calls_to(PAID)), (0, 0));
    for provider in [FREE, PAID] {
        break_everywhere(&app, provider, &OutboundFault::None);
    }
    app.clock().advance(COOL_DOWN);
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");
}
