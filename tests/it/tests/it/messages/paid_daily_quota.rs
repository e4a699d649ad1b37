//! `paid_daily_per_user`: what paid access of one account can cost in a day.

use std::time::Duration;

use futures::future::join_all;
use http::Method;
use octo_host::{OutboundFault, StoreFault};
use serde_json::json;

use crate::harness::TestApp;

const FREE: &str = "free-provider";
const PAID: &str = "paid-provider";
/// From the tests' noon to midnight.
const REST_OF_THE_DAY: Duration = Duration::from_secs(15 * 3600 + 59 * 60 + 30);

#[tokio::test(flavor = "multi_thread")]
async fn an_accounts_paid_messages_of_a_day_are_counted_exactly_over_all_hosts() {
    let app = TestApp::with("free_limit", 1).with("paid_daily_per_user", 7).several(2).start().await;
    let (mut ada, bob) = (app.paying_user("ada").await, app.paying_user("bob").await);
    assert_eq!(bob.send("hello").await.expect(200)["provider"], "free");
    let answers = join_all((0..40).map(|number| ada.send_by(number % 2, "hello"))).await;
    let paid = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(paid, 7);
    assert_eq!(app.paid_provider().books().await.metered_total, 7);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        let problem = answer.problem(429, "paid-allowance-used");
        assert_eq!(problem["refills_at"], "2027-01-16T00:00:00.000Z");
        // There may be a free call before.
        assert_eq!(answer.header("retry-after"), "31");
    }
    assert_eq!(bob.send("hello").await.expect(200)["provider"], "paid", "another account has its own");
    app.clock().advance(Duration::from_secs(31));
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "free");
    app.clock().advance(REST_OF_THE_DAY);
    ada.refresh(&app).await;
    for provider in ["free", "paid"] {
        assert_eq!(ada.send("hello").await.expect(200)["provider"], provider);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_paid_for_is_given_back_and_what_may_have_been_is_not() {
    let app = TestApp::with("free_limit", 1).with("paid_daily_per_user", 2).start().await;
    let ada = app.paying_user("ada").await;
    ada.send("hello").await.expect(200);
    for fault in [OutboundFault::Refuse, OutboundFault::Refuse, OutboundFault::Status(429)] {
        app.host().faults().outbound(PAID, fault);
        ada.send("hello").await.problem(503, "providers-failed");
        app.quiet().await;
    }
    // A provider that refuses is left alone for a second.
    app.clock().advance(Duration::from_secs(1));
    app.host().faults().outbound(PAID, OutboundFault::Cut);
    ada.send("hello").await.problem(502, "providers-failed");
    app.host().faults().outbound(PAID, OutboundFault::None);
    // One that was found out to fail, for five.
    app.quiet().await;
    app.clock().advance(Duration::from_secs(5));
    ada.send("hello").await.expect(200);
    ada.send("hello").await.problem(429, "paid-allowance-used");
    // What became of it: nobody was asked.
    app.quiet().await;
    let stats = ada.call(Method::GET, "/messages/stats").await.expect(200);
    assert_eq!(stats["total"]["refused_by_reason"], json!({ "free_exhausted": 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_free_call_that_failed_it_counts_as_well_and_the_originals_clients_are_told() {
    let app = TestApp::with("free_limit", 100).with("paid_daily_per_user", 1).start().await;
    let ada = app.paying_user("ada").await;
    app.host().faults().outbound(FREE, OutboundFault::Status(500));
    assert_eq!(ada.send("hello").await.expect(200)["provider"], "paid");
    app.quiet().await;
    ada.send("hello").await.problem(429, "paid-allowance-used");
    let path = format!("/free_provider?token={}&message=hello", ada.access);
    assert_eq!(app.post(&path).await.expect(403)["detail"]["ok"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_can_count_messages_are_paid_for() {
    let app = TestApp::with("paid_daily_per_user", 1).start().await;
    let ada = app.paying_user("ada").await;
    app.host().faults().key_value_of("router", StoreFault::Down);
    for _ in 0..3 {
        assert_eq!(ada.send("hello").await.expect(200)["reason"], "counter_unavailable");
    }
}
